"""Remedies for packets that routers pass round, each tried in the model.

The snapshot is changed as the remedy changes the host. Nothing of the prefix may go round any more,
and what got through before, to any longer prefix in it, has to get through again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from msgspec.structs import replace

from hopback.checks.case import Case
from hopback.checks.ring_routes import Ring, rings
from hopback.datapath.ip.fib import Prefix
from hopback.datapath.model import Model, model_of
from hopback.datapath.rules import RULES
from hopback.datapath.skb import Ip
from hopback.engines.circles import Origin, cycle_of, let_in, origins
from hopback.engines.routes import parts
from hopback.engines.trace import Trace
from hopback.findings import Fix, Report
from hopback.network.build import build
from hopback.network.facts import DevId
from hopback.remedies import blackhole_route, blackhole_rule, stale_route
from hopback.remedies.own_services import Service, are_known, refusal, services
from hopback.remedies.remedy import with_fix
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Edit

_PARTS_MAX = 64  # of a prefix, how many longer ones are tried
_RINGS_MAX = 4  # where many hosts send round many prefixes, one route may mend most
_SHOWN = 8

_Plan = Callable[[Ring], Fix | None]
_Edits = Callable[[Snapshot, Ring], tuple[Edit, ...]]
_REMEDIES: tuple[tuple[_Plan, _Edits], ...] = (
    (blackhole_route.plan, blackhole_route.edits),
    (blackhole_rule.plan, blackhole_rule.edits),
    (stale_route.plan, stale_route.edits),
)


def routed(snapshots: Sequence[Snapshot], report: Report) -> Mapping[int, tuple[Fix, ...]]:
    """The fixes by the number of the finding that they stand with."""
    wanted = {
        (f.host, f.subject): n
        for n, f in enumerate(report.findings)
        if f.check == "routing-loop" and f.details["kind"] == "tables"
    }
    if not wanted:
        return {}
    case = Case(build(snapshots))
    found: dict[int, tuple[Fix, ...]] = {}
    for ring in islice(rings(case), _RINGS_MAX):
        number = wanted.get((ring.sent_back_by.dev.host, str(ring.prefixes[0])))
        if number is not None:
            found[number] = tuple(_fixes(snapshots, case.model, ring))
    return found


def _fixes(snapshots: Sequence[Snapshot], model: Model, ring: Ring) -> Iterator[Fix]:
    for plan, edits in _REMEDIES:
        fix = plan(ring)
        if fix is not None:
            changed = [with_fix(s, fix, edits, ring) for s in snapshots]
            yield _judged(model, model_of(build(changed)), ring, fix)


def _judged(before: Model, after: Model, ring: Ring, fix: Fix) -> Fix:
    turning = _turning(after, ring)
    if turning:
        return replace(fix, rejected_because=turning)
    there = ring.turns[0].dev if fix.name == stale_route.NAME else ring.sent_back_by.dev
    kept: list[str] = []
    for service in _reached(before, ring, there):
        refused = refusal(after, there, service)
        if refused is not None:
            reason = f"{service.title} is lost: {RULES[refused.why.rule].text}"
            return replace(fix, rejected_because=reason)
        kept.append(service.title)
    for number, flow in enumerate(_flows(before, ring)):
        lost = _lost(after, flow)
        if lost:
            reason = f"what goes to {_title(flow.prefix)} is lost: {lost}"
            return replace(fix, rejected_because=reason)
        if lost is not None or number >= _PARTS_MAX:
            return fix
        kept.append(_title(flow.prefix))
    if turning is not None:
        return fix
    if fix.name != blackhole_rule.NAME and not _are_filters_known(before, there):
        doubt = "; whether its own packets are translated (NAT) no listing tells"
        return replace(fix, blast_radius=fix.blast_radius + doubt)
    words = list(dict.fromkeys(kept))
    more = [f"{len(words) - _SHOWN} more prefixes"] if len(words) > _SHOWN else []
    return replace(fix, proved=True, keeps=(*words[:_SHOWN], *more))


def _turning(model: Model, ring: Ring) -> str | None:
    """What of the prefixes goes round; None if nothing does, "" if that cannot be told."""
    spaces = dict.fromkeys(turn.dev[:2] for turn in ring.turns)
    unclear = False
    for number, (prefix, target) in enumerate(parts(model.hosts, ring.prefixes)):
        if number >= _PARTS_MAX:
            return ""
        for origin in origins(model, spaces, target):
            worlds = let_in(model, origin, target)
            if any(map(cycle_of, worlds)):
                return f"packets for {_title(prefix)} still go round"
            unclear = unclear or any(w.end("blind", "budget") for w in worlds)
    return "" if unclear else None


def _are_filters_known(model: Model, there: DevId) -> bool:
    return are_known(model.network.snapshots[there.host], there.netns)


def _reached(model: Model, ring: Ring, there: DevId) -> Iterator[Service]:
    """The services of the prefixes that programs in that namespace do reach."""
    snapshot = model.network.snapshots[there.host]
    for service in services(snapshot, there.netns, ring.prefixes)[:_PARTS_MAX]:
        if refusal(model, there, service) is None:
            yield service


def _title(prefix: Prefix) -> str:
    one = prefix.num_addresses == 1
    return str(prefix.network_address if one else prefix)


class _Flow(NamedTuple):
    """What gets through: to an address of ``prefix`` alone, from one of the ways in."""

    prefix: Prefix
    target: Ip
    origin: Origin
    ends: frozenset[tuple[str, object]]


def _flows(model: Model, ring: Ring) -> Iterator[_Flow]:
    spaces = dict.fromkeys(turn.dev[:2] for turn in ring.turns)
    for prefix, target in parts(model.hosts, ring.prefixes):
        for origin in origins(model, spaces, target):
            ends = _through(let_in(model, origin, target)[:1])
            if ends:
                yield _Flow(prefix, target, origin, ends)


def _through(journeys: Sequence[Trace]) -> frozenset[tuple[str, object]]:
    ends = (end for journey in journeys for end in journey.ends)
    return frozenset((e.fate, e.dev) for e in ends if e.fate in ("delivered", "left"))


def _lost(model: Model, flow: _Flow) -> str | None:
    """The rule by which it no longer gets through; None if it does, "" if that cannot be told."""
    journeys = let_in(model, flow.origin, flow.target)[:1]
    if flow.ends <= _through(journeys):
        return None
    ends = [end for journey in journeys for end in journey.ends]
    return next((RULES[end.why.rule].text for end in ends if end.fate == "lost"), "")
