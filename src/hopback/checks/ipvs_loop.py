"""ipvs-loop: IPVS directors forward the same packet to each other.

A real server that is a director of the same service schedules the packet once more
(net/netfilter/ipvs/ip_vs_core.c:ip_vs_in_hook) and may send it back. Where all tables were given, a
client's packet is followed through them, for every server and every role that VRRP may give; where
only IPVS tables were, the ring is told from the rows.
"""

from collections.abc import Iterator, Sequence

from hopback.checks.case import Case, evidence_of, path_steps
from hopback.checks.clients import asked_of
from hopback.checks.directors import Service
from hopback.checks.handovers import Handover, rings
from hopback.checks.marks import Marking
from hopback.checks.ring_evidence import Sign, capture, happened, signs
from hopback.checks.ring_guards import (
    foreign_addresses,
    guards,
    halves,
    own_addresses,
    useless_guards,
)
from hopback.checks.ring_roles import InRole, RoleCases
from hopback.checks.ring_trace import Cycle, Followed, Lasting, follow, lasting, ring_of, space
from hopback.checks.ring_words import (
    about,
    chain_of,
    fate,
    hosts_of,
    joined,
    methods_of,
    named,
    while_masters,
)
from hopback.datapath.rules import RULES
from hopback.engines.trace import End, Trace
from hopback.findings import Confidence, Evidence, Finding, Ladder, Step
from hopback.frames.describe import describe
from hopback.network.directing import Key
from hopback.network.facts import DevId, Ref, merge_refs

NAME = "ipvs-loop"

Ring = tuple[Handover, ...]
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
            told.update(h.service.id for h in ring)
            yield finding
    for handover, sign in _captured(case):
        if handover.service.id not in told:
            told.add(handover.service.id)
            yield _returned(case, handover, sign)
    for service, markings in guards(case.directors):
        if service.id not in told:
            told.add(service.id)
            yield _guarded(case, service, tuple(m.ref for m in markings), markings[0].spares)
    for host, markings in useless_guards(case.directors):
        yield _useless(case, host, markings)
    for handover in halves(case.directors):
        if handover.service.id not in told:
            told.add(handover.service.id)
            yield _half(case, handover)


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
        yield ring, _past(case, ring, followed, seen) if was else _cut(case, ring, followed)
    elif ring:
        yield ring, _told_by_rows(case, ring)


def _all_known(case: Case, ring: Ring) -> bool:
    return all(h.service.where[:2] in case.model.hosts for h in ring)


def _recorded(case: Case, roles: RoleCases, cycle: Cycle) -> tuple[Ring, Finding]:
    """It goes round as the tables were read; perhaps because of the roles they show."""
    ring = ring_of(case, cycle)
    masters = roles.recorded if len(roles.recorded) > 1 else ()
    fewer = roles.first(cycle.service) if masters else None
    if fewer is not None and len(fewer.roles.hosts) < len(masters):
        masters = ()
    seats = [seat.ref for seat in roles.seats if seat.master] if masters else []
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
    ring = ring_of(other.case, other.cycle)
    seen = signs(case.network, ring)
    masters = other.roles.hosts
    was = " So it was." if happened(seen) else " So it is not now."
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
        return _spared(case, ring, spared)
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


def _spared(case: Case, ring: Ring, spared: tuple[Ref, ...]) -> Finding:
    """The ring is cut: a director's rules keep off what another one sends it."""
    guarded = next(h for h in ring if h.spared)
    there = named(guarded.to.host if guarded.to else "")
    text = f"{there} does not mark what {named(guarded.service.where.host)} sends it: no loop."
    return _no_loop(case, ring, text, merge_refs(*(h.refs for h in ring), spared), "mark")


def _cut(case: Case, ring: Ring, followed: Followed) -> Finding:
    """The directors have each other, and the packet that was followed does not go round."""
    rule, refs = _ended(ring, followed)
    return _no_loop(case, ring, f"it does not go round: {RULES[rule].text}.", refs, rule)


def _past(case: Case, ring: Ring, followed: Followed, seen: Sequence[Sign]) -> Finding:
    """It did go round, and does no more as the tables are now."""
    rule, refs = _ended(ring, followed)
    also = f" That was so; as the tables are now, {RULES[rule].text}."
    return _finding(case, ring, "likely", seen, refs=refs, also=also)


