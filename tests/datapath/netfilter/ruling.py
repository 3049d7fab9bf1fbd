"""Rulesets made of rows, as short as in a ruleset."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from itertools import count
from typing import Any

from hopback.datapath.effects import World
from hopback.datapath.netfilter.packet import Outcome, Seen
from hopback.datapath.netfilter.ruleset import Ruleset, rulesets_of
from hopback.datapath.netfilter.traverse import traverse
from hopback.frames.ethernet import IPV4, IPV6, Frame, Vlan
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import parse_mac
from hopback.frames.transport import Transport
from hopback.frames.udp import Udp
from hopback.snapshot.model import Builder, Snapshot
from hopback.snapshot.rows import Address, FilterChain, FilterRule, Row, Step
from hopback.snapshot.table import Cite, Extent, Source

HOST = "kvm1"
A, B = parse_mac("02:00:00:00:00:0a"), parse_mac("02:00:00:00:00:0b")
_lines = count(1)


def cite(source: int = 0) -> Cite:
    return Cite(source, next(_lines))


def chain(
    name: str, *rules: Sequence[Step], family: str = "bridge", source: int = 0, **told: Any
) -> list[Row]:
    """A chain of the table t and its rules; with a hook, a base chain of priority 0."""
    if "hook" in told:
        told = {"priority": 0, "policy": "accept"} | told
    named: dict[str, Any] = {"family": family, "table": told.pop("table", "t")}
    named["backend"] = told.pop("backend", "nft")
    rows: list[Row] = [FilterChain(cite=cite(source), name=name, **named, **told)]
    for place, steps in enumerate(rules, 1):
        row = FilterRule(
            cite=cite(source), chain=name, place=place, steps=tuple(steps), text=f"rule {place}",
            **named,
        )  # fmt: skip
        rows.append(row)
    return rows


def snapshot(*parts: Sequence[Row], addresses: Sequence[tuple[str, str]] = ()) -> Snapshot:
    builder = Builder(HOST)
    builder.open(Source("nft -j list ruleset"))
    for rows in parts:
        builder.add(rows)
    for source in {row.cite.source for rows in parts for row in rows}:
        builder.add((), (), (FilterChain,), Extent(source))
    own = [
        Address(
            cite=cite(), dev=dev, address=text.split("/")[0], prefix_len=int(text.split("/")[1])
        )
        for dev, text in addresses
    ]
    builder.add(own, (), (Address,), Extent(0))
    return builder.build()


def ruleset(*parts: Sequence[Row], addresses: Sequence[tuple[str, str]] = ()) -> Ruleset:
    return rulesets_of(snapshot(*parts, addresses=addresses))[""]


def ipv4(
    payload: Transport | None = None,
    source: str = "192.0.2.1",
    target: str = "192.0.2.2",
    **told: Any,
) -> Frame:
    """A frame from A to B, UDP from port 1000 to 53 unless told otherwise."""
    body = payload or Udp(1000, 53)
    protocol = told.pop("protocol", 17)
    tags: tuple[Vlan, ...] = told.pop("tags", ())
    packet = Ipv4(IPv4Address(source), IPv4Address(target), protocol, body, **told)
    return Frame(B, A, tags, IPV4, packet)


def ipv6(
    payload: Transport | None = None,
    source: str = "2001:db8::1",
    target: str = "2001:db8::2",
    **told: Any,
) -> Frame:
    body = payload or Udp(1000, 53)
    packet = Ipv6(IPv6Address(source), IPv6Address(target), told.pop("protocol", 17), body, **told)
    return Frame(B, A, (), IPV6, packet)


def bridged(rules: Ruleset, frame: Frame, world: World | None = None, **told: Any) -> Outcome:
    """The outcome at the hook forward of a bridge, from vnet0 to vnet1."""
    where: dict[str, Any] = {"hook": "forward", "indev": "vnet0", "outdev": "vnet1"}
    return traverse(rules, world or {}, Seen("bridge", frame=frame, **where | told))
