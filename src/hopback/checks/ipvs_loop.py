"""ipvs-loop: IPVS directors forward the same packet to each other.

A real server that is a director of the same service schedules the packet once more
(net/netfilter/ipvs/ip_vs_core.c:ip_vs_in_hook) and may send it back. Where all tables were given, a
client's packet is followed through them, for every server and every role that VRRP may give; where
only IPVS tables were, the ring is told from the rows.
"""

from collections.abc import Iterator, Sequence

from hopback.checks.case import Case
from hopback.checks.directors import Key, Service
from hopback.checks.handovers import Directors, Handover, rings
from hopback.checks.marks import Marking, spared_by
from hopback.checks.ring_evidence import Sign, happened, signs
from hopback.checks.ring_words import about, fate, hosts_of, methods_of, named
from hopback.findings import Confidence, Evidence, Finding, Ladder
from hopback.network.facts import DevId, Ref, merge_refs

NAME = "ipvs-loop"

Ring = Sequence[Handover]


def check(case: Case) -> Iterator[Finding]:
    """One finding for each ring, and for each director whose peer was not shown."""
    directors = case.directors
    told: set[tuple[DevId, Key]] = set()
    for ring in rings(directors):
        told.update(h.service.id for h in ring)
        yield _told_by_rows(case, ring)
    for service, rules in _guarded(directors):
        if service.id not in told:
            told.add(service.id)
            yield _guard(case, service, rules)
    for handover in _halves(directors):
        if handover.service.id not in told:
            told.add(handover.service.id)
            yield _half(case, handover)


def _told_by_rows(case: Case, ring: Ring) -> Finding:
    spared = merge_refs(*(h.spared for h in ring))
    if spared:
        return _spared(case, ring)
    seen = signs(case.network, ring)
    idle = [h for h in ring if h.server.row.weight == 0]
    unsure = [text for h in ring for text in h.unsure]
    unsure += [
        f"that {named(h.service.where.host)} gives {h.server.address} a weight" for h in idle
    ]
    confidence: Confidence = "possible" if unsure and not happened(seen) else "likely"
    return _finding(case, ring, confidence, seen, unsure=unsure)


def _spared(case: Case, ring: Ring) -> Finding:
    """The ring is cut: a director's rules keep off what another one sends it."""
    guarded = next(h for h in ring if h.spared)
    assert guarded.taken is not None  # noqa: S101  (only what a service takes can be spared)
    there, sender = named(guarded.taken.where.host), named(guarded.service.where.host)
    refs = merge_refs(*(h.refs for h in ring), guarded.spared)
    return Finding(
        check=NAME,
        group="comes-back",
        severity="info",
        evidence="predicted",
        confidence="likely",
        host=ring[0].service.where.host,
        subject=ring[0].service.title,
        summary=f"{about(ring)}, but {there} does not mark what {sender} sends it: no loop.",
        because=case.evidence("ipvs-ring", refs),
        details={
            "netns": ring[0].service.where.netns,
            "directors": hosts_of(ring),
            "spared": "mark",
        },
    )


def _finding(
    case: Case, ring: Ring, confidence: Confidence, seen: Sequence[Sign], *, unsure: Sequence[str]
) -> Finding:
    endless = endless_on(case, ring)
    frames = 64 if endless is False else None
    also = f" It takes as well {' and '.join(unsure)}." if unsure else ""
    return Finding(
        check=NAME,
        group="comes-back",
        severity="warning" if confidence == "possible" else "error",
        evidence=_rung(seen),
        confidence=confidence,
        host=ring[0].service.where.host,
        subject=ring[0].service.title,
        summary=f"{about(ring)}. {fate(endless, frames)}{also}",
        because=_because(case, ring, seen),
        details={
            "netns": ring[0].service.where.netns,
            "directors": hosts_of(ring),
            "methods": methods_of(ring),
            "servers": [h.server.address for h in ring],
            "endless": endless,
            "frames_per_packet": frames,
            "unsure": list(unsure),
            "seen": [sign.text for sign in seen],
        },
        explains=("ipvs-split-brain",),
    )


def _rung(seen: Sequence[Sign]) -> Ladder:
    if any(sign.kind == "capture" for sign in seen):
        return "observed"
    return "reported" if happened(seen) else "predicted"


def _because(case: Case, ring: Ring, seen: Sequence[Sign]) -> tuple[Evidence, ...]:
    rows = case.evidence("ipvs-ring", merge_refs(*(h.refs for h in ring)))
    return rows + tuple(e for sign in seen for e in case.evidence(sign.kind, sign.refs))


def endless_on(case: Case, ring: Ring) -> bool | None:
    """Whether no director of the ring counts the TTL down; None if that cannot be told."""
    return None


def _halves(directors: Directors) -> Iterator[Handover]:
    """Directors that are real servers of their own service: the other servers may be such too."""
    for service in directors.services:
        if not any(directors.is_own(service, server) for server in service.servers):
            continue
        for handover in directors.handovers(service):
            sends = handover.server.method != "masq" and handover.server.row.weight != 0
            if sends and not directors.shows_services(handover.to):
                yield handover


def _half(case: Case, handover: Handover) -> Finding:
    service, server = handover.service, handover.server
    here, peer = named(service.where.host), server.address
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
        because=case.evidence("ipvs-ring", merge_refs(handover.refs, _own_refs(case, service))),
        details={"netns": service.where.netns, "directors": [here], "peer": peer},
    )


def _own_refs(case: Case, service: Service) -> tuple[Ref, ...]:
    """The rows by which the director is a server of its own service."""
    own = next(s for s in service.servers if case.directors.is_own(service, s))
    found = case.directors.owner(own.address)
    return (own.ref, *(found[1] if found else ()))


def _guarded(directors: Directors) -> Iterator[tuple[Service, tuple[Marking, ...]]]:
    """Services of a mark whose rules leave out as many senders as there may be other directors."""
    for service in directors.services:
        if service.row.protocol == "fwmark":
            rules = directors.rules_for(service)
            others = max(len(service.servers) - 1, 1)
            if len(spared_by(rules)) >= others:
                yield service, rules


def _guard(case: Case, service: Service, rules: Sequence[Marking]) -> Finding:
    spared = " and ".join(sorted(spared_by(rules)))
    return Finding(
        check=NAME,
        group="comes-back",
        severity="info",
        evidence="predicted",
        confidence="likely",
        host=service.where.host,
        subject=service.title,
        summary=(
            f"What {named(service.where.host)} gets from {spared} it does not mark for"
            f" {service.title}: a packet that another director sent on is not scheduled again."
        ),
        because=case.evidence("ipvs-ring", (service.ref, *(rule.ref for rule in rules))),
        details={
            "netns": service.where.netns,
            "directors": [named(service.where.host)],
            "spared": "mark",
        },
    )
