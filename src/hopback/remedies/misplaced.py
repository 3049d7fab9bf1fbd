"""Remedies for stations whose table entry is on another port than their own."""

from collections.abc import Mapping, Sequence

from hopback.findings import Finding, Fix, Report
from hopback.remedies import sticky_entry
from hopback.remedies.pinned import prove_sticky_entries
from hopback.snapshot.model import Snapshot

_Key = tuple[str, str]


def misplaced(snapshots: Sequence[Snapshot], report: Report) -> Mapping[int, tuple[Fix, ...]]:
    """The fixes by the number of the finding that they stand with."""
    found = [f for f in report.findings if f.check == "fdb-misplaced"]
    if not found:
        return {}
    plans = [(f, sticky_entry.plan(f)) for f in found]
    tried = prove_sticky_entries(snapshots, plans)
    fixes = {(f.host, f.subject): fix for f, fix in zip(found, tried, strict=True)}
    explained = {key for f in report.findings for key in _stations(f)}
    return {n: _own(f, fixes, explained) for n, f in enumerate(report.findings)}


def _stations(finding: Finding) -> list[_Key]:
    """The misplaced stations that this cause explains."""
    if finding.check not in ("uplink-echo", "bond-reflection"):
        return []
    return [(finding.host, station) for station in finding.details["stations"]]


def _own(finding: Finding, fixes: Mapping[_Key, Fix], explained: set[_Key]) -> tuple[Fix, ...]:
    key = (finding.host, finding.subject)
    if finding.check == "fdb-misplaced" and key not in explained:
        return (fixes[key],)
    return tuple(fixes[key] for key in _stations(finding))
