"""What changed between two snapshots, no matter where it was read."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from hopback.snapshot.keys import key_of, said
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Row
from hopback.snapshot.table import Missing


class Change(NamedTuple):
    """A row that says something else of the same thing."""

    old: Row
    new: Row


class TableDiff(NamedTuple):
    """One table's changes. ``appeared`` and ``vanished`` say that the whole table did."""

    table: str
    added: tuple[Row, ...] = ()
    removed: tuple[Row, ...] = ()
    changed: tuple[Change, ...] = ()
    appeared: bool = False
    vanished: bool = False


def diff(old: Snapshot, new: Snapshot) -> tuple[TableDiff, ...]:
    """The tables that differ, in the order of the snapshot's fields; rows in reading order."""
    found = []
    for (name, before), (_, after) in zip(old.tables(), new.tables(), strict=True):
        appeared = isinstance(before, Missing) and not isinstance(after, Missing)
        vanished = isinstance(after, Missing) and not isinstance(before, Missing)
        added, removed = _surplus(after.rows, before.rows), _surplus(before.rows, after.rows)
        changed = _pair(removed, added)
        gone = {id(change.old) for change in changed}
        come = {id(change.new) for change in changed}
        table = TableDiff(
            name,
            tuple(row for row in added if id(row) not in come),
            tuple(row for row in removed if id(row) not in gone),
            changed,
            appeared,
            vanished,
        )
        if any(table[1:]):
            found.append(table)
    return tuple(found)


def _surplus(rows: Iterable[Row], others: Iterable[Row]) -> list[Row]:
    """The rows that ``others`` do not match one by one."""
    left: defaultdict[Row, int] = defaultdict(int)
    for row in others:
        left[said(row)] += 1
    surplus = []
    for row in rows:
        what = said(row)
        if left[what]:
            left[what] -= 1
        else:
            surplus.append(row)
    return surplus


def _pair(removed: Iterable[Row], added: Iterable[Row]) -> tuple[Change, ...]:
    """Removed and added rows that are about the same thing, each used once."""
    waiting: defaultdict[object, list[Row]] = defaultdict(list)
    for row in removed:
        if (key := key_of(row)) is not None:
            waiting[key].append(row)
    pairs = []
    for row in added:
        if (key := key_of(row)) is not None and waiting[key]:
            pairs.append(Change(waiting[key].pop(0), row))
    return tuple(pairs)
