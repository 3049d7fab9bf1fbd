"""Gives findings their remedies, each tried in the model before it is offered."""

from collections.abc import Sequence

from msgspec.structs import replace

from hopback.findings import Fix, Report
from hopback.remedies import target
from hopback.snapshot.model import Snapshot


def with_remedies(snapshots: Sequence[Snapshot], report: Report) -> Report:
    """``report`` with remedies where there are some, the best first.

    The remedy of a symptom that a cause explains stands with the cause. Most reports need none, so
    what tries them is imported where one does.
    """
    found = {finding.check for finding in report.findings}
    fixes: dict[int, tuple[Fix, ...]] = {}
    if "fdb-misplaced" in found:
        from hopback.remedies.misplaced import misplaced

        fixes.update(misplaced(snapshots, report))
    if not found.isdisjoint(target.CHECKS):
        from hopback.remedies.reflected import reflected

        fixes.update(reflected(snapshots, report))
    if "routing-loop" in found:
        from hopback.remedies.routed import routed

        fixes.update(routed(snapshots, report))
    if "ipvs-loop" in found:
        from hopback.remedies.balanced import balanced

        fixes.update(balanced(snapshots, report))
    if "ipvs-arp-leak" in found:
        from hopback.remedies.arp_silence import silenced

        fixes.update(silenced(snapshots, report))
    if not fixes:
        return report
    numbered = enumerate(report.findings)
    return replace(report, findings=tuple(replace(f, fixes=fixes.get(n, ())) for n, f in numbered))
