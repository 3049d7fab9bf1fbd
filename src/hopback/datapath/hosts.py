"""What the tables tell of the host on a bridge: its addresses, and the neighbours it knows."""

from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType

from hopback.datapath.bridge.state import HostState, Ip, NeighbourEntry
from hopback.network.facts import DevId, Ref
from hopback.network.model import BridgeView
from hopback.snapshot.model import Snapshot

VALID = frozenset({"PERMANENT", "NOARP", "REACHABLE", "PROBE", "STALE", "DELAY"})
"""NUDVALID (include/net/neighbour.h)."""

_SUPPRESSING = ("neigh_suppress", "proxyarp", "proxyarp_wifi")


def hosts_of(snapshot: Snapshot, bridge: BridgeView) -> Mapping[int, HostState]:
    """The host by VLAN, 0 being the bridge device; nothing where no port asks for it."""
    if not any(
        p.flags[f].value for p in bridge.ports.values() for f in _SUPPRESSING if f in p.flags
    ):
        return MappingProxyType({})
    devices = {0: bridge.id}
    for row in snapshot.vlan_devices.rows:
        if (row.netns, row.lower) == (bridge.id.netns, bridge.id.name):
            devices[row.vid] = bridge.id._replace(name=row.name)
    upper = tuple(devices.values())
    return MappingProxyType(
        {
            vid: HostState(
                _addresses(snapshot, (id_,) if vid else upper), _neighbours(snapshot, id_)
            )
            for vid, id_ in devices.items()
        }
    )


def hosts_listed(snapshot: Snapshot, bridge: DevId) -> bool:
    """Whether all neighbours on the bridge device were listed."""
    return snapshot.neighbours.complete(bridge.netns, bridge.name)


def _addresses(snapshot: Snapshot, devices: tuple[DevId, ...]) -> Mapping[Ip, tuple[Ref, ...]]:
    """Those of the device, and of the devices on top of it (``br_is_local_ip``)."""
    names = {(id_.netns, id_.name) for id_ in devices}
    return MappingProxyType(
        {
            ip_address(row.address): (Ref(snapshot.host, row.cite),)
            for row in snapshot.addresses.rows
            if (row.netns, row.dev) in names
        }
    )


def _neighbours(snapshot: Snapshot, device: DevId) -> Mapping[Ip, NeighbourEntry]:
    return MappingProxyType(
        {
            ip_address(row.address): NeighbourEntry(
                row.mac, row.router, (Ref(snapshot.host, row.cite),)
            )
            for row in snapshot.neighbours.rows
            if (row.netns, row.dev) == (device.netns, device.name)
            and row.mac is not None
            and row.state in VALID
            and not row.proxy
        }
    )
