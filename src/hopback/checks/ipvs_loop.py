"""ipvs-loop: IPVS directors forward the same packet to each other.

A real server that is a director of the same service schedules the packet once more
(net/netfilter/ipvs/ip_vs_core.c:ip_vs_in_hook) and may send it back. Where all tables were given, a
client's packet is followed through them, for every server and every role that VRRP may give; where
only IPVS tables were, the ring is told from the rows.
"""

from collections.abc import Iterator, Sequence

from hopback.checks.case import Case, evidence_of, path_steps
from hopback.checks.directors import Service
from hopback.checks.handovers import rings
from hopback.checks.one_sided import one_sided
from hopback.checks.ring_cut import Ring, cut, ended, left_unmarked
from hopback.checks.ring_evidence import Sign, happened, signs
from hopback.checks.ring_guards import foreign_addresses, own_addresses
from hopback.checks.ring_roles import InRole, RoleCases
from hopback.checks.ring_trace import Cycle, Followed, Lasting, follow, lasting
from hopback.checks.ring_words import about, chain_of, fate, hosts_of, methods_of, while_masters
from hopback.checks.words import joined, named
from hopback.datapath.rules import RULES
from hopback.findings import Confidence, Evidence, Finding, Ladder, Step
from hopback.frames.describe import describe
from hopback.network.directing import Key
from hopback.network.facts import DevId, Ref, merge_refs

NAME = "ipvs-loop"

_UNKNOWN = Lasting(None, None)


def check(case: Case) -> Iterator[Finding]:
    """One finding for each ring, and for each director whose peer was not shown."""
    told: set[tuple[DevId, Key]] = set()
    ringed = {h.service.id: ring for ring in reversed(rings(case.directors)) for h in ring}
    roles = RoleCases(case)
    for service in case.directors.joined:
        if service.id in told:
            continue
        for ring, finding in _of(case, roles, service, ringed.get(service.id, ())):
            members = {h.service.id for h in ring}
            if not members <= told:
                yield finding
            told |= members
    yield from one_sided(case, told)


def _of(
    case: Case, roles: RoleCases, service: Service, ring: Ring
) -> Iterator[tuple[Ring, Finding]]:
    """What there is to say of a service some of whose servers are given hosts."""
    followed = follow(case, service)
    if followed is not None and followed.cycle is not None:
        yield _recorded(case, roles, followed.cycle)
        return
    other = roles.first(service) if followed is not None else None
    if other is not None:
        yield _elsewhere(case, other)
    elif ring and followed is not None and followed.whole and _all_known(case, ring):
        seen = signs(case.network, ring)
        was = happened(seen)
        yield ring, _past(case, ring, followed, seen) if was else cut(case, ring, followed)
    elif ring:
        yield ring, _told_by_rows(case, ring)


def _all_known(case: Case, ring: Ring) -> bool:
    return all(h.service.where[:2] in case.model.hosts for h in ring)


def _recorded(case: Case, roles: RoleCases, cycle: Cycle) -> tuple[Ring, Finding]:
    """It goes round as the tables were read; perhaps because of the roles they show."""
    ring = cycle.ring
    masters = roles.recorded if len(roles.recorded) > 1 else ()
    fewer = roles.first(cycle.service) if masters else None
    if fewer is not None and len(fewer.roles.hosts) < len(masters):
        masters = ()
    seats = [seat.ref for seat in case.directors.seats if seat.master] if masters else []
    finding = _finding(
        case,
        ring,
        cycle.confidence,
        signs(case.network, ring),
        path=_path(cycle),
        refs=merge_refs(cycle.refs, seats),
        lasts=lasting(case, cycle),
        masters=masters,
        when=f"{while_masters(masters)}, as they are now" if masters else "",
    )
    return ring, finding


def _elsewhere(case: Case, other: InRole) -> tuple[Ring, Finding]:
    """It goes round in roles that were not recorded; what was seen may tell that they were so."""
    ring = other.cycle.ring
    seen = signs(case.network, ring)
    masters = other.roles.hosts
    was = " That was so." if happened(seen) else " That is not so now."
    seats = tuple(seat.ref for seat in other.roles.masters)
    finding = _finding(
        case,
        ring,
        "likely" if happened(seen) else "possible",
        seen,
        path=_path(other.cycle),
        refs=merge_refs(other.cycle.refs, seats),
        lasts=lasting(other.case, other.cycle),
        masters=masters,
        when=while_masters(masters),
        also=was,
    )
    return ring, finding


