"""Opens the sources of a command line, and keeps what could not be opened."""

from collections.abc import Sequence
from typing import NamedTuple

import click

from hopback.cli import exits
from hopback.cli.assume import Assumption, assume
from hopback.cli.output import patience
from hopback.snapshot.model import TABLES, Snapshot
from hopback.snapshot.rows import Unread
from hopback.snapshot.table import Problem
from hopback.sources.open import LIVE, Opened, open_source, tell_apart

netns_option = click.option(
    "--netns",
    multiple=True,
    metavar="NAME",
    help="Live only: read this network namespace (may be repeated) instead of all.",
)


class Read(NamedTuple):
    """The snapshots of all sources, all problems, and the exit code if that was not everything."""

    snapshots: tuple[Snapshot, ...]
    problems: tuple[Problem, ...]
    code: int


def read_sources(
    specs: Sequence[str], netns: Sequence[str] = (), assumed: Sequence[Assumption] = ()
) -> Read:
    """Open every source; those that cannot be read become problems and an exit code.

    Raises click.UsageError if ``netns`` is given with nothing live, a source has no name, or
    something is assumed of a host that is not there.
    """
    if "" in specs:
        raise click.UsageError("a SOURCE is empty: an unset variable?")
    if netns and LIVE not in specs:
        raise click.UsageError("--netns chooses what is read live: it goes with the source 'live'")
    opened = [_open(spec, netns) for spec in specs]
    snapshots = tell_apart(s for o in opened for s in o.snapshots)
    problems = [p for o in opened for p in _problems(o)]
    if all(o.unreadable is None for o in opened):
        code = exits.CLEAR
    elif not snapshots and any(o.denied for o in opened):
        code = exits.DENIED
    else:
        code = exits.UNREAD
    if code == exits.CLEAR and problems and not any(_understood(s) for s in snapshots):
        code = exits.UNREAD
    snapshots, contradictions = assume(snapshots, assumed)
    return Read(snapshots, (*problems, *contradictions), code)


def _open(spec: str, netns: Sequence[str]) -> Opened:
    with patience(f"reading {spec}"):
        return open_source(spec, netns)


def _problems(opened: Opened) -> tuple[Problem, ...]:
    whole: tuple[Problem, ...] = ()
    if opened.unreadable is not None:
        source, _, message = opened.unreadable.partition(": ")
        whole = (Problem(source, 0, message or "cannot be read"),)
    return (*whole, *opened.problems, *(p for s in opened.snapshots for p in s.problems))


def _understood(snapshot: Snapshot) -> bool:
    """Whether it holds more than notes of what was not understood."""
    return any(table.rows for name, table in snapshot.tables() if name != TABLES[Unread])