def _ended(ring: Ring, followed: Followed) -> tuple[str, tuple[Ref, ...]]:
    """The rule that ends the packet, at the next director if it comes there."""
    journey, end = next(
        (e for e in followed.ends if _last(*e) == ring[0].to),
        followed.ends[0],
    )
    way = (hop.why.refs for hop in journey.path(end.hop) if hop.why)
    return end.why.rule, merge_refs(*way, end.why.refs)


def _last(journey: Trace, end: End) -> DevId:
    return space(journey.hops[end.hop].place.dev)


def _no_loop(case: Case, ring: Ring, text: str, refs: tuple[Ref, ...], spared: str) -> Finding:
    return Finding(
        check=NAME,
        group="comes-back",
        severity="info",
        evidence="predicted",
        confidence="likely",
        host=ring[0].service.where.host,
        subject=ring[0].service.title,
        summary=f"{about(ring)}, but {text}",
        because=case.evidence("ipvs-ring", refs),
        details={
            "netns": ring[0].service.where.netns,
            "directors": hosts_of(ring),
            "spared": spared,
        },
    )


def _guarded(
    case: Case, service: Service, rules: tuple[Ref, ...], senders: frozenset[str]
) -> Finding:
    here = named(service.where.host)
    return Finding(
        check=NAME,
        group="comes-back",
        severity="info",
        evidence="predicted",
        confidence="likely",
        host=service.where.host,
        subject=service.title,
        summary=(
            f"What {here} gets from {' and '.join(sorted(senders))} it does not mark for"
            f" {service.title}: a packet that another director sent on is not scheduled again."
        ),
        because=case.evidence("ipvs-ring", (service.ref, *rules)),
        details={"netns": service.where.netns, "directors": [here], "spared": "mark"},
    )


def _useless(case: Case, host: str, rules: Sequence[Marking]) -> Finding:
    here, mark = named(host), f"mark {rules[0].mark}"
    return Finding(
        check=NAME,
        group="comes-back",
        severity="warning",
        evidence="predicted",
        confidence="possible",
        host=host,
        subject=mark,
        summary=(
            f"{here} has {len(rules)} rules for {mark} that leave out one sender each: what one of"
            " them leaves alone another marks. If its peers send packets back, they go to and fro."
        ),
        because=case.evidence("ipvs-ring", (rule.ref for rule in rules)),
        details={"netns": rules[0].netns, "directors": [here], "unsure": ["the IPVS tables"]},
    )


def _captured(case: Case) -> Iterator[tuple[Handover, Sign]]:
    """The services that a capture shows going round, whoever the other director is."""
    for service in case.directors.services if case.captured else ():
        asked = {str(asked.address) for asked in asked_of(case.directors, service)}
        if not asked & case.captured:
            continue
        handover = next(case.directors.handovers(service), None)
        sign = capture(case.network, handover) if handover else None
        if handover is not None and sign is not None:
            yield handover, sign


def _returned(case: Case, handover: Handover, sign: Sign) -> Finding:
    service = handover.service
    here = named(service.where.host)
    return Finding(
        check=NAME,
        group="comes-back",
        severity="error",
        evidence="observed",
        confidence="likely",
        host=service.where.host,
        subject=service.title,
        summary=(
            f"{service.title}: {sign.text}. What {here} sends on comes back to it: a real server"
            " is a director too."
        ),
        because=case.evidence("ipvs-ring", merge_refs(handover.refs, sign.refs)),
        details={
            "netns": service.where.netns,
            "directors": [here],
            "peer": handover.server.row.server,
            "seen": [sign.text],
        },
    )


def _half(case: Case, handover: Handover) -> Finding:
    service, peer = handover.service, handover.server.row.server
    here = named(service.where.host)
    own = next(s for s in service.servers if case.directors.is_own(service, s))
    owner = case.directors.owner(own.address)
    refs = merge_refs(handover.refs, (own.ref,), owner[1] if owner else ())
    return Finding(
        check=NAME,
        group="comes-back",
        severity="warning",
        evidence="predicted",
        confidence="possible",
        host=service.where.host,
        subject=service.title,
        summary=(
            f"{service.title}: {here} is a real server of its own service, and sends to {peer} as"
            f" well. If {peer} is a director too and has {here} as a server, packets go to and fro."
        ),
        because=case.evidence("ipvs-ring", refs),
        details={"netns": service.where.netns, "directors": [here], "peer": peer},
    )
