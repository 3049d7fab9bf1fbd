"""Own frames that a capture shows twice: sent, and at once there again.

A packet socket sees a frame when it leaves and when one comes in. The same packet twice within
milliseconds, when it is the host's own and foreign packets come once, has come back; a capture that
doubles foreign packets too is doubled itself (a second socket, a mirror port).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hopback.network.facts import Ref
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Sighting

WINDOW = 5_000_000
"""ns. Longer than any switch holds a frame, shorter than any retransmission."""


class Echo(NamedTuple):
    """The first packet that was seen to come back on ``dev``, and how it was told."""

    host: str
    netns: str
    dev: str
    refs: tuple[Ref, ...]
    directed: bool
    """The capture itself says that the second copy came in."""


def echoes(snapshot: Snapshot) -> Iterator[Echo]:
    """One for each device on which the host's own packets, and no others, are there twice."""
    own = {a.address for a in snapshot.addresses.rows}
    macs = {link.mac for link in snapshot.links.rows if link.mac is not None}
    by_device: dict[tuple[str, str], list[Sighting]] = defaultdict(list)
    for row in snapshot.sightings.rows:
        if row.dev and row.dev != "any" and row.key and row.at is not None:
            by_device[row.netns, row.dev].append(row)
    for (netns, dev), rows in by_device.items():
        pairs = list(_pairs(rows))
        mine = [p for p in pairs if p[0].source in own or p[0].source_mac in macs]
        if mine and len(mine) == len(pairs):
            first, second = mine[0]
            refs = tuple(Ref(snapshot.host, row.cite) for row in (first, second))
            refs += _own_refs(snapshot, first)
            yield Echo(snapshot.host, netns, dev, refs, second.direction == "in")


def _pairs(rows: Sequence[Sighting]) -> Iterator[tuple[Sighting, Sighting]]:
    last: dict[str, Sighting] = {}
    for row in rows:
        before = last.get(row.key)
        if before is not None and 0 <= (row.at or 0) - (before.at or 0) <= WINDOW:
            yield before, row
        last[row.key] = row


def _own_refs(snapshot: Snapshot, row: Sighting) -> tuple[Ref, ...]:
    """The row that says that the packet's source is the host's own."""
    for address in snapshot.addresses.rows:
        if address.address == row.source:
            return (Ref(snapshot.host, address.cite),)
    for link in snapshot.links.rows:
        if link.mac is not None and link.mac == row.source_mac:
            return (Ref(snapshot.host, link.cite),)
    return ()
