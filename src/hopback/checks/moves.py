"""Addresses that were learned on two ports in turn, whoever told of it.

One change of place is no move in turn: the address has to come back.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from hopback.checks.case import Case
from hopback.checks.words import joined
from hopback.frames.mac import Mac, format_mac
from hopback.network.facts import DevId, Ref
from hopback.network.lookups import looked_up
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import MacFlap

EVPN_MOVES = 5
"""FRR's own threshold for calling a MAC a duplicate (RFC 7432 §15.1: N = 5 moves)."""


class Move(NamedTuple):
    """``bridge`` has no name where an EVPN table or a switch that we do not see tells of it."""

    bridge: DevId
    mac: Mac
    ports: tuple[str, ...]
    refs: tuple[Ref, ...]
    summary: str
    told_by: Literal["bridge", "evpn", "switch"]


class _Place(NamedTuple):
    port: str
    ref: Ref


def moves(case: Case) -> Iterator[Move]:
    """One for each bridge and address that went there and back."""
    for snapshot in case.network.snapshots.values():
        told: set[tuple[DevId, Mac]] = set()
        for watched in (_notified(case, snapshot), _looked(case, snapshot)):
            for (bridge, mac, _), places in watched.items():
                turns = _turns(places)
                if len(turns) >= 3 and (bridge, mac) not in told:
                    told.add((bridge, mac))
                    yield _move(bridge, mac, turns[:3])
        yield from _mobile(snapshot)
        yield from _flapping(snapshot)


def _move(bridge: DevId, mac: Mac, turns: Sequence[_Place]) -> Move:
    ports = tuple(dict.fromkeys(t.port for t in turns))
    what = f"{bridge.name} learns {format_mac(mac)}"
    summary = f"{what} on {joined(ports)} in turn and does not settle."
    return Move(bridge, mac, ports, tuple(t.ref for t in turns), summary, "bridge")


_Watched = dict[tuple[DevId, Mac, int], list[_Place]]
"""By bridge, address and VLAN, as the table is."""


def _notified(case: Case, snapshot: Snapshot) -> _Watched:
    found: _Watched = defaultdict(list)
    for event in snapshot.fdb_events.rows:
        if event.deleted or event.local:
            continue
        port = DevId(snapshot.host, event.netns, event.dev)
        bridge = case.network.bridge_of(port)
        name = event.bridge or (bridge.id.name if bridge else None)
        if name and name != event.dev:
            key = (port._replace(name=name), event.mac, event.vlan)
            found[key].append(_Place(event.dev, Ref(snapshot.host, event.cite)))
    return found


def _looked(case: Case, snapshot: Snapshot) -> _Watched:
    found: _Watched = defaultdict(list)
    for view in case.network.bridges.values():
        if view.id.host != snapshot.host or len(view.listings) < 3:
            continue
        for entry in (e for listing in view.listings for e in looked_up(view, listing)):
            if entry.port is not None and not entry.row.local:
                key = (view.id, entry.row.mac, entry.row.vlan)
                found[key].append(_Place(entry.port.name, entry.ref))
    return found


def _turns(places: Sequence[_Place]) -> list[_Place]:
    """The first sight of the MAC at each place it went to, one after another."""
    turns: list[_Place] = []
    for place in places:
        if not turns or turns[-1].port != place.port:
            turns.append(place)
    return turns


def _mobile(snapshot: Snapshot) -> Iterator[Move]:
    """MACs that other endpoints of an EVPN claim again and again."""
    for row in snapshot.evpn_macs.rows:
        if min(row.local_sequence, row.remote_sequence) >= EVPN_MOVES:
            summary = (
                f"{format_mac(row.mac)} was claimed by {row.where} and by other endpoints in turn:"
                f" mobility sequence {row.local_sequence}/{row.remote_sequence}."
            )
            nowhere = DevId(snapshot.host, row.netns, "")
            ref = Ref(snapshot.host, row.cite)
            yield Move(nowhere, row.mac, (row.where,), (ref,), summary, "evpn")


def _flapping(snapshot: Snapshot) -> Iterator[Move]:
    """MACs of which a switch says that they go to and fro."""
    told: dict[tuple[Mac, int], list[MacFlap]] = defaultdict(list)
    for row in snapshot.mac_flaps.rows:
        told[row.mac, row.vlan].append(row)
    for (mac, _), rows in told.items():
        first = next((r for r in rows if r.flapping), None)
        back = next((r for r in rows[1:] if r.after == rows[0].before), None)
        shown = (first,) if first else (rows[0], back) if back else ()
        if shown:
            ports = (shown[0].before, shown[0].after)
            summary = f"A switch sees {format_mac(mac)} on {joined(ports)} in turn."
            refs = tuple(Ref(snapshot.host, r.cite) for r in shown)
            nowhere = DevId(snapshot.host, shown[0].netns, "")
            yield Move(nowhere, mac, ports, refs, summary, "switch")
