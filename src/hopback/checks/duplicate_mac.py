"""duplicate-mac: two real stations use one MAC.

Switches then send their frames now to the one, now to the other. Copies that are one by design are
not counted: a VLAN or bridge that shares its port's address, legs of one bond, virtual routers
(RFC 9568 §7.3), addresses that container tools derive or share.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.findings import Finding
from hopback.frames.mac import Mac, format_mac, is_group
from hopback.network.facts import Ref, merge_refs
from hopback.network.model import Device

NAME = "duplicate-mac"

_SHARING_KINDS = frozenset(
    {"bridge", "vlan", "bond", "team", "macvlan", "macvtap", "ipvlan", "vrf"}
)
_SHARED_BY_DESIGN = frozenset({0xEEEE_EEEE_EEEE, 0xFEFF_FFFF_FFFF})  # Calico, Xen backends
_VIRTUAL_ROUTERS = (0x0000_5E00_01, 0x0000_5E00_02)
_CONTAINER_PREFIX = 0x0242  # Docker derives 02:42:… from the private address


class Holder(NamedTuple):
    """Who has the MAC: where, what, and the rows that say so."""

    host: str
    name: str
    refs: tuple[Ref, ...]


def check(case: Case) -> Iterator[Finding]:
    """One finding for each MAC with two holders that are not one thing."""
    holders: dict[Mac, list[Holder]] = defaultdict(list)
    for station in case.network.stations:
        bridge = f"{station.name} on {station.port.name}"
        holders[station.mac].append(Holder(station.port.host, bridge, station.refs))
    guests = {(s.port.host, s.mac) for s in case.network.stations}
    for mac, device in _machines(case):
        if (device.id.host, mac) not in guests and device.mac is not None:
            known = any(h.host == device.id.host for h in holders[mac])
            if not known:
                name = f"{device.id.name} of {device.id.host or 'the host'}"
                holders[mac].append(Holder(device.id.host, name, device.mac.refs))
    for mac, found in holders.items():
        if len(found) > 1 and _is_real(mac):
            yield _finding(case, mac, found)


def _machines(case: Case) -> Iterator[tuple[Mac, Device]]:
    """Devices that are a machine's own way to the network."""
    for device in case.network.devices.values():
        kind = device.kind.value if device.kind else ""
        peer = device.peer is not None and device.peer.value in case.network.devices
        if device.mac is None or kind in _SHARING_KINDS or peer or device.id.netns:
            continue
        yield device.mac.value, device


def _is_real(mac: Mac) -> bool:
    if mac == 0 or is_group(mac) or mac in _SHARED_BY_DESIGN:
        return False
    return mac >> 8 not in _VIRTUAL_ROUTERS and mac >> 32 != _CONTAINER_PREFIX


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
        summary=f"{format_mac(mac)} is used twice: {' and '.join(names[:3])}.",
        because=case.evidence("one-mac", merge_refs(*(h.refs for h in found))),
        details={"holders": names},
        explains=("fdb-misplaced", "mac-move"),
    )
