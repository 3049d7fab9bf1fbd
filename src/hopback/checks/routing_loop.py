"""routing-loop: IP hops return to a router already passed.

Each router takes one from the TTL (net/ipv4/ip_forward.c:ip_forward, net/ipv6/ip6_output.c:
ip6_forward), so a packet goes round as long as that lasts; who takes the last one sends ICMP time
exceeded. The usual cause is a prefix that one router sends to another, which has no route of its
own for it and sends it back by its default route. Between VRFs of one host, whose routes lead out
by each other's devices, it goes round while it is being sent, until a limit to nested transmissions
ends it (net/core/dev.c:__dev_queue_xmit).
"""

from collections.abc import Iterator, Sequence

from hopback.checks.case import Case, path_steps
from hopback.checks.ring_routes import Ring, rings
from hopback.checks.round_signs import Round, is_in, rounds
from hopback.checks.words import named
from hopback.datapath.rules import RULES
from hopback.findings import CONFIDENCES, Evidence, Finding
from hopback.network.facts import DevId, Ref
from hopback.snapshot.rows import RouteAnswer

NAME = "routing-loop"

_DIRECTORS = "two IPVS directors that forward the packet to each other (ipvs-loop)"
_ANSWERS_FOR_OTHERS = "a tunnel or a translation that answers for what lies behind it"
_ALTERNATIVES = {
    "trace": ("routers that share the load, whose ways to the target differ in length",),
    "ping": ("a sender whose TTL is small (net.ipv4.ip_default_ttl)",),
    "capture": (),
}


def check(case: Case) -> Iterator[Finding]:
    """Rings of routes, each with what shows that it happened; then what text alone shows."""
    signs = sorted(_signs(case), key=lambda sign: _rank(sign[1]))
    explained: set[str] = set()
    for ring in rings(case):
        mine = [sign for sign in signs if is_in(sign[1].target, map(str, ring.prefixes))]
        explained.update(sign.target for _, sign in mine)
        yield _ring(case, ring, mine[0] if mine else None)
    told: set[tuple[str, str, str]] = set()
    for host, sign in signs:
        if sign.target not in explained and (host, sign.netns, sign.target) not in told:
            told.add((host, sign.netns, sign.target))
            yield _seen(case, host, sign)


def _signs(case: Case) -> Iterator[tuple[str, Round]]:
    """What text shows, but for the addresses of virtual services."""
    for host, snapshot in case.network.snapshots.items():
        virtual = {row.address for row in snapshot.ipvs_services.rows}
        yield from ((host, sign) for sign in rounds(snapshot) if sign.target not in virtual)


def _ring(case: Case, ring: Ring, sign: tuple[str, Round] | None) -> Finding:
    """``sign``: what shows that it happened, and on which host."""
    back, seen = ring.sent_back_by, sign[1] if sign else None
    happened = seen is not None and seen.confidence != "possible"
    logged = tuple(_dead_loops(case, ring)) if ring.nested else ()
    confidence = "likely" if happened and ring.confidence == "possible" else ring.confidence
    because = case.evidence("route-ring", ring.refs)
    if sign is not None:
        because += _evidence(case, *sign)
    because += case.evidence("dead-loop", logged)
    prefixes = [str(prefix) for prefix in ring.prefixes]
    return Finding(
        check=NAME,
        group="comes-back",
        severity="warning" if confidence == "possible" else "error",
        evidence=seen.evidence if seen and happened else "reported" if logged else "simulated",
        confidence=confidence,
        host=back.dev.host,
        subject=prefixes[0],
        summary=_told(ring) + "".join(f" It takes that: {text}." for text in ring.unsure),
        because=because,
        path=path_steps(
            (hop.place.dev, hop.place.way, f"a packet to {prefixes[0]}", RULES[hop.why.rule].text)
            for hop in ring.hops
            if hop.why
        ),
        details={
            "kind": "tables",
            "netns": back.dev.netns,
            "target": seen.target if seen else None,
            "source": seen.source if seen else None,
            "dev": seen.dev if seen else None,
            "prefixes": prefixes,
            "ring": [turn.title for turn in ring.turns],
            "routes": [turn.route.destination for turn in ring.turns],
            "period": len(ring.turns),
            "distances": list(seen.distances) if seen else [],
            "ttls": list(seen.ttls) if seen else [],
            "frames_per_packet": ring.found.frames,
            "endless": ring.found.endless,
            "unsure": list(ring.unsure),
            "answers": [],
        },
    )


