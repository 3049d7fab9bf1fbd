"""Whether a ring of directors did forward packets round: connection tables, counters, captures."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from hopback.checks.handovers import Handover
from hopback.checks.words import named
from hopback.network.directing import key_of
from hopback.network.facts import Ref
from hopback.network.identifiers import canonical
from hopback.network.model import Network
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import IpvsConnection, Sighting

Kind = Literal["connection", "counters", "capture", "time-exceeded", "softirq"]

_MANY = 8
"""Packets for each connection: more than a question and its repetitions."""
_SEEN_AGAIN = 4
"""Times that a capture shows one packet: a request passes a director's port twice at most."""
_BUSY_PERCENT = 50.0
_EXPIRED = ("IcmpOutTimeExcds", "Icmp6OutTimeExcds")


class Sign(NamedTuple):
    """One thing that was seen, in words, and the rows that show it."""

    kind: Kind
    text: str
    refs: tuple[Ref, ...]


def signs(network: Network, ring: Sequence[Handover]) -> tuple[Sign, ...]:
    """All that tells of packets going round in the ring, the strongest first."""
    return (
        *_captured(network, ring),
        *_connected(network, ring),
        *_counted(network, ring),
        *_strained(network, ring),
    )


def capture(network: Network, handover: Handover) -> Sign | None:
    """A capture of the director's own that shows a packet for its service going round."""
    return next(_captured(network, (handover,)), None)


def happened(found: Iterable[Sign]) -> bool:
    """Whether they show that it went round, and not only what else could come from it."""
    return any(sign.kind in ("capture", "connection", "counters") for sign in found)


def _connected(network: Network, ring: Sequence[Handover]) -> Iterator[Sign]:
    """One client's connection in every table of the ring, each with the next director as server."""
    tables = [_clients(network.snapshots[h.service.where.host], h) for h in ring]
    for client, row in tables[0].items():
        rows = [row, *(table[client] for table in tables[1:] if client in table)]
        if len(rows) == len(ring):
            refs = tuple(Ref(h.service.where.host, r.cite) for h, r in zip(ring, rows, strict=True))
            text = (
                f"the connection of {client[1]}:{client[2]} is in the table of each, with the next"
                " one as its server"
            )
            yield Sign("connection", text, refs)
            return


_Client = tuple[str, str, int]


def _clients(snapshot: Snapshot, handover: Handover) -> dict[_Client, IpvsConnection]:
    service, server = handover.service, handover.server
    return {
        (row.protocol, row.client, row.client_port): row
        for row in snapshot.ipvs_connections.rows
        if row.netns == service.where.netns
        and row.client_port
        and canonical(row.server) == server.address
        and (service.row.protocol == "fwmark" or canonical(row.virtual) == service.key[2])
    }


def _counted(network: Network, ring: Sequence[Handover]) -> Iterator[Sign]:
    """Each has counted many packets to the next, over few connections."""
    refs: list[Ref] = []
    numbers: list[str] = []
    for handover in ring:
        host = handover.service.where.host
        rows = [
            row
            for row in network.snapshots[host].ipvs_counts.rows
            if canonical(row.server) == handover.server.address
            and key_of(row) == handover.service.key
            and row.netns == handover.service.where.netns
        ]
        if not rows or rows[-1].packets_in < _MANY * max(rows[-1].connections, 1):
            return
        refs.append(Ref(host, rows[-1].cite))
        numbers.append(f"{named(host)} {rows[-1].packets_in} packets in {rows[-1].connections}")
    yield Sign(
        "counters", f"counted towards each other: {'; '.join(numbers)} connections", tuple(refs)
    )


def _captured(network: Network, ring: Sequence[Handover]) -> Iterator[Sign]:
    """One packet for the service again and again in one capture, from more than one MAC."""
    first = ring[0].service
    wanted = first.key[2]
    for handover in ring:
        host = handover.service.where.host
        seen: dict[tuple[str | None, str], list[Sighting]] = defaultdict(list)
        for row in network.snapshots[host].sightings.rows:
            if row.key and row.target and (not wanted or canonical(row.target) == wanted):
                seen[row.dev, row.key].append(row)
        rows = next((r for r in seen.values() if _goes_round(r)), None)
        if rows is not None:
            ttls = [row.ttl for row in rows if row.ttl is not None]
            falling = f", its TTL from {max(ttls)} down to {min(ttls)}" if ttls else ""
            text = f"a capture shows one packet again and again{falling}"
            yield Sign("capture", text, tuple(Ref(host, row.cite) for row in (rows[0], rows[-1])))
            return


def _goes_round(rows: Sequence[Sighting]) -> bool:
    macs = {row.source_mac for row in rows}
    return len(rows) >= _SEEN_AGAIN and len(macs) > 1


def _strained(network: Network, ring: Sequence[Handover]) -> Iterator[Sign]:
    """What a loop leaves in its hosts, and other things can too."""
    for host in dict.fromkeys(h.service.where.host for h in ring):
        snapshot = network.snapshots[host]
        for counter in snapshot.counters.rows:
            if counter.name in _EXPIRED and counter.value > 0:
                text = f"{named(host)}: TTLs ran out ({counter.name} {counter.value})"
                yield Sign("time-exceeded", text, (Ref(host, counter.cite),))
        for share in snapshot.cpu_shares.rows:
            if "soft" in share.kind and share.percent >= _BUSY_PERCENT:
                where = f"processor {share.cpu} of {named(host)}"
                text = f"{share.percent:g} % of {where} is softirq"
                yield Sign("softirq", text, (Ref(host, share.cite),))