def _told_by_rows(case: Case, ring: Ring) -> Finding:
    """Where not all tables were shown: no packet can be followed."""
    spared = merge_refs(*(h.spared for h in ring))
    if spared:
        return left_unmarked(case, ring, spared)
    seen = signs(case.network, ring)
    idle = [h for h in ring if h.server.row.weight == 0]
    unsure = [text for h in ring for text in h.unsure]
    unsure += [
        f"that {named(h.service.where.host)} gives {h.server.row.server} a weight" for h in idle
    ]
    unsure += foreign_addresses(case.network, ring)
    confidence: Confidence = "possible" if unsure and not happened(seen) else "likely"
    also = f" It takes as well {joined(unsure)}." if unsure else ""
    refs = own_addresses(case.directors, ring)
    return _finding(case, ring, confidence, seen, refs=refs, unsure=tuple(unsure), also=also)


def _finding(
    case: Case,
    ring: Ring,
    confidence: Confidence,
    seen: Sequence[Sign],
    *,
    path: tuple[Step, ...] = (),
    refs: tuple[Ref, ...] = (),
    lasts: Lasting = _UNKNOWN,
    masters: tuple[str, ...] = (),
    unsure: tuple[str, ...] = (),
    when: str = "",
    also: str = "",
) -> Finding:
    split = _split(case, ring)
    chain = chain_of(ring, seen, split, masters)
    rows = _because(case, merge_refs(*(h.refs for h in ring), refs, lasts.refs), seen)
    return Finding(
        check=NAME,
        group="comes-back",
        severity="warning" if confidence == "possible" else "error",
        evidence=_rung(seen, followed=bool(path)),
        confidence=confidence,
        host=ring[0].service.where.host,
        subject=ring[0].service.title,
        summary=f"{about(ring)}. {fate(lasts.endless, lasts.frames, when)}{also}",
        because=(*rows, *(e for f in split for e in evidence_of(f, "vrrp-masters"))),
        path=path,
        details={
            "netns": ring[0].service.where.netns,
            "directors": hosts_of(ring),
            "methods": methods_of(ring),
            "servers": [h.server.row.server for h in ring],
            "endless": lasts.endless,
            "frames_per_packet": lasts.frames,
            "masters": list(masters),
            "unsure": list(unsure),
            "seen": [sign.text for sign in seen],
            "chain": chain,
        },
        explains=("ipvs-split-brain",) if chain and not masters else (),
    )


def _split(case: Case, ring: Ring) -> tuple[Finding, ...]:
    """Where directors of the ring were found to be master at once."""
    hosts = {h.service.where.host for h in ring}
    return tuple(f for f in case.of("ipvs-split-brain") if f.host in hosts)


def _rung(seen: Sequence[Sign], *, followed: bool) -> Ladder:
    if any(sign.kind == "capture" for sign in seen):
        return "observed"
    if happened(seen):
        return "reported"
    return "simulated" if followed else "predicted"


def _because(case: Case, refs: tuple[Ref, ...], seen: Sequence[Sign]) -> tuple[Evidence, ...]:
    rows = case.evidence("ipvs-ring", refs)
    return rows + tuple(e for sign in seen for e in case.evidence(sign.kind, sign.refs))


def _path(cycle: Cycle) -> tuple[Step, ...]:
    return path_steps(
        (
            hop.place.dev,
            hop.place.way,
            describe(hop.frame),
            RULES[hop.why.rule].text if hop.why else "a client's packet",
        )
        for hop in cycle.way
    )


def _past(case: Case, ring: Ring, followed: Followed, seen: Sequence[Sign]) -> Finding:
    """It did go round, and does no more as the tables are now."""
    rule, refs = ended(ring, followed)
    also = f" That was so; as the tables are now, {RULES[rule].text}."
    return _finding(case, ring, "likely", seen, refs=refs, also=also)
