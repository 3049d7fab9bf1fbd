"""The roles of VRRP as worlds: who is master, and so has the virtual address, is not in a table.

keepalived puts the address on the device while it is master and takes it off when it no longer is
(RFC 9568 6.4). A synchronisation thread that it runs changes with the role (``lvs_sync_daemon``).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import product
from typing import NamedTuple

from msgspec.structs import replace

from hopback.network.facts import DevId, Ref
from hopback.network.identifiers import canonical
from hopback.network.model import Network
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Add, Edit, Remove, Replace, patch
from hopback.snapshot.rows import Address, IpvsService, NextHop, Route
from hopback.snapshot.table import Cite

MAX_SEATS = 4
"""Up to there every combination is tried: 2 ^ 4."""

MAX_TURNED = 16
"""Past that, so many single changes."""


class Seat(NamedTuple):
    """An instance of VRRP on a device: whoever has the seat as master has its addresses there.

    ``held`` are the rows of those that it has now, be it on another device to which clients come:
    the configuration may name one for each address, which no row tells.
    """

    dev: DevId
    name: str
    addresses: tuple[str, ...]
    held: tuple[Address, ...]
    ref: Ref

    @property
    def master(self) -> bool:
        """Whether it had the addresses when the tables were read."""
        return bool(self.held)


class Roles(NamedTuple):
    """A combination of roles: who is master in it, and the snapshots as they would then be."""

    masters: tuple[Seat, ...]
    snapshots: tuple[Snapshot, ...]

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that are master of something."""
        return tuple(dict.fromkeys(seat.dev.host for seat in self.masters))


def seats_of(network: Network) -> tuple[Seat, ...]:
    """The seats that VRRP gives on hosts whose addresses were all listed.

    Told by instances of VRRP; and where none has a virtual address, by who of its directors has it
    on a device, and who has it nowhere: that one would have it in the same place.
    """
    found: dict[tuple[DevId, str], Seat] = {}
    for host, snapshot in network.snapshots.items():
        for row in snapshot.vrrp_instances.rows:
            if row.addresses and snapshot.addresses.complete(row.netns):
                dev = DevId(host, row.netns, row.dev)
                addresses = tuple(canonical(a.partition("/")[0]) for a in row.addresses)
                found[dev, row.name] = _seat(snapshot, dev, row.name, addresses, row.cite)
    told = {address for seat in found.values() for address in seat.addresses}
    return (*found.values(), *_inferred(network, told))


def _seat(
    snapshot: Snapshot, dev: DevId, name: str, addresses: tuple[str, ...], cite: Cite
) -> Seat:
    held = (
        row
        for row in snapshot.addresses.rows
        if row.netns == dev.netns
        and (row.dev == dev.name or is_wire(row.dev))
        and canonical(row.address) in addresses
    )
    return Seat(dev, name, addresses, tuple(held), Ref(snapshot.host, cite))


def _inferred(network: Network, told: Set[str]) -> Iterator[Seat]:
    """Seats of directors of one address, of whom one has it on a device that is no loopback."""
    directors: dict[str, dict[tuple[str, str], IpvsService]] = defaultdict(dict)
    for host, snapshot in network.snapshots.items():
        for row in snapshot.ipvs_services.rows:
            if row.address and snapshot.addresses.complete(row.netns):
                directors[canonical(row.address)].setdefault((host, row.netns), row)
    for address, services in directors.items():
        if address in told or len(services) < 2:
            continue
        having = {place: _devices(network, place, address) for place in services}
        name = next((d for here in having.values() for d in here if is_wire(d)), None)
        for (host, netns), here in having.items():
            dev = next((d for d in here if is_wire(d)), None) if here else name
            if dev is not None and DevId(host, netns, dev) in network.devices:
                row = services[host, netns]
                at = DevId(host, netns, dev)
                yield _seat(network.snapshots[host], at, address, (address,), row.cite)


def _devices(network: Network, place: tuple[str, str], address: str) -> list[str]:
    """The devices of a namespace that have an address."""
    return [dev.name for dev, _ in network.owners.get(address, ()) if dev[:2] == place]


def is_wire(dev: str) -> bool:
    """Whether clients may come by a device of that name: no loopback, dummy or tunnel."""
    return not dev.startswith(("lo", "dummy", "tunl", "kube-"))


def role_worlds(network: Network) -> Iterator[Roles]:
    """Every combination but the recorded one.

    Of more seats than MAX_SEATS: all master, and each of them alone otherwise than recorded.
    """
    seats = seats_of(network)
    recorded = tuple(seat.master for seat in seats)
    for roles in dict.fromkeys(_combinations(recorded)):
        if roles != recorded:
            yield _with(network.snapshots, seats, roles)


def _combinations(recorded: tuple[bool, ...]) -> Iterator[tuple[bool, ...]]:
    if len(recorded) <= MAX_SEATS:
        yield from product((True, False), repeat=len(recorded))
        return
    yield (True,) * len(recorded)
    for turned in range(min(len(recorded), MAX_TURNED)):
        yield tuple(master != (n == turned) for n, master in enumerate(recorded))


def _with(snapshots: Mapping[str, Snapshot], seats: Sequence[Seat], roles: Sequence[bool]) -> Roles:
    masters = tuple(seat for seat, master in zip(seats, roles, strict=True) if master)
    edits: dict[str, list[Edit]] = defaultdict(list)
    for seat, master in zip(seats, roles, strict=True):
        if master != seat.master:
            edits[seat.dev.host] += _turned(snapshots[seat.dev.host], seat, master=master)
    moved = {
        a for seat, m in zip(seats, roles, strict=True) if m != seat.master for a in seat.addresses
    }
    changed = []
    for host, snapshot in snapshots.items():
        stale = [n for n in snapshot.neighbours.rows if canonical(n.address) in moved]
        changed.append(patch(snapshot, (*edits[host], *map(Remove, dict.fromkeys(stale)))))
    return Roles(masters, tuple(changed))


def _turned(snapshot: Snapshot, seat: Seat, *, master: bool) -> Iterator[Edit]:
    """What becomes of the host's rows when it changes its role."""
    for row in snapshot.ipvs_daemons.rows:
        state = "master" if master else "backup"
        if row.netns == seat.dev.netns and row.state != state:
            yield Replace(row, replace(row, state=state))
    routes = [r for r in snapshot.routes.rows if (r.netns, r.table) == (seat.dev.netns, "local")]
    if not master:
        yield from (Remove(row) for row in dict.fromkeys(seat.held))
        yield from (
            Remove(row) for row in dict.fromkeys(routes) if row.destination in seat.addresses
        )
        return
    for address in seat.addresses:
        yield Add(_address(seat, address))
        if routes:
            yield Add(_local_route(seat, address))


def _address(seat: Seat, address: str) -> Address:
    return Address(
        cite=seat.ref.cite,
        netns=seat.dev.netns,
        dev=seat.dev.name,
        address=address,
        prefix_len=128 if ":" in address else 32,
    )


def _local_route(seat: Seat, address: str) -> Route:
    """What the kernel enters with an address (fib_frontend.c:fib_add_ifaddr)."""
    return Route(
        cite=seat.ref.cite,
        netns=seat.dev.netns,
        destination=address,
        family=6 if ":" in address else 4,
        kind="local",
        hops=(NextHop(seat.dev.name),),
        table="local",
        protocol="kernel",
        source=address,
    )
