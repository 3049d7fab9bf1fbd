"""The roles of VRRP as worlds: who is master, and so has the virtual address, is not in a table.

keepalived puts the address on the device while it is master and takes it off when it no longer is
(RFC 9568 6.4). A synchronisation thread that it runs changes with the role (``lvs_sync_daemon``).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from msgspec.structs import replace

from hopback.network.facts import DevId, Ref
from hopback.network.identifiers import canonical
from hopback.network.model import Network
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Add, Edit, Remove, Replace, patch
from hopback.snapshot.rows import Address

MAX_SEATS = 4
"""Up to there every combination is tried: 2 ^ 4."""


class Seat(NamedTuple):
    """An instance of VRRP on a device: whoever has the seat as master has its addresses there.

    ``held`` are the rows of those that it has now.
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
    """The instances whose host tells all its addresses, and on which device they would be."""
    found: dict[tuple[DevId, str], Seat] = {}
    for host, snapshot in network.snapshots.items():
        for row in snapshot.vrrp_instances.rows:
            if row.addresses and snapshot.addresses.complete(row.netns):
                dev = DevId(host, row.netns, row.dev)
                addresses = tuple(canonical(a.partition("/")[0]) for a in row.addresses)
                held = tuple(_held(snapshot, dev, addresses))
                found[dev, row.name] = Seat(dev, row.name, addresses, held, Ref(host, row.cite))
    return tuple(found.values())


def _held(snapshot: Snapshot, dev: DevId, addresses: Sequence[str]) -> Iterator[Address]:
    for row in snapshot.addresses.rows:
        if (row.netns, row.dev) == dev[1:] and canonical(row.address) in addresses:
            yield row


def role_worlds(network: Network) -> Iterator[Roles]:
    """Every combination but the recorded one; none where there are more seats than MAX_SEATS."""
    seats = seats_of(network)
    if not seats or len(seats) > MAX_SEATS:
        return
    recorded = tuple(seat.master for seat in seats)
    for roles in product((True, False), repeat=len(seats)):
        if roles != recorded:
            yield _with(network.snapshots, seats, roles)


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
    if not master:
        yield from (Remove(row) for row in dict.fromkeys(seat.held))
        return
    for address in seat.addresses:
        length = 128 if ":" in address else 32
        yield Add(
            Address(
                cite=seat.ref.cite,
                netns=seat.dev.netns,
                dev=seat.dev.name,
                address=address,
                prefix_len=length,
            )
        )
