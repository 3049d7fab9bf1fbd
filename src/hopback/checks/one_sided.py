"""ipvs-loop where one director alone was shown: what it captured, and what may close a ring."""

from collections.abc import Iterator, Sequence

from hopback.checks.case import Case
from hopback.checks.clients import asked_of
from hopback.checks.handovers import Handover
from hopback.checks.marks import Marking
from hopback.checks.ring_cut import guarded
from hopback.checks.ring_evidence import Sign, capture
from hopback.checks.ring_guards import guards, halves, useless_guards
from hopback.checks.words import named
from hopback.findings import Finding
from hopback.network.directing import Key
from hopback.network.facts import DevId, Ref, merge_refs


def one_sided(case: Case, told: set[tuple[DevId, Key]]) -> Iterator[Finding]:
    """At most one for each service that is not in ``told``, to which it is added."""
    for handover, sign in _captured(case):
        if handover.service.id not in told:
            told.add(handover.service.id)
            yield _returned(case, handover, sign)
    for service, markings in guards(case.directors):
        if service.id not in told:
            told.add(service.id)
            yield guarded(case, service, tuple(m.ref for m in markings), markings[0].spares)
    for host, markings in useless_guards(case.directors):
        yield _useless(case, host, markings)
    for handover in halves(case.directors):
        if handover.service.id not in told:
            told.add(handover.service.id)
            yield _half(case, handover)


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
    text = (
        f"{sign.text}. What {named(handover.service.where.host)} sends on comes back to it: a real"
        " server is a director too."
    )
    return _with_peer(case, handover, text, merge_refs(handover.refs, sign.refs), sign)


def _half(case: Case, handover: Handover) -> Finding:
    service, peer = handover.service, handover.server.row.server
    here = named(service.where.host)
    own = next(s for s in service.servers if case.directors.is_own(service, s))
    owner = case.directors.owner(own.address)
    refs = merge_refs(handover.refs, (own.ref,), owner[1] if owner else ())
    text = (
        f"{here} is a real server of its own service, and sends to {peer} as well. If {peer} is a"
        f" director too and has {here} as a server, packets go to and fro."
    )
    return _with_peer(case, handover, text, refs)


def _with_peer(
    case: Case, handover: Handover, text: str, refs: tuple[Ref, ...], sign: Sign | None = None
) -> Finding:
    """The server of ``handover`` may be a director; ``sign`` shows that something comes back."""
    service = handover.service
    return Finding(
        check="ipvs-loop",
        group="comes-back",
        severity="error" if sign else "warning",
        evidence="observed" if sign else "predicted",
        confidence="likely" if sign else "possible",
        host=service.where.host,
        subject=service.title,
        summary=f"{service.title}: {text}",
        because=case.evidence("ipvs-ring", refs),
        details={
            "netns": service.where.netns,
            "directors": [named(service.where.host)],
            "peer": handover.server.row.server,
            "seen": [sign.text] if sign else [],
        },
    )


def _useless(case: Case, host: str, rules: Sequence[Marking]) -> Finding:
    here, mark = named(host), f"mark {rules[0].mark}"
    return Finding(
        check="ipvs-loop",
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
