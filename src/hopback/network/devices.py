"""Merges the link rows of all hosts into devices, and joins the two ends of veth pairs."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from hopback.network.facts import DevId, Fact, Told, latest
from hopback.network.model import Device
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Link


def devices_of(snapshots: Iterable[Snapshot]) -> dict[DevId, Device]:
    """Every device that some link row shows, by its id."""
    told: dict[DevId, list[Told[Link]]] = defaultdict(list)
    for snapshot in snapshots:
        for row in snapshot.links.rows:
            told[DevId(snapshot.host, row.netns, row.name)].append(Told(snapshot.host, row))
    ends = _ends_by_index(told)
    peers = dict(_peers(told, ends))
    return {id_: _device(id_, rows, peers.get(id_)) for id_, rows in told.items()}


def _device(id_: DevId, rows: Sequence[Told[Link]], peer: Fact[DevId] | None) -> Device:
    return Device(
        id=id_,
        kind=latest(rows, lambda r: r.kind),
        mac=latest(rows, lambda r: r.mac),
        up=latest(rows, lambda r: r.up),
        carrier=latest(rows, lambda r: r.carrier),
        mtu=latest(rows, lambda r: r.mtu),
        promisc=latest(rows, lambda r: r.promisc),
        master=latest(rows, lambda r: r.master),
        peer=peer,
        refs=tuple(t.ref for t in rows),
    )


_Ends = Mapping[tuple[str, str, int], DevId]


def _ends_by_index(told: Mapping[DevId, Sequence[Told[Link]]]) -> _Ends:
    return {
        (id_.host, id_.netns, t.row.index): id_
        for id_, rows in told.items()
        for t in rows
        if t.row.index is not None
    }


def _peers(
    told: Mapping[DevId, Sequence[Told[Link]]], ends: _Ends
) -> Iterator[tuple[DevId, Fact[DevId]]]:
    """The peer of each veth, when the row names it or its index and namespace are known.

    A pair typed at a prompt names the peer on one end only, so each pair is told both ways.
    """
    for id_, rows in told.items():
        for t in rows:
            peer = _peer(id_, t.row, ends)
            if peer is not None and peer in told:
                yield peer, Fact(id_, (t.ref,))
    for id_, rows in told.items():
        for t in rows:
            peer = _peer(id_, t.row, ends)
            if peer is not None:
                yield id_, Fact(peer, (t.ref,))


def _peer(id_: DevId, row: Link, ends: _Ends) -> DevId | None:
    if row.kind != "veth":
        return None
    netns = id_.netns if row.peer_netns is None else row.peer_netns
    elsewhere = row.lower_netnsid is not None and row.peer_netns is None
    if elsewhere:
        return None
    if row.lower:
        return DevId(id_.host, netns, row.lower)
    if row.lower_index is not None:
        return ends.get((id_.host, netns, row.lower_index))
    return None
