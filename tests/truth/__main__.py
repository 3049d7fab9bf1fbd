"""``make truth``: prints the tables, and how many of their rows disagree."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import groupby
from operator import attrgetter

import click

from hopback.lab.uml.find import UmlMissing
from tests.kernel.refusal import refusal
from tests.truth.directors import directors
from tests.truth.tables import SCENES, Row, fixes, floating, settings

_TABLES: Mapping[str, Callable[[], Iterator[Row]]] = {
    "settings": settings,
    **{scene: partial(fixes, scene) for scene in SCENES},
    "floating": floating,
    "directors": directors,
}


def main() -> int:
    """The exit code: 0 if nothing disagrees, 1 if something does, 77 if no kernel can be asked."""
    parser = argparse.ArgumentParser(prog="python -m tests.truth", description=__doc__)
    parser.add_argument("--table", choices=_TABLES, action="append", help="only this one")
    chosen = parser.parse_args().table or list(_TABLES)
    if why := refusal():
        click.echo(f"no kernel to ask: {why}", err=True)
        return 77
    rows = (row for name in chosen for row in _TABLES[name]())
    try:
        counted = [_print_table(list(table)) for _, table in groupby(rows, attrgetter("table"))]
    except UmlMissing as missing:
        click.echo(f"no kernel to ask: {missing}", err=True)
        return 77
    disagreements = sum(bad for _, bad in counted)
    click.echo(f"truth rows={sum(n for n, _ in counted)} disagreements={disagreements}")
    return int(disagreements > 0)


def _print_table(rows: list[Row]) -> tuple[int, int]:
    questions = list(rows[0].kernel)
    known = "proof" if rows[0].expected is None else "expected"
    cells = [("", "model", known, "kernel"), *map(_cells, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(4)]
    click.echo(f"\n{rows[0].table}\n  asked: {', '.join(questions)}")
    for row, line in zip((None, *rows), cells, strict=True):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo(f"  {text}{'' if row is None or row.agrees else '  <- disagree'}".rstrip())
    sys.stdout.flush()
    return len(rows), sum(not row.agrees for row in rows)


def _cells(row: Row) -> tuple[str, str, str, str]:
    proof = "-"
    if row.proof is not None:
        proof = "proved" if row.proof.proved else "open"
        proof = "rejected" if row.proof.rejected_because else proof
    if row.expected is not None:
        proof = "  ".join(row.expected.values())
    model, kernel = ("  ".join(told.values()) for told in (row.model, row.kernel))
    return row.name, model, proof, kernel


if __name__ == "__main__":
    sys.exit(main())
