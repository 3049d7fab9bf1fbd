"""Snapshots with some rows changed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hopback.frames.mac import Mac
from hopback.snapshot.model import TABLES, Snapshot
from hopback.snapshot.patch import Add, Remove, Replace, patch, rows_at, without
from hopback.snapshot.rows import BridgePort, Fdb, Row
from hopback.snapshot.table import Cite, Extent, Rows
from tests.snapshot.samples import any_row, cites, snapshots

HERE = Cite(0, 1)
ENTRY = Fdb(cite=HERE, mac=Mac(1), dev="tap0")
PORT = BridgePort(cite=HERE, name="tap0", bridge="br0")
TABLE = Snapshot(fdb=Rows((ENTRY,), (Extent(0),)), ports=Rows((PORT,)))


@given(snapshots(), any_row)
@settings(max_examples=40, deadline=None)
def test_added_row_can_be_removed(snapshot: Snapshot, row: Row) -> None:
    added = patch(snapshot, [Add(row)])
    table = getattr(added, TABLES[type(row)])
    assert table.rows[-1] == row
    kept = tuple(other for other in getattr(snapshot, TABLES[type(row)]).rows if other != row)
    assert getattr(patch(added, [Remove(row)]), TABLES[type(row)]).rows == kept


@given(snapshots(), cites)
@settings(max_examples=40, deadline=None)
def test_without_takes_exactly_what_is_at(snapshot: Snapshot, cite: Cite) -> None:
    left = without(snapshot, cite)
    assert rows_at(left, cite) == ()
    before = sum(len(table.rows) for _, table in snapshot.tables())
    after = sum(len(table.rows) for _, table in left.tables())
    assert before - after == len(rows_at(snapshot, cite))


@given(snapshots())
@settings(max_examples=30, deadline=None)
def test_no_edits_no_change(snapshot: Snapshot) -> None:
    assert patch(snapshot, []) == snapshot


def test_replaced_row_keeps_its_place() -> None:
    other = replace(ENTRY, mac=Mac(2))
    table = Snapshot(fdb=Rows((ENTRY, other), (Extent(0),)))
    new = replace(ENTRY, dev="bond0")
    assert patch(table, [Replace(ENTRY, new)]).fdb == Rows((new, other), (Extent(0),))


def test_edits_follow_each_other() -> None:
    moved = replace(ENTRY, dev="bond0")
    assert patch(TABLE, [Replace(ENTRY, moved), Remove(moved)]).fdb == Rows((), (Extent(0),))


def test_rows_of_several_tables_may_share_a_line() -> None:
    assert set(rows_at(TABLE, HERE)) == {ENTRY, PORT}


@pytest.mark.parametrize("edit", [Remove(replace(ENTRY, mac=Mac(9))), Replace(ENTRY, PORT)])
def test_impossible_edit_is_refused(edit: Remove | Replace) -> None:
    with pytest.raises(ValueError, match=r"no such row|cannot replace"):
        patch(TABLE, [edit])


@given(st.lists(any_row, max_size=3))
@settings(max_examples=30, deadline=None)
def test_row_of_missing_table_covers_nothing(rows: list[Row]) -> None:
    patched = patch(Snapshot(), map(Add, rows))
    assert sum(len(table.rows) for _, table in patched.tables()) == len(rows)
    assert not any(table.complete() for _, table in patched.tables())
