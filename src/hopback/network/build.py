"""Builds the network out of snapshots, stage by stage."""

from collections import defaultdict
from collections.abc import Sequence
from types import MappingProxyType

from msgspec.structs import replace

from hopback.network.conflicts import conflicts_of
from hopback.network.devices import devices_of
from hopback.network.facts import DevId, Ref
from hopback.network.identifiers import canonical
from hopback.network.members import Members, members_of
from hopback.network.model import (
    BondView,
    BridgeView,
    Device,
    Entry,
    Listing,
    Network,
    Port,
    PortNumber,
)
from hopback.network.numbers import Numbers, numbers_of
from hopback.network.roles import role_of
from hopback.network.stations import stations_of
from hopback.network.tables import listings_of, rows_by_bridge
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Bond, BondLeg


def build(snapshots: Sequence[Snapshot]) -> Network:
    """Resolve the tables of all hosts into one network. Hosts are told apart by their labels."""
    devices = devices_of(snapshots)
    members = members_of(snapshots, devices)
    bridges: dict[DevId, BridgeView] = {}
    for snapshot in snapshots:
        rows = rows_by_bridge(snapshot, members, devices)
        for id_ in dict.fromkeys((*members, *rows)):
            if id_.host != snapshot.host:
                continue
            member = members.get(id_) or _unlisted(id_)
            entries = rows.get(id_, [])
            numbers = numbers_of(
                snapshot, member, devices, (e for e in entries if e.port is not None)
            )
            listings = listings_of(snapshot, id_, entries, numbers)
            bridges[id_] = _view(member, numbers, listings, devices.get(id_))
    return Network(
        snapshots=MappingProxyType({s.host: s for s in snapshots}),
        devices=MappingProxyType(devices),
        bridges=MappingProxyType(bridges),
        stations=stations_of(snapshots, bridges, devices),
        bonds=MappingProxyType(_bonds(snapshots)),
        owners=MappingProxyType(_owners(snapshots)),
        problems=tuple(p for s in snapshots for p in conflicts_of(s)),
    )


def _owners(snapshots: Sequence[Snapshot]) -> dict[str, tuple[tuple[DevId, Ref], ...]]:
    found: dict[str, list[tuple[DevId, Ref]]] = defaultdict(list)
    for snapshot in snapshots:
        for row in snapshot.addresses.rows:
            dev = DevId(snapshot.host, row.netns, row.dev)
            found[canonical(row.address)].append((dev, Ref(snapshot.host, row.cite)))
    return {address: tuple(devices) for address, devices in found.items()}


def _unlisted(id_: DevId) -> Members:
    """A bridge that only its forwarding table shows."""
    return Members(id_, MappingProxyType({}), False, MappingProxyType({}), ())


def _view(
    member: Members, numbers: Numbers, listings: tuple[Listing, ...], device: Device | None
) -> BridgeView:
    ports = {id_: replace(p, number=numbers.get(id_)) for id_, p in member.ports.items()}
    for listing in listings:
        for entry in listing.entries:
            if entry.port is not None and entry.port not in ports:
                ports[entry.port] = _unlisted_port(entry)
    order = sorted(ports.values(), key=lambda p: p.number.value if p.number else 0)
    return BridgeView(
        id=member.bridge,
        ports=MappingProxyType({p.id: p for p in order}),
        listings=listings,
        ports_complete=member.complete,
        mac=device.mac if device else None,
        settings=member.settings,
        refs=member.refs,
    )


def _unlisted_port(entry: Entry) -> Port:
    """A port that only forwarding entries show: by its device's name, or by no more than number."""
    assert entry.port is not None  # noqa: S101  (the caller looked)
    if entry.row.port is None:
        return Port(id=entry.port, role=role_of(entry.port.name, None), refs=(entry.ref,))
    number = PortNumber(entry.row.port, "certain", "the table calls it so", ())
    return Port(id=entry.port, role="unknown", named=False, number=number, refs=(entry.ref,))


def _bonds(snapshots: Sequence[Snapshot]) -> dict[DevId, BondView]:
    rows: dict[DevId, list[tuple[Ref, Bond]]] = defaultdict(list)
    legs: dict[DevId, dict[str, list[tuple[Ref, BondLeg]]]] = defaultdict(lambda: defaultdict(list))
    for snapshot in snapshots:
        for bond in snapshot.bonds.rows:
            id_ = DevId(snapshot.host, bond.netns, bond.name)
            rows[id_].append((Ref(snapshot.host, bond.cite), bond))
        for leg in snapshot.bond_legs.rows:
            if leg.bond:
                id_ = DevId(snapshot.host, leg.netns, leg.bond)
                legs[id_][leg.name].append((Ref(snapshot.host, leg.cite), leg))
    return {
        id_: BondView(
            id_,
            tuple(rows.get(id_, ())),
            MappingProxyType({name: tuple(told) for name, told in legs.get(id_, {}).items()}),
        )
        for id_ in dict.fromkeys((*rows, *legs))
    }
