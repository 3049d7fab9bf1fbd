"""Remedies for rings of IPVS directors: what stops it now first, each tried (``ipvs_trial``)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from hopback.checks.case import Case
from hopback.checks.directors import Service
from hopback.checks.handovers import rings
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
from hopback.remedies.ipvs_trial import Trial
from hopback.remedies.remedy import with_fix
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Edit

_RINGS_MAX = 4
"""Rings whose remedies are tried. Those of further ones are offered as they are."""


class _Remedy(NamedTuple):
    """``against`` tells from rows alone why it would not do."""

    plan: Callable[[Directed], Fix | None]
    edits: Callable[[Snapshot, Directed], tuple[Edit, ...]]
    against: Callable[[Directed], str | None] = lambda _ring: None


_REMEDIES = (
    _Remedy(clear_service.plan, clear_service.edits),
    _Remedy(own_server.plan, own_server.edits),
    _Remedy(mark_guard.plan, mark_guard.edits),
    _Remedy(backup_only.plan, backup_only.edits, backup_only.idle),
    _Remedy(forward_off.plan, forward_off.edits, forward_off.needed),
)


def balanced(snapshots: Sequence[Snapshot], report: Report) -> Mapping[int, tuple[Fix, ...]]:
    """The fixes by the number of the finding they stand with."""
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
            trial = Trial(case, ring) if len(found) < _RINGS_MAX else None
            fixes = [_tried(snapshots, ring, trial, *each) for each in _applying(ring)]
            limit = ttl_limit.plan(ring) if finding.details["endless"] is not False else None
            found[number] = (*fixes, *((limit,) if limit else ()))
    return found


def names(ring: Directed) -> tuple[str, ...]:
    """The remedies that apply to the ring."""
    return tuple(fix.name for _, fix in _applying(ring))


def remedied(snapshots: Sequence[Snapshot], ring: Directed, name: str) -> tuple[Fix, Case]:
    """That remedy, one of ``names``, and the case with it in place; not judged."""
    remedy, fix = next(each for each in _applying(ring) if each[1].name == name)
    return fix, _after(snapshots, ring, remedy, fix)


def _applying(ring: Directed) -> Iterator[tuple[_Remedy, Fix]]:
    for remedy in _REMEDIES:
        fix = remedy.plan(ring)
        if fix is not None:
            yield remedy, fix


def _tried(
    snapshots: Sequence[Snapshot], ring: Directed, trial: Trial | None, remedy: _Remedy, fix: Fix
) -> Fix:
    reason = remedy.against(ring)
    if reason is not None:
        return replace(fix, rejected_because=reason)
    return trial.judged(fix, _after(snapshots, ring, remedy, fix)) if trial else fix


def _after(snapshots: Sequence[Snapshot], ring: Directed, remedy: _Remedy, fix: Fix) -> Case:
    return Case(build([with_fix(s, fix, remedy.edits, ring) for s in snapshots]))


def _is_ring(finding: Finding) -> bool:
    return finding.check == "ipvs-loop" and "endless" in finding.details


def _is_about(finding: Finding, service: Service) -> bool:
    at = (service.where.host, service.where.netns, service.title)
    return at == (finding.host, finding.details["netns"], finding.subject)
