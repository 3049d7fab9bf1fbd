"""Whatever rows are lost, doubled, mixed up or shuffled: a diagnosis, and always the same one."""

import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hopback.checks.diagnose import diagnose
from hopback.checks.policy import POLICY
from hopback.findings import Report
from hopback.remedies.attach import with_remedies
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Row
from hopback.snapshot.table import Missing, Rows
from hopback.sources.open import open_source

FIXTURES = Path(__file__).parents[1] / "fixtures"
NAMES = (
    "libvirt",
    "vm61-bond",
    "incident-b",
    "weave-trunk",
    "directors/split/a directors/split/b",
    "tunnel-recursion/left tunnel-recursion/right",
    "vrf-leak",
)
"""Each in one or several places, for as many hosts."""


@cache
def recorded(name: str) -> tuple[Snapshot, ...]:
    found = [s for part in name.split() for s in open_source(str(FIXTURES / part)).snapshots]
    assert found
    return tuple(found)


def damaged(snapshot: Snapshot, chance: random.Random) -> Snapshot:
    tables: dict[str, Rows[Row] | Missing] = {}
    for name, table in snapshot.tables():
        if isinstance(table, Missing):
            continue
        if chance.random() < 0.05:
            tables[name] = Missing("not in what was given", "")
            continue
        rows = [row for row in table.rows if chance.random() < 0.9]
        rows += [row for row in rows if chance.random() < 0.1]
        rows = [_mixed(row, rows, chance) if chance.random() < 0.1 else row for row in rows]
        if chance.random() < 0.5:
            chance.shuffle(rows)
        extents = tuple(e for e in table.extents if chance.random() < 0.9)
        tables[name] = Rows(tuple(rows), extents)
    return replace(snapshot, **tables)


def _mixed(row: Row, rows: Sequence[Row], chance: random.Random) -> Row:
    """The row with one field as another row of its table has it, or nobody told."""
    field = chance.choice([f for f in row.__struct_fields__ if f != "cite"])
    other = chance.choice(rows)
    return replace(row, **{field: getattr(other, field)})


def whole(snapshots: Sequence[Snapshot]) -> Report:
    return with_remedies(snapshots, diagnose(snapshots))


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=40)
def test_damaged_tables_are_diagnosed_and_always_alike(name: str, seed: int) -> None:
    chance = random.Random(seed)
    snapshots = [damaged(s, chance) for s in recorded(name)]
    report = whole(snapshots)
    assert report == whole(snapshots)
    for finding in report.findings:
        assert finding.check in POLICY
        assert finding.group == POLICY[finding.check].group
        assert finding.summary
    likely = [
        f
        for f in report.findings
        if f.group == "comes-back" and f.confidence != "possible" and f.severity != "info"
    ]
    assert (report.verdict == "comes-back") == bool(likely)
    assert report.verdict != "clear" or not report.gaps


@given(seed=st.integers(0, 2**32))
@settings(max_examples=40)
def test_hosts_in_any_company(seed: int) -> None:
    chance = random.Random(seed)
    snapshots = [
        replace(damaged(s, chance), host=f"{name} {i}")
        for name in chance.sample(NAMES, 3)
        for i, s in enumerate(recorded(name))
    ]
    assert whole(snapshots) == whole(snapshots)


@pytest.mark.parametrize("name", NAMES)
def test_no_table_at_all(name: str) -> None:
    bare = [Snapshot(host=s.host, sources=s.sources) for s in recorded(name)]
    assert whole(bare).verdict == "undecided"
