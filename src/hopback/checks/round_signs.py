"""Text that shows a packet going round between routers: a trace, a ping, a capture.

A router forwards a packet with a TTL less by one (net/ipv4/ip_forward.c:ip_forward). So a trace
that leads back to a router it has passed, a ping whose full TTL runs out, and one packet that
passes the same link again with a lower TTL tell of the same thing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address, ip_network
from itertools import groupby, pairwise
from math import gcd
from typing import Literal, NamedTuple

from hopback.findings import Confidence, Ladder
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import PingSign, Row, Sighting, TraceHop

PATH_MAX = 30
"""Hops. No path is taken to be longer, as traceroute takes it; a TTL above it is a full one."""

_SHARED = "192.0.0.8"  # RFC 7600: the source of a router that has no IPv4 address
_SHOWN = 8  # sightings of one packet that are cited


class Round(NamedTuple):
    """What one text shows. ``ring`` are the routers' addresses in the order in which they were met.

    ``period`` is after how many routers the packet is where it was, ``distances`` at which hops
    the first of the ring was met, ``ttls`` with what the packet was captured.
    """

    kind: Literal["trace", "ping", "capture"]
    netns: str
    target: str
    rows: tuple[Row, ...]
    evidence: Ladder
    confidence: Confidence
    ring: tuple[str, ...] = ()
    period: int | None = None
    distances: tuple[int, ...] = ()
    ttls: tuple[int, ...] = ()
    source: str | None = None
    dev: str | None = None


def rounds(snapshot: Snapshot) -> Iterator[Round]:
    """One for each trace, each target pinged, and each target of captured packets."""
    for hops in traces(snapshot):
        met = _met_again(hops)
        if met is not None:
            yield met
    for row in snapshot.ping_signs.rows:
        if row.kind == "ttl-exceeded" and not is_limited(row):
            yield _pinged(row)
    yield from _captured(snapshot)


def is_limited(row: PingSign) -> bool:
    """Whether ping was told to send with a TTL that runs out on an ordinary path."""
    return row.ttl is not None and 0 < row.ttl <= PATH_MAX


def is_in(target: str | None, prefixes: Iterable[str]) -> bool:
    """Whether what was asked for is an address of one of the prefixes."""
    try:
        address = ip_address(target or "")
    except ValueError:
        return False
    return any(address in ip_network(prefix) for prefix in prefixes)


def traces(snapshot: Snapshot) -> Iterator[tuple[TraceHop, ...]]:
    """The hops of each trace; a listing may hold several, one after the other."""
    rows = snapshot.trace_hops.rows
    for _, listed in groupby(rows, key=lambda row: (row.netns, row.cite.source, row.target)):
        hops: list[TraceHop] = []
        for row in listed:
            if hops and row.distance < hops[-1].distance:
                yield tuple(hops)
                hops = []
            # tracepath asks at hop 1 twice
            if not any((h.distance, h.address) == (row.distance, row.address) for h in hops[-4:]):
                hops.append(row)
        yield tuple(hops)


def is_reached(hops: Sequence[TraceHop]) -> bool:
    """Whether the trace came to what it traces: nothing kept the packets on the way."""
    return any(row.reached for row in hops)


def _met_again(hops: Sequence[TraceHop]) -> Round | None:
    """The shortest way from a router back to itself, with another one between.

    Routers that share the load repeat at neighbouring distances, and a trace that goes on beyond
    has left the ring: neither is a round.
    """
    at: dict[str, dict[int, None]] = defaultdict(dict)
    there: dict[int, set[str]] = defaultdict(set)
    for row in hops:
        there[row.distance].add(row.address)
        if not _is_shared(row.address):
            at[row.address][row.distance] = None
    ways = [
        (b - a, a, router)
        for router, distances in at.items()
        for a, b in pairwise(distances)
        if any(there.get(distance, set()) - {router} for distance in range(a + 1, b))
    ]
    if is_reached(hops) or not ways:
        return None if is_reached(hops) else _stays(hops)
    period, first, router = min(ways)
    distances = tuple(d for d in at[router] if d >= first)
    between = [row for row in hops if first < row.distance < first + period]
    ring = tuple(dict.fromkeys([router, *(row.address for row in between)]))
    last = max(max(at[name]) for name in ring if name in at)
    if hops[-1].distance > last + period:
        return None
    own = [row for row in hops if row.address == router and row.distance >= first]
    return Round(
        kind="trace",
        netns=hops[0].netns,
        target=hops[0].target or "",
        rows=(*own, *between),
        evidence="reported",
        confidence="certain" if len(distances) > 2 else "likely",
        ring=ring,
        period=period,
        distances=distances,
    )


def _stays(hops: Sequence[TraceHop]) -> Round | None:
    """One router answers at the last distances, and nobody after it: it may pass to itself."""
    end = [row for row in hops if row.address == hops[-1].address]
    distances = tuple(dict.fromkeys(row.distance for row in end))
    others = [row for row in hops if row.distance >= distances[0] and row not in end]
    if len(distances) < 2 or others or end[-1].sign or _is_shared(end[-1].address):
        return None
    return Round(
        kind="trace",
        netns=hops[0].netns,
        target=hops[0].target or "",
        rows=tuple(end),
        evidence="reported",
        confidence="possible",
        ring=(end[-1].address,),
        distances=distances,
    )


def _is_shared(address: str) -> bool:
    """Whether many routers may answer with it: link-local addresses, and RFC 7600's."""
    try:
        return address == _SHARED or ip_address(address.partition("%")[0]).is_link_local
    except ValueError:
        return False


