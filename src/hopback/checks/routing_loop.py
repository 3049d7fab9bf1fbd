"""routing-loop: IP hops return to a router already passed.

Each router takes one from the TTL (net/ipv4/ip_forward.c:ip_forward, net/ipv6/ip6_output.c:
ip6_forward), so a packet goes round as long as that lasts; who takes the last one sends ICMP time
exceeded. The usual cause is a prefix that one router sends to another, which has no route of its
own for it and sends it back by its default route.
"""

from collections.abc import Iterator

from hopback.checks.case import Case
from hopback.checks.round_signs import Round, rounds
from hopback.findings import Finding
from hopback.network.facts import Ref

NAME = "routing-loop"

_CONFIDENCE = ("certain", "likely", "possible")
_DIRECTORS = "two IPVS directors that forward the packet to each other (ipvs-loop)"
_ANSWERS_FOR_OTHERS = "a tunnel or a translation that answers for what lies behind it"
_ALTERNATIVES = {
    "trace": ("routers that share the load, whose ways to the target differ in length",),
    "ping": ("a sender whose TTL is small (net.ipv4.ip_default_ttl)",),
    "capture": (),
}


def check(case: Case) -> Iterator[Finding]:
    """One for each target that text shows going round, by the best that shows it."""
    for host, snapshot in case.network.snapshots.items():
        virtual = {row.address for row in snapshot.ipvs_services.rows}
        best: dict[tuple[str, str], Round] = {}
        for found in sorted(rounds(snapshot), key=_rank):
            if found.target not in virtual:
                best.setdefault((found.netns, found.target), found)
        yield from (_seen(case, host, found) for found in best.values())


def _rank(found: Round) -> tuple[int, bool]:
    return _CONFIDENCE.index(found.confidence), found.evidence != "observed"


def _seen(case: Case, host: str, found: Round) -> Finding:
    return Finding(
        check=NAME,
        group="comes-back",
        severity="error" if found.confidence != "possible" else "warning",
        evidence=found.evidence,
        confidence=found.confidence,
        host=host,
        subject=found.target,
        summary=_summary(found),
        because=case.evidence(f"round-{found.kind}", (Ref(host, row.cite) for row in found.rows)),
        details={
            "kind": found.kind,
            "netns": found.netns,
            "target": found.target or None,
            "source": found.source,
            "dev": found.dev,
            "ring": list(found.ring),
            "period": found.period,
            "distances": list(found.distances),
            "ttls": list(found.ttls),
            "endless": False,
        },
        alternatives=_alternatives(found),
    )


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
