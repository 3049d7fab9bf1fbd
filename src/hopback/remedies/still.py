"""Whether the state that a plan was made from is still there: the rows that its finding cites."""

from collections.abc import Iterable, Sequence

from hopback.findings import Finding
from hopback.snapshot.keys import KEYS, key_of
from hopback.snapshot.model import TABLES, Snapshot
from hopback.snapshot.quote import quote
from hopback.snapshot.render import render
from hopback.snapshot.rows import (
    Fdb,
    FilterRule,
    IpvsConnection,
    IpvsCount,
    IpvsServer,
    KernelCounter,
    Neighbour,
    Row,
)
from hopback.snapshot.table import Cite

_PASSING: dict[type[Row], tuple[str, ...]] = {
    Fdb: ("age",),
    Neighbour: ("state",),
    FilterRule: ("packets", "text"),  # the text has the counter too
    IpvsServer: ("active", "inactive"),
}
"""What changes by itself while nothing changes."""

_FLEETING = (IpvsConnection, IpvsCount, KernelCounter)
"""Rows that are others a moment later, whatever they told."""


def cited_rows(snapshot: Snapshot, finding: Finding) -> tuple[Row, ...]:
    """The rows of ``snapshot`` that the finding rests on; without events, of which more may come.

    Evidence names its source, and several namespaces have sources of one name: the text tells.
    """
    numbers: dict[str, list[int]] = {}
    for number, source in enumerate(snapshot.sources):
        numbers.setdefault(source.name, []).append(number)
    texts = {
        Cite(number, e.line, e.item): e.text
        for e in finding.because
        for number in numbers.get(e.source, ())
    }
    rows: dict[Cite, list[Row]] = {}
    for _, table in snapshot.tables():
        for row in table.rows:
            if row.cite in texts:
                rows.setdefault(row.cite, []).append(row)
    found = (rows[cite] for cite in rows if quote(snapshot, cite) == texts[cite])
    lasting = (row for here in found for row in here if not isinstance(row, _FLEETING))
    return tuple(row for row in lasting if KEYS[type(row)])


def stranger(snapshot: Snapshot, machine_id: str | None, boot_id: str | None) -> str | None:
    """Why ``snapshot`` is not known to be of this machine, in this boot; None if it is.

    A cloned machine has the machine id of its original, but boots by itself.
    """
    rows = snapshot.identities.rows
    known = next((r for r in rows if r.machine_id and r.boot_id), None)
    if known is None:
        return "does not tell of which machine it is (hopback collect does)"
    if known.machine_id != machine_id:
        return "is of another machine"
    if known.boot_id != boot_id:
        return "is from before a reboot, or of a clone of this machine"
    return None


def changes(rows: Sequence[Row], now: Snapshot) -> tuple[str, ...]:
    """What ``now`` says differently of the things that ``rows`` are about, a line each.

    What ``rows`` do not say cannot differ.
    """
    there: dict[object, list[Row]] = {}
    for kind in {type(row) for row in rows}:
        for row in getattr(now, TABLES[kind]).rows:
            there.setdefault((kind, key_of(row)), []).append(row)
    told = (_change(row, there.get((type(row), key_of(row)), ())) for row in rows)
    return tuple(dict.fromkeys(line for line in told if line is not None))


def _change(was: Row, now: Sequence[Row]) -> str | None:
    if any(_agree(was, row) for row in now):
        return None
    return f"was “{render(was)}”, is “{render(now[0])}”" if now else f"is gone: “{render(was)}”"


def _agree(was: Row, now: Row) -> bool:
    passing = ("cite", *_PASSING.get(type(was), ()))
    fields: Iterable[str] = (f for f in was.__struct_fields__ if f not in passing)
    return all(getattr(was, f) in (None, getattr(now, f)) for f in fields)
