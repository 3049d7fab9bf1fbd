"""A snapshot with some rows changed: a fix tried before it is applied, a row taken away."""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from hopback.snapshot.model import TABLES, Snapshot
from hopback.snapshot.rows import Row
from hopback.snapshot.table import Cite, Missing, Rows


class Add(NamedTuple):
    """Put a row at the end of its table."""

    row: Row


class Remove(NamedTuple):
    """Take a row (every equal one) out of its table."""

    row: Row


class Replace(NamedTuple):
    """Put ``new`` where ``old`` stands; both belong to one table."""

    old: Row
    new: Row


Edit = Add | Remove | Replace


def patch(snapshot: Snapshot, edits: Iterable[Edit]) -> Snapshot:
    """The snapshot after the edits, one after the other; it keeps its extents and sources.

    A row added to a missing table makes it a table that covers nothing. Raises ValueError for a
    row to remove or replace that is not there, and for a replacement of another type.
    """
    rows: dict[str, list[Row]] = {}

    def table_of(row: Row) -> list[Row]:
        name = TABLES[type(row)]
        return rows.setdefault(name, list(getattr(snapshot, name).rows))

    for edit in edits:
        match edit:
            case Add(row):
                table_of(row).append(row)
            case Remove(row):
                _require(row, table := table_of(row))
                table[:] = [other for other in table if other != row]
            case Replace(old, new):
                if type(old) is not type(new):
                    raise ValueError(f"{type(new).__name__} cannot replace {type(old).__name__}")
                _require(old, table := table_of(old))
                table[:] = [new if other == old else other for other in table]
    return _with_rows(snapshot, rows)


def without(snapshot: Snapshot, cite: Cite) -> Snapshot:
    """The snapshot without the rows that were read at ``cite``."""
    rows = {
        name: [row for row in table.rows if row.cite != cite]
        for name, table in snapshot.tables()
        if any(row.cite == cite for row in table.rows)
    }
    return _with_rows(snapshot, rows)


def rows_at(snapshot: Snapshot, cite: Cite) -> tuple[Row, ...]:
    """The rows that were read at ``cite``, in the order of the tables."""
    return tuple(row for _, table in snapshot.tables() for row in table.rows if row.cite == cite)


def _require(row: Row, table: list[Row]) -> None:
    if row not in table:
        raise ValueError(f"no such row: {row}")


def _with_rows(snapshot: Snapshot, rows: dict[str, list[Row]]) -> Snapshot:
    tables = {}
    for name, changed in rows.items():
        table = getattr(snapshot, name)
        extents = () if isinstance(table, Missing) else table.extents
        tables[name] = Rows(tuple(changed), extents)
    return replace(snapshot, **tables)
