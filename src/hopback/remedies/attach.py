"""Gives findings their remedies, each tried in the model before it is offered."""

from collections.abc import Sequence

from msgspec.structs import replace

from hopback.findings import Report
from hopback.remedies.misplaced import misplaced
from hopback.remedies.reflected import reflected
from hopback.snapshot.model import Snapshot


def with_remedies(snapshots: Sequence[Snapshot], report: Report) -> Report:
    """``report`` with remedies where there are some, the best first.

    The remedy of a symptom that a cause explains stands with the cause.
    """
    fixes = {**misplaced(snapshots, report), **reflected(snapshots, report)}
    if not fixes:
        return report
    found = enumerate(report.findings)
    return replace(report, findings=tuple(replace(f, fixes=fixes.get(n, ())) for n, f in found))