def _dead_loops(case: Case, ring: Ring) -> Iterator[Ref]:
    """What the kernel logged of the devices of a ring of VRFs."""
    devices = {turn.dev for turn in ring.turns}
    for host, snapshot in case.network.snapshots.items():
        for row in snapshot.tunnel_loops.rows:
            if DevId(host, row.netns, row.dev) in devices:
                yield Ref(host, row.cite)


def _told(ring: Ring) -> str:
    first, back = ring.turns[0], ring.sent_back_by
    others = f" and {len(ring.prefixes) - 1} more prefixes" if len(ring.prefixes) > 1 else ""
    way = " → ".join(turn.title for turn in (*ring.turns, first))
    frames = ring.found.frames
    count = f", {frames} frames for one with TTL 64" if frames else ""
    sends = "sends back" if len(ring.turns) == 2 else "sends on"
    by = "its default route" if back.route.destination == "default" else back.route.destination
    if ring.nested:
        count = "; Linux drops it on its way out, and logs a dead loop"
    return (
        f"Packets for {ring.prefixes[0]}{others} go round, {way}: {back.title} {sends} by {by}"
        f" what it has no other route for{count}."
    )


def _rank(found: Round) -> tuple[int, bool]:
    return CONFIDENCES.index(found.confidence), found.evidence != "observed"


def _seen(case: Case, host: str, found: Round) -> Finding:
    answers = list(_answers(case, found.target))
    return Finding(
        check=NAME,
        group="comes-back",
        severity="error" if found.confidence != "possible" else "warning",
        evidence=found.evidence,
        confidence=found.confidence,
        host=host,
        subject=found.target,
        summary=_summary(found) + _said(answers),
        because=_evidence(case, host, found)
        + case.evidence("route-answer", (Ref(where, row.cite) for where, row in answers)),
        details={
            "kind": found.kind,
            "netns": found.netns,
            "target": found.target or None,
            "source": found.source,
            "dev": found.dev,
            "prefixes": [],
            "ring": list(found.ring),
            "routes": [],
            "period": found.period,
            "distances": list(found.distances),
            "ttls": list(found.ttls),
            "frames_per_packet": None,
            "endless": False,
            "unsure": [],
            "answers": [_answer(where, row) for where, row in answers],
        },
        alternatives=_alternatives(found),
    )


def _answers(case: Case, target: str) -> Iterator[tuple[str, RouteAnswer]]:
    """What routers said they do with packets for the target."""
    for host, snapshot in case.network.snapshots.items():
        for row in snapshot.route_answers.rows:
            if target and row.target == target:
                yield host, row


def _said(answers: Sequence[tuple[str, RouteAnswer]]) -> str:
    told = "; ".join(_answer(where, row) for where, row in answers)
    return f" Asked for the route: {told}." if told else ""


def _answer(host: str, row: RouteAnswer) -> str:
    way = f"out by {row.dev}" + (f" to {row.via}" if row.via else "")
    return f"{named(host)}: {way if row.kind == 'unicast' else row.kind}"


def _evidence(case: Case, host: str, found: Round) -> tuple[Evidence, ...]:
    return case.evidence(f"round-{found.kind}", (Ref(host, row.cite) for row in found.rows))


def _summary(found: Round) -> str:
    what = f"to {found.target}" if found.target else "of the trace"
    ring = " → ".join(found.ring)
    if found.kind == "ping":
        by = f" at {ring}" if ring else ""
        return f"A ping {what} left with a full TTL, and it ran out{by}: routers pass it round."
    if found.kind == "capture":
        ttls = ", ".join(map(str, found.ttls))
        after = f", after {found.period} routers each time" if found.period else ""
        return f"One packet {what} passes again and again with TTL {ttls}{after}."
    if found.period is None:
        return (
            f"The trace {what} stays at {ring} from hop {found.distances[0]} on: perhaps what"
            " it passes on comes back to it."
        )
    distances = ", ".join(map(str, found.distances))
    return f"The way {what} leads round: {ring} → {found.ring[0]} (hops {distances})."


def _alternatives(found: Round) -> tuple[str, ...]:
    if found.kind == "capture" and found.period in (None, 1):
        # Linux takes one from the TTL of what IPVS forwards since 4.10 (ip_vs_xmit.c:decrement_ttl)
        return (_DIRECTORS,)
    if found.kind == "trace" and found.period is None:
        return (_ANSWERS_FOR_OTHERS,)
    return _ALTERNATIVES[found.kind] if found.confidence != "certain" else ()