def _pinged(row: PingSign) -> Round:
    return Round(
        kind="ping",
        netns=row.netns,
        target=row.target or "",
        rows=(row,),
        evidence="reported",
        confidence="possible" if row.ttl is None else "likely",
        ring=(row.peer,) if row.peer else (),
    )


def _captured(snapshot: Snapshot) -> Iterator[Round]:
    """The first packet of each target that is seen with falling TTLs where it was before."""
    packets: dict[tuple[str, str | None, str], list[Sighting]] = defaultdict(list)
    for row in snapshot.sightings.rows:
        if row.ttl is not None and row.target is not None and row.key:
            packets[row.netns, row.dev, row.key].append(row)
    told: set[tuple[str, str | None, str | None]] = set()
    for (netns, dev, _), rows in packets.items():
        place = (netns, dev, rows[0].target)
        found = None if place in told else _falling(rows)
        if found is not None:
            told.add(place)
            yield found


def _falling(rows: Sequence[Sighting]) -> Round | None:
    """The TTL of one packet falls: at one link and in one direction, or too often for one pass."""
    passes: dict[object, list[Sighting]] = defaultdict(list)
    for row in rows:
        passes[row.source_mac, row.target_mac, row.vlan, row.direction].append(row)
    known = [
        p for p in passes.values() if None not in (p[0].source_mac, p[0].target_mac) and _falls(p)
    ]
    same_link = max(known, key=len, default=[])
    # A one-armed router shows a packet twice on one device, and "any" at each device it passes.
    enough = 3 if rows[0].dev not in (None, "any") else 4
    series = same_link or (list(rows) if _falls(rows, enough) else [])
    if not series:
        return None
    shown = [next(group) for _, group in groupby(series, key=lambda row: row.ttl)][:_SHOWN]
    ttls = tuple(row.ttl for row in shown if row.ttl is not None)
    return Round(
        kind="capture",
        netns=rows[0].netns,
        target=rows[0].target or "",
        rows=tuple(shown),
        evidence="observed",
        confidence="certain" if len(shown) > 2 else "likely",
        period=gcd(*(a - b for a, b in pairwise(ttls))) if same_link else None,
        ttls=ttls,
        source=rows[0].source,
        dev=rows[0].dev,
    )


def _falls(rows: Sequence[Sighting], times: int = 2) -> bool:
    """Whether the TTL never rises, and has at least so many values."""
    ttls = [row.ttl or 0 for row in rows]
    return all(a >= b for a, b in pairwise(ttls)) and len(set(ttls)) >= times
