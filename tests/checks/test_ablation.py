"""A finding rests on the rows that it cites, and on no other.

Take a cited row away and the finding changes or goes; take any other row away and it stays as it
is, to the letter. A check that looked for words instead of facts could not pass this.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from hopback.checks.diagnose import diagnose
from hopback.findings import Finding
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import without
from hopback.snapshot.table import Cite
from hopback.sources.open import open_source

FIXTURES = Path(__file__).parents[1] / "fixtures"
SOURCES = ("incident-b/paste.txt", "libvirt", "vm61-bond", "weave-trunk/paste.txt")
UNCITED_MAX = 250
"""Enough to meet every table; the rest of a long one is more of the same."""

Key = tuple[str, str, str]


def findings(snapshots: Sequence[Snapshot]) -> Mapping[Key, Finding]:
    found = diagnose(snapshots).findings
    return {(f.check, f.host, f.subject): f for f in found if f.group != "benign"}


def cites(snapshot: Snapshot) -> list[Cite]:
    return list(dict.fromkeys(row.cite for _, table in snapshot.tables() for row in table.rows))


def cited_by(finding: Finding, snapshot: Snapshot, cite: Cite) -> bool:
    source = snapshot.sources[cite.source].name
    return any(
        (e.host, e.source, e.line) == (snapshot.host, source, cite.line) for e in finding.because
    )


@pytest.mark.parametrize("name", SOURCES)
def test_cited_rows_decide_and_others_do_not(name: str) -> None:
    snapshots = open_source(str(FIXTURES / name)).snapshots
    before = findings(snapshots)
    assert before, "the source has findings to try"
    used: set[Key] = set()
    left = UNCITED_MAX
    for snapshot in snapshots:
        for cite in cites(snapshot):
            deciding = {k for k, f in before.items() if cited_by(f, snapshot, cite)}
            if not deciding:
                left -= 1
                if left < 0:
                    continue
            rest = [without(s, cite) if s is snapshot else s for s in snapshots]
            after = findings(rest)
            for key, finding in before.items():
                same = after.get(key) == finding
                assert same != (key in deciding), f"{key}: {snapshot.sources[cite.source]} {cite}"
            used |= deciding
    assert used == set(before), "every finding cites something"
