"""The resolved network: devices, bridges with their ports and tables, stations, over all hosts."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from hopback.frames.mac import Mac
from hopback.network.facts import DevId, Fact, Ref
from hopback.network.roles import Role
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Bond, BondLeg, Fdb, PortStateName
from hopback.snapshot.table import Problem

Strength = Literal["certain", "likely"]


class Device(Struct, frozen=True):
    """A network device. ``peer`` is the other end of a veth pair, where we see it."""

    id: DevId
    kind: Fact[str] | None = None
    mac: Fact[Mac] | None = None
    up: Fact[bool] | None = None
    carrier: Fact[bool] | None = None
    mtu: Fact[int] | None = None
    promisc: Fact[bool] | None = None
    master: Fact[str] | None = None
    peer: Fact[DevId] | None = None
    refs: tuple[Ref, ...] = ()


class PortNumber(Struct, frozen=True):
    """A port's number on its bridge, how it is known, and how surely."""

    value: int
    strength: Strength
    how: str
    refs: tuple[Ref, ...]


class Port(Struct, frozen=True):
    """A bridge port. A flag that is None was in no listing.

    ``named`` is False for a port known only by its number (``port 3``).
    """

    id: DevId
    role: Role
    named: bool = True
    number: PortNumber | None = None
    state: Fact[PortStateName] | None = None
    flags: Mapping[str, Fact[bool]] = {}
    group_fwd_mask: Fact[int] | None = None
    mcast_router: Fact[int] | None = None
    backup: Fact[str] | None = None
    refs: tuple[Ref, ...] = ()


class Entry(Struct, frozen=True, gc=False):
    """A forwarding entry, its port resolved. ``port`` is None for the bridge device's own."""

    host: str
    port: DevId | None
    row: Fdb

    @property
    def ref(self) -> Ref:
        """Where the entry was read."""
        return Ref(self.host, self.row.cite)


class Listing(Struct, frozen=True):
    """One look at a bridge's forwarding table; a later look is a later state."""

    source: int
    complete: bool
    entries: tuple[Entry, ...]


class BridgeView(Struct, frozen=True):
    """A bridge. ``ports`` are in the order of their numbers where known, else as listed."""

    id: DevId
    ports: Mapping[DevId, Port]
    listings: tuple[Listing, ...] = ()
    ports_complete: bool = False
    mac: Fact[Mac] | None = None
    settings: Mapping[str, Fact[int]] = {}
    refs: tuple[Ref, ...] = ()

    def port(self, name: str) -> Port | None:
        """The port of that device name."""
        return self.ports.get(DevId(self.id.host, self.id.netns, name))


class Station(Struct, frozen=True):
    """Somebody with a MAC behind a bridge port: a guest's NIC, a namespace's veth.

    ``port`` is its own port, on ``bridge``. ``how`` says how we know that it is there.
    """

    mac: Mac
    port: DevId
    bridge: DevId
    name: str
    how: tuple[str, ...]
    refs: tuple[Ref, ...]
    device: DevId | None = None


class BondView(Struct, frozen=True):
    """A bond and its legs, one row for each listing that told of them."""

    id: DevId
    rows: tuple[tuple[Ref, Bond], ...]
    legs: Mapping[str, tuple[tuple[Ref, BondLeg], ...]]


class Network(Struct, frozen=True):
    """Everything above, and the snapshots it was made from.

    ``owners`` are the devices that each IP address is listed on, by its canonical text.
    """

    snapshots: Mapping[str, Snapshot]
    devices: Mapping[DevId, Device]
    bridges: Mapping[DevId, BridgeView]
    stations: tuple[Station, ...]
    bonds: Mapping[DevId, BondView]
    owners: Mapping[str, tuple[tuple[DevId, Ref], ...]]
    problems: tuple[Problem, ...] = ()

    def bridge_of(self, port: DevId) -> BridgeView | None:
        """The bridge that ``port`` is enslaved to."""
        return next((b for b in self.bridges.values() if port in b.ports), None)

    def release(self, host: str) -> str | None:
        """The kernel's release on ``host``, as told last."""
        rows = self.snapshots[host].kernels.rows
        return rows[-1].release if rows else None

    def ways_out(self, bridge: DevId) -> tuple[Port, ...]:
        """The ports of ``bridge`` that lead neither to a guest nor to a station we know."""
        taken = {s.port for s in self.stations}
        ports = self.bridges[bridge].ports.values()
        return tuple(p for p in ports if p.role != "guest" and p.id not in taken)

    def stations_on(self, bridge: DevId) -> tuple[Station, ...]:
        """The stations whose own port is on ``bridge``."""
        return tuple(s for s in self.stations if s.bridge == bridge)
