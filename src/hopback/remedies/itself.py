"""Whether a station needs hairpin to reach itself: by an address that DNAT translates back to it.

nova's floating IP, a pod's own Service, a published port: the packet leaves by the station's port,
is given the station's address as destination, and has to go back by the same port. That happens
inside the bridge only where br_netfilter shows it to IP's rules
(net/bridge/br_netfilter_hooks.c:br_nf_pre_routing); without, the host routes it.
"""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Literal

from msgspec import Struct

from hopback.network.model import Network
from hopback.remedies.target import Target
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import FilterRule, Nat, Opaque, Span, Value

_SYSCTL = {4: "net.bridge.bridge-nf-call-iptables", 6: "net.bridge.bridge-nf-call-ip6tables"}
_TARGETS = ("dnat", "redirect")


class Need(Struct, frozen=True):
    """``certain``: a rule shows it, its text in ``by``; ``unknown``: what would tell is missing."""

    known: Literal["certain", "none", "unknown"]
    by: str = ""


NONE = Need("none")


def need_of(network: Network, target: Target) -> Need:
    """What the tables say of the station of ``target``."""
    snapshot = network.snapshots[target.host]
    if _bridged_past_ip(network, target):
        return NONE
    wanted = frozenset(_addresses(network, target))
    rules = [rule for rule in snapshot.filter_rules.rows if rule.netns == target.port.netns]
    for rule in rules:
        if any(_leads_to(step, wanted) for step in rule.steps):
            return Need("certain", rule.text)
    if not _all_listed(snapshot, target.port.netns):
        return Need("unknown", "nobody listed the rules of iptables and nftables")
    if any(isinstance(step, Opaque) for rule in rules for step in rule.steps):
        return Need("unknown", "some rules are not understood")
    if not wanted and any(_translates(rule) for rule in rules):
        return Need("unknown", "nothing tells the station's IP addresses")
    return NONE


def _bridged_past_ip(network: Network, target: Target) -> bool:
    """Whether it is certain that IP's rules do not see what is bridged."""
    snapshot, netns = network.snapshots[target.host], target.port.netns
    setting = network.bridges[target.bridge].settings.get("nf_call_iptables")
    if setting is not None and setting.value:
        return False
    values = {r.key: r.value for r in snapshot.sysctls.rows if r.netns == netns}
    told = [values.get(key) for key in _SYSCTL.values()]
    if None in told:
        return snapshot.sysctls.complete(netns) and set(told) == {None}
    return set(told) == {"0"}


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
