"""ipvs-loop as ``info``: directors that have each other as servers, and what keeps packets off."""

from collections.abc import Sequence

from hopback.checks.case import Case
from hopback.checks.directors import Service
from hopback.checks.handovers import Handover
from hopback.checks.ring_trace import Followed, space
from hopback.checks.ring_words import about, hosts_of
from hopback.checks.words import joined, named
from hopback.datapath.rules import RULES
from hopback.findings import Finding
from hopback.network.facts import Ref, merge_refs

Ring = tuple[Handover, ...]


def left_unmarked(case: Case, ring: Ring, rules: tuple[Ref, ...]) -> Finding:
    """A director's ``rules`` do not mark what another one of the ring sends it."""
    guarded = next(h for h in ring if h.spared)
    there = named(guarded.to.host if guarded.to else "")
    text = f"{there} does not mark what {named(guarded.service.where.host)} sends it: no loop."
    refs = merge_refs(*(h.refs for h in ring), rules)
    return _no_loop(case, ring[0].service, hosts_of(ring), f"{about(ring)}, but {text}", refs)


def cut(case: Case, ring: Ring, followed: Followed) -> Finding:
    """The packet that was followed does not go round."""
    rule, refs = ended(ring, followed)
    summary = f"{about(ring)}, but it does not go round: {RULES[rule].text}."
    return _no_loop(case, ring[0].service, hosts_of(ring), summary, refs, rule)


def guarded(
    case: Case, service: Service, rules: tuple[Ref, ...], senders: frozenset[str]
) -> Finding:
    """The other directors were not shown, and frames of as many ``senders`` get no mark."""
    here = named(service.where.host)
    summary = (
        f"What {here} gets from {joined(sorted(senders))} it does not mark for"
        f" {service.title}: a packet that another director sent on is not scheduled again."
    )
    return _no_loop(case, service, [here], summary, (service.ref, *rules))


def ended(ring: Ring, followed: Followed) -> tuple[str, tuple[Ref, ...]]:
    """The rule that ends the packet, at the next director if it comes there, and all rows."""
    there = (
        (journey, end)
        for journey, end in followed.ends
        if space(journey.hops[end.hop].place.dev) == ring[0].to
    )
    journey, end = next(there, followed.ends[0])
    way = (hop.why.refs for hop in journey.path(end.hop) if hop.why)
    return end.why.rule, merge_refs(*way, end.why.refs)


def _no_loop(
    case: Case,
    service: Service,
    directors: Sequence[str],
    summary: str,
    refs: tuple[Ref, ...],
    spared: str = "mark",
) -> Finding:
    return Finding(
        check="ipvs-loop",
        group="comes-back",
        severity="info",
        evidence="predicted",
        confidence="likely",
        host=service.where.host,
        subject=service.title,
        summary=summary,
        because=case.evidence("ipvs-ring", refs),
        details={"netns": service.where.netns, "directors": list(directors), "spared": spared},
    )
