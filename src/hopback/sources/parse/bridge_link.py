"""``bridge link`` with or without ``-d`` and ``-j`` (iproute2 ``bridge/link.c``)."""

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from hopback.snapshot.rows import BridgePort, Link, Row
from hopback.snapshot.table import Cite, Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.ip_link import flags_of, lower_of
from hopback.sources.parse.ip_link_facts import Facts, port_row, port_state
from hopback.sources.parse.json_objects import is_json, objects
from hopback.sources.parse.listing import number, pairs, stray

COMMANDS: tuple[tuple[str, ...], ...] = (("bridge", "link"),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*\d+: [^\s:]+:? (?:state \w+ (?:@\S+)?: )?<[^>]*> mtu \d+ (?:master \S+ )?"
    r"(?:state (?:disabled|listening|learning|forwarding|blocking)|hwmode) "
    r'|\[ ?\{"ifindex":\d+,(?=.{0,400}?"flags":)(?=.{0,400}?"mtu":\d+,"(?:master|state)":)'
)
FILLS: tuple[type[Row], ...] = (BridgePort,)

# Versions before 4.20 print "5: vnet0 state UP @eth0: <…>".
_HEADER = re.compile(
    r"\s*(?P<number>\d{1,9}): (?P<name>[^\s:@\x00-\x1f]+)(?:@(?P<at>[^\s:\x00-\x1f]+))?:?"
    r"(?: state (?:\w+) (?:@(?P<old_at>[^\s:]*))?: ?)? (?P<rest>(?:<|\[?(?:\.\.\.|…)).*)"
)
_DETAIL = re.compile(r"\s*(?:hairpin|hwmode|learning|guard|cost|priority)\s")


class Device(Struct):
    """An object of the JSON list, as far as it is about the device."""

    ifname: str | None = None
    ifindex: int | None = None
    link: str | None = None
    link_index: int | None = None
    flags: list[str] = []
    mtu: int | None = None
    master: str | None = None
    state: str | None = None
    priority: int | None = None
    cost: int | None = None
    hairpin: bool | None = None
    guard: bool | None = None
    root_block: bool | None = None
    learning: bool | None = None
    flood: bool | None = None
    mcast_flood: bool | None = None
    bcast_flood: bool | None = None
    mcast_router: int | None = None
    mcast_to_unicast: bool | None = None
    neigh_suppress: bool | None = None
    vlan_tunnel: bool | None = None
    isolated: bool | None = None
    locked: bool | None = None
    mab: bool | None = None
    backup_port: str | None = None


def parse(text: Text) -> Parsed:
    """A ``BridgePort`` and a ``Link`` for every port."""
    return _parse_json(text) if is_json(text) else _parse_text(text)


def _parse_text(text: Text) -> Parsed:
    rows: list[Row] = []
    problems: list[Problem] = []
    header: tuple[int, re.Match[str]] | None = None
    said: dict[str, str] = {}
    for index, line in text.numbered():
        if match := _HEADER.match(line):
            rows += _port(text, header, said)
            header, said = (index, match), pairs(match["rest"].split())
        elif header is not None and (line[0].isspace() or _DETAIL.match(line)):
            if _DETAIL.match(line):
                said |= pairs(line.split())
        else:
            problems += stray(text, index, "bridge link")
    rows += _port(text, header, said)
    return Parsed(rows, problems)


def _port(
    text: Text, header: tuple[int, re.Match[str]] | None, said: Mapping[str, str]
) -> Iterator[Row]:
    if header is None:
        return
    index, match = header
    flags = flags_of(match["rest"])
    lower, lower_index = lower_of(match["at"] or match["old_at"] or None, None)
    master = said.get("master")
    link = Link(
        cite=text.cite(index),
        netns=text.netns,
        name=match["name"],
        index=number(match["number"]),
        up=flags.up,
        carrier=flags.carrier,
        promisc=flags.promisc,
        mtu=number(said.get("mtu")),
        master=master,
        port_of="bridge" if master and port_state(said.get("state")) else None,
        lower=lower or None,
        lower_index=lower_index,
    )
    yield link
    if master:
        yield port_row(link, Facts("bridge", said, text.cite(index)))


def _parse_json(text: Text) -> Parsed:
    found, problems = objects(text, Device)
    rows: list[Row] = []
    for index, device in found:
        if device.ifname:
            rows += _json_port(text, text.cite(index), device.ifname, device)
    return Parsed(rows, problems)


def _json_port(text: Text, cite: Cite, name: str, device: Device) -> Iterator[Row]:
    said = {field: getattr(device, field) for field in device.__struct_fields__}
    link = Link(
        cite=cite,
        netns=text.netns,
        name=name,
        index=number(device.ifindex),
        up="UP" in device.flags,
        carrier="LOWER_UP" in device.flags,
        promisc="PROMISC" in device.flags,
        mtu=number(device.mtu),
        master=device.master,
        port_of="bridge" if device.master and port_state(device.state) else None,
        lower=device.link,
        lower_index=number(device.link_index),
    )
    yield link
    if device.master:
        yield port_row(link, Facts("bridge", said, cite))
