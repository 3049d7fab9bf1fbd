"""Who lives behind which port.

A station is known where its MAC and its own port are told by something other than the forwarding
table's word for it: the definition of the guest's interface, the tap's address (the guest's
with first byte FE), or the other end of a veth pair in another namespace.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from hopback.frames.mac import Mac, format_mac, is_group, tap_twin
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.network.model import BridgeView, Device, Station
from hopback.snapshot.model import Snapshot

_BUT_FIRST_BYTE = 0xFF_FFFF_FFFF


def stations_of(
    snapshots: Iterable[Snapshot],
    bridges: Mapping[DevId, BridgeView],
    devices: Mapping[DevId, Device],
) -> tuple[Station, ...]:
    """Every station, once for each bridge port it lives behind."""
    of_port = {port: bridge for bridge in bridges.values() for port in bridge.ports}
    merged: dict[tuple[Mac, DevId], Station] = {}
    for snapshot in snapshots:
        mine = [b for b in bridges.values() if b.id.host == snapshot.host]
        for station in (
            *_defined(snapshot, of_port),
            *_peers(mine, devices),
            *_twins(mine, devices),
        ):
            key = (station.mac, station.port)
            merged[key] = _merge(merged[key], station) if key in merged else station
    return tuple(merged.values())


def _merge(one: Station, other: Station) -> Station:
    return Station(
        mac=one.mac,
        port=one.port,
        bridge=one.bridge,
        name=one.name,
        how=tuple(dict.fromkeys(one.how + other.how)),
        refs=merge_refs(one.refs, other.refs),
        device=one.device or other.device,
    )


def _defined(snapshot: Snapshot, of_port: Mapping[DevId, BridgeView]) -> Iterator[Station]:
    """Interfaces that a guest's definition shows, their tap being a bridge port."""
    for nic in snapshot.guest_nics.rows:
        port = DevId(snapshot.host, nic.netns, nic.target or "")
        bridge = of_port.get(port)
        if nic.mac is not None and bridge is not None:
            yield Station(
                mac=nic.mac,
                port=port,
                bridge=bridge.id,
                name=nic.guest or format_mac(nic.mac),
                how=("the guest's definition puts it there",),
                refs=(Ref(snapshot.host, nic.cite), *bridge.ports[port].refs),
            )


def _peers(bridges: Iterable[BridgeView], devices: Mapping[DevId, Device]) -> Iterator[Station]:
    """The far ends of veth ports that lie in another namespace and are nobody's port."""
    for bridge in bridges:
        for id_, port in bridge.ports.items():
            device = devices.get(id_)
            peer = devices.get(device.peer.value) if device and device.peer else None
            if peer is None or device is None or device.peer is None or peer.mac is None:
                continue
            enslaved = peer.master is not None and peer.master.value != ""
            if peer.id.netns != id_.netns and not enslaved:
                yield Station(
                    mac=peer.mac.value,
                    port=id_,
                    bridge=bridge.id,
                    name=f"{peer.id.name} in {peer.id.netns or 'the first namespace'}",
                    how=("it is the other end of the port's veth pair",),
                    refs=merge_refs(device.peer.refs, peer.mac.refs, port.refs),
                    device=peer.id,
                )


def _twins(bridges: Iterable[BridgeView], devices: Mapping[DevId, Device]) -> Iterator[Station]:
    """Learned MACs whose FE twin is a port's own address, in the table or on the device."""
    for bridge in bridges:
        owners = dict(_twin_owners(bridge, devices))
        for mac in _learned_like(bridge, owners):
            owner = owners.get(tap_twin(mac))
            if owner is None or is_group(mac):
                continue
            yield Station(
                mac=mac,
                port=owner[0],
                bridge=bridge.id,
                name=format_mac(mac),
                how=(f"its tap's address {format_mac(tap_twin(mac))} is on that port",),
                refs=owner[1],
            )


def _learned_like(bridge: BridgeView, owners: Collection[Mac]) -> dict[Mac, None]:
    """The learned MACs that share all but the first byte with one of ``owners``.

    A table may have a million entries, so they are sieved before anything is made of them.
    """
    shared = {owner & _BUT_FIRST_BYTE for owner in owners}
    return dict.fromkeys(
        entry.row.mac
        for listing in bridge.listings
        for entry in listing.entries
        if entry.row.mac & _BUT_FIRST_BYTE in shared and not entry.row.local
    )


def _twin_owners(
    bridge: BridgeView, devices: Mapping[DevId, Device]
) -> Iterator[tuple[Mac, tuple[DevId, tuple[Ref, ...]]]]:
    for id_ in bridge.ports:
        device = devices.get(id_)
        if device and device.mac and device.mac.value >> 40 in (0xFE, 0xFA):
            yield device.mac.value, (id_, device.mac.refs)
    shown: dict[Mac, tuple[DevId, tuple[Ref, ...]]] = {}
    for entry in (e for listing in bridge.listings for e in listing.entries):
        if entry.row.local and entry.port and entry.row.mac >> 40 in (0xFE, 0xFA):
            shown[entry.row.mac] = (entry.port, (entry.ref,))
    yield from shown.items()
