"""Packet filters that may act on a port and are not evaluated yet."""

from collections.abc import Iterator
from typing import NamedTuple

from hopback.network.facts import DevId, Ref
from hopback.network.model import Network
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import FilterRule, GuestNic, Match, PacketFilter
from hopback.snapshot.table import Cite

_BRIDGED = frozenset({"bridge", "netdev"})
"""Families that see every bridged frame; ip, ip6 and inet see them only with br_netfilter."""
_DEVICE_FIELDS = frozenset({"meta iifname", "meta oifname", "physdev in", "physdev out"})


class Hooked(NamedTuple):
    """A base chain that does anything; ``devices`` None if it may touch any device's frames."""

    name: str
    netns: str
    family: str
    devices: frozenset[str] | None
    cite: Cite


def filter_on(network: Network, port: DevId) -> tuple[str, Ref] | None:
    """What may filter the frames of ``port``: its name and the row that shows it."""
    snapshot = network.snapshots[port.host]
    for nic in snapshot.guest_nics.rows:
        if _of(nic, port) and nic.filter:
            return f"libvirt filter {nic.filter}", Ref(port.host, nic.cite)
    for chain in hooked(snapshot):
        if chain.netns == port.netns and _selects(chain, port):
            return chain.name, Ref(port.host, chain.cite)
    return None


def hooked(snapshot: Snapshot) -> Iterator[Hooked]:
    """The base chains that are not empty or do not accept, in the order of the rows."""
    for row in snapshot.filters.rows:
        yield _noticed(row)
    rules: dict[tuple[object, ...], list[FilterRule]] = {}
    for rule in snapshot.filter_rules.rows:
        key = (rule.cite.source, rule.netns, rule.backend, rule.family, rule.table, rule.chain)
        rules.setdefault(key, []).append(rule)
    for chain in snapshot.filter_chains.rows:
        at = (chain.netns, chain.backend, chain.family, chain.table, chain.name)
        own = rules.get((chain.cite.source, *at), [])
        if chain.hook is None or (chain.policy == "accept" and chain.whole and not own):
            continue
        anywhere = chain.policy != "accept" or not chain.whole
        devices = None if anywhere else _devices(own)
        if chain.devices is not None:
            devices = frozenset(chain.devices)
        name = f"{chain.backend} {chain.family} {chain.table} {chain.name}"
        yield Hooked(name, chain.netns, chain.family, devices, chain.cite)


def _noticed(row: PacketFilter) -> Hooked:
    devices = None if row.devices is None else frozenset(row.devices)
    return Hooked(row.name, row.netns, row.family, devices, row.cite)


def _devices(rules: list[FilterRule]) -> frozenset[str] | None:
    """The devices that the rules name; None if one of them names none, or many at once."""
    found: set[str] = set()
    for rule in rules:
        named = {
            str(element[0])
            for step in rule.steps
            if isinstance(step, Match) and step.op == "==" and len(step.fields) == 1
            if step.fields[0].key in _DEVICE_FIELDS
            for element in step.values
        }
        if not named or any(name in ("", "*") or name.endswith("*") for name in named):
            return None
        found |= named
    return frozenset(found)


def _of(nic: GuestNic, port: DevId) -> bool:
    return (nic.netns, nic.target) == (port.netns, port.name)


def _selects(chain: Hooked, port: DevId) -> bool:
    if chain.family not in _BRIDGED:
        return False
    return chain.devices is None or port.name in chain.devices
