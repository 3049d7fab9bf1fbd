"""Whether a station needs hairpin to reach itself: by an address that DNAT translates back to it.

nova's floating IP, a pod's own Service, a published port: the packet leaves by the station's port,
is given the station's address as destination, and has to go back by the same port. That happens
inside the bridge only where br_netfilter shows it to IP's rules
(net/bridge/br_netfilter_hooks.c:br_nf_pre_routing); without, the host routes it.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import islice
from typing import Literal, NamedTuple

from msgspec import Struct

from hopback.datapath.model import Model
from hopback.datapath.path import nic_of
from hopback.datapath.rules import RULES
from hopback.datapath.skb import Ip
from hopback.engines.flow import follow
from hopback.network.model import Network, Station
from hopback.remedies.target import Target
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import FilterRule, Match, Nat, Opaque, Span, Value

_TARGETS = ("dnat", "redirect")
_ASKED_MAX = 64


class Asked(NamedTuple):
    """An address that the station reaches itself by, and the TCP port if the rule names one."""

    address: Ip
    port: int | None = None


class Need(Struct, frozen=True):
    """``certain``: a rule shows it, ``by`` its text; ``unknown``: ``by`` says what is missing.

    ``asked`` is what the station reaches itself by, as far as that can be followed.
    """

    known: Literal["certain", "none", "unknown"]
    by: str = ""
    asked: tuple[Asked, ...] = ()


NONE = Need("none")


def need_of(model: Model, target: Target) -> Need:
    """What the tables say of the station of ``target``."""
    network = model.network
    snapshot = network.snapshots[target.host]
    families = _called(model, target)
    if not families:
        return NONE
    wanted = frozenset(_addresses(network, target))
    here = [rule for rule in snapshot.filter_rules.rows if rule.netns == target.port.netns]
    rules = [rule for rule in here if rule.family in families]
    for rule in rules:
        if any(_leads_to(step, wanted) for step in rule.steps):
            return _followed(model, target, rules, rule)
    if not _all_listed(snapshot, target.port.netns):
        return Need("unknown", "nobody listed the rules of iptables and nftables")
    if any(isinstance(step, Opaque) for rule in rules for step in rule.steps):
        return Need("unknown", "some rules are not understood")
    if not wanted and any(_translates(rule) for rule in rules):
        return Need("unknown", "nothing tells the station's IP addresses")
    return NONE


def lost_itself(model: Model, target: Target, asked: Asked) -> str | None:
    """None if the station reaches itself by ``asked``; else why not, "" where it cannot be told."""
    station = _station(model, target)
    if station is None:
        return ""
    flow = follow(model, station, asked.address, port=asked.port)
    if flow is None or flow.end == "out-of-sight":
        return ""
    arrived = flow.request.arrived if flow.request else None
    if flow.end == "answered" and arrived is not None:
        return None if arrived.dev == nic_of(station) else "somebody else answers"
    if flow.end == "another-address":
        return "the answer comes from another address"
    return RULES[flow.lost.why.rule].text if flow.lost else ""


def _followed(model: Model, target: Target, rules: list[FilterRule], by: FilterRule) -> Need:
    """Whether the station reaches itself by any address that the rules compare with."""
    every = list(islice(dict.fromkeys(a for rule in rules for a in _asked(rule)), _ASKED_MAX))
    ends = {asked: lost_itself(model, target, asked) for asked in every}
    reached = tuple(asked for asked, why in ends.items() if why is None)
    if not reached and ends and all(ends.values()):
        return NONE  # it does not work as it is
    return Need("certain", by.text, reached)


def _asked(rule: FilterRule) -> Iterator[Asked]:
    """The addresses that the rule is for, each with its port."""
    matches = [step for step in rule.steps if isinstance(step, Match) and step.op == "=="]
    values = {m.fields[0].key: m.values for m in matches if len(m.fields) == 1}
    ports = [v for (v,) in values.get("tcp dport", ()) if isinstance(v, int)]
    for key, address in (("ip daddr", IPv4Address), ("ip6 daddr", IPv6Address)):
        for (value,) in values.get(key, ()):
            if isinstance(value, int):
                yield Asked(address(value), ports[0] if ports else None)


def _station(model: Model, target: Target) -> Station | None:
    there = model.stations.get(target.port, ())
    return next((s for s in there if s.mac == target.mac), None)


def _called(model: Model, target: Target) -> frozenset[str]:
    """The families of rules that br_netfilter may show what is bridged to."""
    calls = model.bridge_nf[target.bridge].calls
    found = {f for f in ("ip", "ip6") if f not in calls or calls[f].value}
    return frozenset((*found, "inet")) if found else frozenset()


def _addresses(network: Network, target: Target) -> Iterator[int]:
    """The station's addresses, from its own device or from the neighbour tables."""
    devices = {s.device for s in network.stations if s.mac == target.mac and s.device}
    for snapshot in network.snapshots.values():
        for row in snapshot.addresses.rows:
            if any(d[:] == (snapshot.host, row.netns, row.dev) for d in devices):
                yield int(ip_address(row.address))
        for neighbour in snapshot.neighbours.rows:
            if neighbour.mac is not None and neighbour.mac == target.mac:
                yield int(ip_address(neighbour.address))


def _leads_to(step: object, wanted: frozenset[int]) -> bool:
    if not isinstance(step, Nat) or step.kind not in _TARGETS:
        return False
    values: list[Value] = []
    for given in (step.address, step.both):
        if given is None or isinstance(given, int | str | Span):
            values += [] if given is None else [given]
        else:
            values += [value for _, to in given.entries for value in to[:1]]
    return any(_is_among(value, wanted) for value in values)


def _is_among(value: Value, wanted: frozenset[int]) -> bool:
    if isinstance(value, Span):
        return any(value.first <= address <= value.last for address in wanted)
    return value in wanted


def _translates(rule: FilterRule) -> bool:
    return any(isinstance(step, Nat) and step.kind in _TARGETS for step in rule.steps)


def _all_listed(snapshot: Snapshot, netns: str) -> bool:
    """Whether all filters were listed with their rules, or it is told that there are none."""
    if snapshot.filter_chains.complete(netns):
        return True
    seen = any(row.netns == netns for row in snapshot.filters.rows)
    return snapshot.filters.complete(netns) and not seen
