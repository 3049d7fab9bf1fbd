"""Gives findings their remedies, each tried in the model before it is offered."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from hopback.findings import Finding, Fix, Report
from hopback.remedies import sticky_entry
from hopback.remedies.prove import prove_sticky_entries
from hopback.snapshot.model import Snapshot

_Key = tuple[str, str]


def with_remedies(snapshots: Sequence[Snapshot], report: Report) -> Report:
    """``report`` with remedies where there are some.

    The remedy of a symptom that a cause explains stands with the cause.
    """
    misplaced = [f for f in report.findings if f.check == "fdb-misplaced"]
    if not misplaced:
        return report
    plans = [(f, sticky_entry.plan(f)) for f in misplaced]
    tried = prove_sticky_entries(snapshots, plans)
    fixes = {(f.host, f.subject): fix for f, fix in zip(misplaced, tried, strict=True)}
    explained = {key for f in report.findings for key in _stations(f)}
    return replace(
        report,
        findings=tuple(replace(f, fixes=_own(f, fixes, explained)) for f in report.findings),
    )


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
