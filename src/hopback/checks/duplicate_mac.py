"""duplicate-mac: two real stations use one MAC.

Switches then send their frames now to the one, now to the other. Copies that are one by design are
not counted: a VLAN or bridge that shares its port's address, legs of one bond, virtual routers,
addresses that container tools derive or share, a tap's own address, which no frame bears. A guest
whose inside we were given too is one station, not two.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.checks.shared_macs import is_shared
from hopback.checks.words import joined, named
from hopback.findings import Finding
from hopback.frames.mac import Mac, format_mac
from hopback.network.facts import Ref, merge_refs
from hopback.network.model import Device
from hopback.network.roles import role_of

NAME = "duplicate-mac"

_SHARING_KINDS = frozenset(
    {"bridge", "vlan", "bond", "team", "macvlan", "macvtap", "ipvlan", "vrf"}
)


class Holder(NamedTuple):
    """Who has the MAC: where, what, and the rows that say so."""

    host: str
    name: str
    refs: tuple[Ref, ...]


def check(case: Case) -> Iterator[Finding]:
    """One finding for each MAC with two holders that are not one thing."""
    holders: dict[Mac, list[Holder]] = defaultdict(list)
    for station in case.network.stations:
        who = "a guest" if station.name == format_mac(station.mac) else station.name
        there = f"{who} on {station.port.name}"
        holders[station.mac].append(Holder(station.port.host, there, station.refs))
        port = case.network.devices.get(station.port)
        if port and port.mac and port.mac.value == station.mac:
            itself = f"{port.id.name} itself"
            holders[station.mac].append(Holder(port.id.host, itself, port.mac.refs))
    machines: dict[Mac, dict[str, Holder]] = defaultdict(dict)
    for mac, device in _machines(case):
        if device.mac is not None:
            name = f"{device.id.name} of {named(device.id.host)}"
            holder = Holder(device.id.host, name, device.mac.refs)
            machines[mac].setdefault(device.id.host, holder)
    for mac, hosts in machines.items():
        outside = {h.host for h in holders[mac]}
        insides = sum(s.mac == mac and s.device is None for s in case.network.stations)
        holders[mac] += [h for h in hosts.values() if h.host not in outside][insides:]
    for mac, found in holders.items():
        if len(found) > 1 and not is_shared(mac):
            yield _finding(case, mac, found)


def _machines(case: Case) -> Iterator[tuple[Mac, Device]]:
    """Devices that are a machine's own way to the network."""
    for device in case.network.devices.values():
        kind = device.kind.value if device.kind else ""
        peer = device.peer is not None and device.peer.value in case.network.devices
        if device.mac is None or kind in _SHARING_KINDS or peer or device.id.netns:
            continue
        if role_of(device.id.name, kind) == "guest":
            continue
        yield device.mac.value, device


def _finding(case: Case, mac: Mac, found: list[Holder]) -> Finding:
    names = [h.name for h in found]
    return Finding(
        check=NAME,
        group="other-fault",
        severity="error",
        evidence="reported",
        confidence="certain",
        host=found[0].host,
        subject=format_mac(mac),
        summary=f"{format_mac(mac)} is used twice: {joined(names[:3])}.",
        because=case.evidence("one-mac", merge_refs(*(h.refs for h in found))),
        details={"holders": names},
        explains=("fdb-misplaced", "mac-move", "own-source", "dad-failed"),
    )
