"""mac-move: one MAC is learned on two ports in turn.

Told by the kernel's notifications (``bridge monitor fdb``: RTM_NEWNEIGH on every move), by listings
of one table taken after another, by a switch's log, or by the mobility sequence numbers of an EVPN
table (RFC 7432 §7.7). One change of place is no move in turn: the MAC has to come back.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.checks.looked_up import looked_up
from hopback.checks.shared_macs import is_virtual_router
from hopback.findings import Finding
from hopback.frames.mac import Mac, format_mac
from hopback.network.facts import DevId, Ref
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import EvpnMac, MacFlap

NAME = "mac-move"

EVPN_MOVES = 5
"""FRR's own threshold for calling a MAC a duplicate (RFC 7432 §15.1: N = 5 moves)."""


class Place(NamedTuple):
    """Where a MAC was, and the row that says so."""

    port: str
    ref: Ref


def check(case: Case) -> Iterator[Finding]:
    """One finding for each bridge and MAC that went there and back."""
    for snapshot in case.network.snapshots.values():
        told: set[tuple[DevId, Mac]] = set()
        for watched in (_notified(case, snapshot), _looked(case, snapshot)):
            for (bridge, mac, _), places in watched.items():
                turns = _turns(places)
                if len(turns) >= 3 and (bridge, mac) not in told:
                    told.add((bridge, mac))
                    yield _finding(case, bridge, mac, turns)
        yield from _mobile(case, snapshot)
        yield from _flapping(case, snapshot)


_Watched = dict[tuple[DevId, Mac, int], list[Place]]
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
            found[key].append(Place(event.dev, Ref(snapshot.host, event.cite)))
    return found


def _looked(case: Case, snapshot: Snapshot) -> _Watched:
    found: _Watched = defaultdict(list)
    for view in case.network.bridges.values():
        if view.id.host != snapshot.host or len(view.listings) < 3:
            continue
        for entry in (e for listing in view.listings for e in looked_up(view, listing)):
            if entry.port is not None and not entry.row.local:
                found[view.id, entry.row.mac, entry.row.vlan].append(
                    Place(entry.port.name, entry.ref)
                )
    return found


def _turns(places: Sequence[Place]) -> list[Place]:
    """The first sight of the MAC at each place it went to, one after another."""
    turns: list[Place] = []
    for place in places:
        if not turns or turns[-1].port != place.port:
            turns.append(place)
    return turns


def _finding(case: Case, bridge: DevId, mac: Mac, turns: Sequence[Place]) -> Finding:
    shown = turns[:3]
    ports = list(dict.fromkeys(t.port for t in shown))
    virtual = is_virtual_router(mac)
    what = "the virtual router's address " if virtual else ""
    return Finding(
        check=NAME,
        group="symptom",
        severity="info" if virtual else "warning",
        evidence="reported",
        confidence="certain",
        host=bridge.host,
        subject=format_mac(mac),
        summary=(
            f"{bridge.name} learns {what}{format_mac(mac)} on {_and(ports)} in turn"
            " and does not settle."
        ),
        because=case.evidence("br_fdb_update", (t.ref for t in shown)),
        details={"bridge": bridge.name, "netns": bridge.netns, "ports": ports},
        alternatives=_ALTERNATIVES,
    )


_ALTERNATIVES = (
    "a virtual router's address changing hands (VRRP, keepalived)",
    "a bond or a guest failing over",
    "two machines with one MAC",
)


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _mobile(case: Case, snapshot: Snapshot) -> Iterator[Finding]:
    """MACs that other endpoints of an EVPN claim again and again."""
    for row in snapshot.evpn_macs.rows:
        if min(row.local_sequence, row.remote_sequence) >= EVPN_MOVES:
            summary = (
                f"{format_mac(row.mac)} was claimed by {row.where} and by other endpoints in turn:"
                f" mobility sequence {row.local_sequence}/{row.remote_sequence}."
            )
            refs = (Ref(snapshot.host, row.cite),)
            yield _elsewhere(case, row, [row.where], summary, refs)


def _flapping(case: Case, snapshot: Snapshot) -> Iterator[Finding]:
    """MACs of which a switch says that they go to and fro."""
    told: dict[tuple[Mac, int], list[MacFlap]] = defaultdict(list)
    for row in snapshot.mac_flaps.rows:
        told[row.mac, row.vlan].append(row)
    for (mac, _), rows in told.items():
        first = next((r for r in rows if r.flapping), None)
        back = next((r for r in rows[1:] if r.after == rows[0].before), None)
        shown = (first,) if first else (rows[0], back) if back else ()
        if shown:
            ports = [shown[0].before, shown[0].after]
            summary = f"A switch sees {format_mac(mac)} on {_and(ports)} in turn."
            refs = tuple(Ref(snapshot.host, r.cite) for r in shown)
            yield _elsewhere(case, shown[0], ports, summary, refs)


def _elsewhere(
    case: Case, row: EvpnMac | MacFlap, ports: list[str], summary: str, refs: Sequence[Ref]
) -> Finding:
    """A move that another switch tells of, on none of the bridges we see."""
    return Finding(
        check=NAME,
        group="symptom",
        severity="info" if is_virtual_router(row.mac) else "warning",
        evidence="reported",
        confidence="certain",
        host=refs[0].host,
        subject=format_mac(row.mac),
        summary=summary,
        because=case.evidence("mac-mobility", refs),
        details={"bridge": None, "netns": row.netns, "ports": ports},
        alternatives=_ALTERNATIVES,
    )
