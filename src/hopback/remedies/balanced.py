"""Remedies for rings of IPVS directors, each tried in the model.

The snapshot is changed as the remedy changes its host. No packet of a client for the service may go
round any more, in no role that VRRP may give; and what clients got an answer to before they have to
get one to again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from hopback.checks.case import Case
from hopback.checks.directors import Service
from hopback.checks.handovers import rings
from hopback.checks.ring_roles import RoleCases
from hopback.checks.ring_trace import follow
from hopback.checks.ring_words import named, while_masters
from hopback.datapath.rules import RULES
from hopback.findings import Finding, Fix, Report
from hopback.network.build import build
from hopback.remedies import (
    backup_only,
    clear_service,
    forward_off,
    mark_guard,
    own_server,
    ttl_limit,
)
from hopback.remedies.ipvs_ring import Directed, directed
from hopback.remedies.remedy import with_fix
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Edit

_Plan = Callable[[Directed], Fix | None]
_Edits = Callable[[Snapshot, Directed], tuple[Edit, ...]]
_REMEDIES: tuple[tuple[_Plan, _Edits], ...] = (
    (clear_service.plan, clear_service.edits),
    (own_server.plan, own_server.edits),
    (mark_guard.plan, mark_guard.edits),
    (backup_only.plan, backup_only.edits),
    (forward_off.plan, forward_off.edits),
)


def balanced(snapshots: Sequence[Snapshot], report: Report) -> Mapping[int, tuple[Fix, ...]]:
    """The fixes by the number of the finding they stand with: what stops it now comes first."""
    wanted = {n: f for n, f in enumerate(report.findings) if _is_ring(f)}
    if not wanted:
        return {}
    case = Case(build(snapshots))
    known = rings(case.directors)
    found: dict[int, tuple[Fix, ...]] = {}
    for number, finding in wanted.items():
        service = next((s for s in case.directors.services if _is_about(finding, s)), None)
        ring = directed(case, service, known) if service else None
        if ring is not None:
            found[number] = tuple(_fixes(snapshots, case, ring, finding))
    return found


def remedied(snapshots: Sequence[Snapshot], ring: Directed) -> Mapping[str, tuple[Fix, Case]]:
    """Each remedy that applies to the ring, and the case with it in place; not judged."""
    found: dict[str, tuple[Fix, Case]] = {}
    for plan, edits in _REMEDIES:
        fix = plan(ring)
        if fix is not None:
            after = Case(build([with_fix(s, fix, edits, ring) for s in snapshots]))
            found[fix.name] = (fix, after)
    return found


def _is_ring(finding: Finding) -> bool:
    return finding.check == "ipvs-loop" and "endless" in finding.details


def _is_about(finding: Finding, service: Service) -> bool:
    at = (service.where.host, service.where.netns, service.title)
    return at == (finding.host, finding.details["netns"], finding.subject)


def _fixes(
    snapshots: Sequence[Snapshot], case: Case, ring: Directed, finding: Finding
) -> Iterator[Fix]:
    for fix, after in remedied(snapshots, ring).values():
        yield _judged(case, after, ring, fix)
    limit = ttl_limit.plan(ring) if finding.details["endless"] is not False else None
    if limit is not None:
        yield limit


def _judged(before: Case, after: Case, ring: Directed, fix: Fix) -> Fix:
    reason = _refused(before, ring, fix)
    if reason is not None:
        return replace(fix, rejected_because=reason)
    if ring.cycle is None:
        return fix  # told by rows alone: no packet could be followed before either
    kept: list[str] = []
    whole = True
    for service in before.directors.services:
        same = [h for h in ring.ring if h.service.key == service.key]
        ended = _ends(after, service)
        if any(end == "cycle" for end in ended):
            reason = f"packets for {service.title} that come to {_at(service)} still go round"
            return replace(fix, rejected_because=reason)
        whole = whole and not any(end in ("blind", "budget") for end in ended)
        lost = None if same else _lost(_ends(before, service), ended)
        if lost is not None:
            return replace(
                fix, rejected_because=f"{service.title} at {_at(service)} is lost: {lost}"
            )
        if answers := _answers(ended):
            kept.append(f"{service.title} at {_at(service)}: answered by {answers}")
    turned = _in_other_roles(after, ring)
    if turned is not None:
        return replace(fix, limits=f"{turned} it still goes round. {fix.limits}")
    return replace(fix, proved=True, keeps=tuple(kept)) if whole else fix


def _refused(before: Case, ring: Directed, fix: Fix) -> str | None:
    """What rows tell against it."""
    if fix.name == backup_only.NAME:
        return backup_only.idle(before.network.snapshots[fix.host], ring)
    if fix.name == forward_off.NAME:
        return next(forward_off.needed(ring), None)
    return None


def _at(service: Service) -> str:
    return named(service.where.host)


_Ends = Mapping[str, tuple[str, str]]
"""How packets end, each with the host where, and why."""


def _ends(case: Case, service: Service) -> _Ends:
    """How a client's packets end that come to where ``service`` is, whether or not it still is.

    Nothing where the addresses or routes are not known.
    """
    found: dict[str, tuple[str, str]] = {}
    followed = follow(case, service)
    for journey, end in followed.ends if followed else ():
        dev = end.dev or journey.hops[end.hop].place.dev
        fate = "answered" if end.fate in ("delivered", "left") else end.fate
        found.setdefault(fate, (dev.host, RULES[end.why.rule].text))
    return found


def _lost(before: _Ends, after: _Ends) -> str | None:
    if "lost" in after and ("lost" not in before or "answered" not in after):
        return after["lost"][1] if "answered" in before else None
    return None


def _answers(ends: _Ends) -> str | None:
    return named(ends["answered"][0]) if "answered" in ends else None


def _in_other_roles(after: Case, ring: Directed) -> str | None:
    """The roles in which it goes round all the same, in words."""
    roles = RoleCases(after)
    services = [s for s in after.directors.services if any(_same(s, h.service) for h in ring.ring)]
    for service in services:
        other = roles.first(service)
        if other is not None:
            return while_masters(other.roles.hosts)
    return None


def _same(service: Service, other: Service) -> bool:
    return service.key == other.key
