"""Turns the forwarding rows of each bridge into listings whose entries name their ports."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from hopback.network.facts import DevId
from hopback.network.members import Members
from hopback.network.model import Device, Entry, Listing, PortNumber
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Fdb


def rows_by_bridge(
    snapshot: Snapshot, members: Mapping[DevId, Members], devices: Mapping[DevId, Device]
) -> dict[DevId, list[Fdb]]:
    """The bridge entries of a host, by bridge; ``self`` entries are a NIC's filter, not a table.

    Old tools do not say whose table it is. Such entries belong to the bridge of their port, or of
    the device whose own address their listing shows as local, or to the namespace's only bridge.
    """
    of_port = {port: bridge for bridge, m in members.items() for port in m.ports}
    owner = _owner(snapshot, of_port, devices)
    mine = [b for b in members if b.host == snapshot.host]
    found: dict[DevId, list[Fdb]] = defaultdict(list)
    ids: dict[tuple[str, str | None, str | None], DevId | None] = {}
    for row in snapshot.fdb.rows:
        if row.on_device:
            continue
        key = (row.netns, row.bridge, None if row.bridge else row.dev or f"#{row.cite.source}")
        if key not in ids:
            id_ = DevId(snapshot.host, row.netns, row.bridge or row.dev or "")
            if not row.bridge:
                only = [b for b in mine if b.netns == row.netns]
                fallback = only[0] if len(only) == 1 else None
                by_port = of_port.get(id_) if row.dev else owner.get(row.cite.source)
                ids[key] = by_port or fallback
            else:
                ids[key] = id_
        bridge = ids[key]
        if bridge is not None:
            found[bridge].append(row)
    return dict(found)


def _owner(
    snapshot: Snapshot, of_port: Mapping[DevId, DevId], devices: Mapping[DevId, Device]
) -> dict[int, DevId]:
    """For each listing without a bridge's name: the bridge whose port addresses it has."""
    by_mac = {
        (device.id.netns, device.mac.value): of_port[id_]
        for id_, device in devices.items()
        if id_ in of_port and device.mac and id_.host == snapshot.host
    }
    found: dict[int, DevId] = {}
    for row in snapshot.fdb.rows:
        if row.local and not row.bridge and not row.on_device:
            bridge = by_mac.get((row.netns, row.mac))
            if bridge is not None:
                found.setdefault(row.cite.source, bridge)
    return found


def listings_of(
    snapshot: Snapshot,
    bridge: DevId,
    rows: Sequence[Fdb],
    numbers: Mapping[DevId, PortNumber],
) -> tuple[Listing, ...]:
    """The looks at ``bridge``'s table, in the order in which they were taken."""
    resolve = _resolver(bridge, numbers)
    by_source: dict[int, list[Entry]] = defaultdict(list)
    for row in rows:
        by_source[row.cite.source].append(Entry(snapshot.host, resolve(row), row))
    extents = {e.source: e.complete for e in snapshot.fdb.extents}
    return tuple(
        Listing(source, extents.get(source, False), tuple(entries))
        for source, entries in by_source.items()
    )


def _resolver(bridge: DevId, numbers: Mapping[DevId, PortNumber]) -> Callable[[Fdb], DevId | None]:
    by_number = {n.value: id_ for id_, n in numbers.items()}
    names: dict[str, DevId | None] = {bridge.name: None}

    def resolve(row: Fdb) -> DevId | None:
        if row.dev is not None:
            if row.dev not in names:
                names[row.dev] = bridge._replace(name=row.dev)
            return names[row.dev]
        if row.port is None:
            return None
        if row.port not in by_number:
            by_number[row.port] = bridge._replace(name=f"port {row.port}")
        return by_number[row.port]

    return resolve
