"""``--assume``: what the user says of a host where no listing tells it."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import click
from msgspec.structs import replace

from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Kernel
from hopback.snapshot.table import Cite, Problem, Rows, Source

_FORM = re.compile(r"(?:(?P<host>.+):)?kernel=(?P<release>\d+\.\d+[^\s,;:=]{0,100})")
_ORIGIN = "the command line"


class Assumption(NamedTuple):
    """A kernel's release; ``host`` is the label of the only host that is meant, None for all."""

    text: str
    host: str | None
    release: str

    @property
    def name(self) -> str:
        """As it was given."""
        return f"--assume {self.text}"


def parse_assumptions(
    _: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> tuple[Assumption, ...]:
    """The values of the option; click.BadParameter for one of another form, or two of one host."""
    found: dict[str | None, Assumption] = {}
    for value in values:
        match = _FORM.fullmatch(value)
        if match is None:
            raise click.BadParameter(f"{value!r} is not [HOST:]kernel=RELEASE", param=parameter)
        if match["host"] in found:
            raise click.BadParameter(f"{value!r}: two kernels of one host", param=parameter)
        found[match["host"]] = Assumption(value, match["host"], match["release"])
    return tuple(found.values())


assume_option = click.option(
    "--assume",
    "assumed",
    multiple=True,
    metavar="[HOST:]kernel=RELEASE",
    callback=parse_assumptions,
    help="Take this kernel (4.4.0) for hosts, or this one, of which no listing tells it.",
)


def assume(
    snapshots: Iterable[Snapshot], assumptions: Sequence[Assumption]
) -> tuple[tuple[Snapshot, ...], tuple[Problem, ...]]:
    """The snapshots with what is assumed of them, each from a source of its own.

    What a listing tells stays; a problem says so where it is not what was assumed. Raises
    click.UsageError for a host that there is not.
    """
    by_host = {one.host: one for one in assumptions}
    snapshots = tuple(snapshots)
    if snapshots and (
        unknown := by_host.keys() - {None} - {snapshot.host for snapshot in snapshots}
    ):
        there = ", ".join(snapshot.host for snapshot in snapshots if snapshot.host) or "none named"
        raise click.UsageError(f"--assume: no host {min(map(str, unknown))!r}; there are: {there}")
    problems: list[Problem] = []
    done: list[Snapshot] = []
    for snapshot in snapshots:
        one = by_host.get(snapshot.host) or by_host.get(None)
        told = {row.release for row in snapshot.kernels.rows}
        if one is not None and told - {one.release}:
            host = snapshot.host or "the host"
            message = f"{host} says that its kernel is {', '.join(sorted(told))}: that is taken"
            problems.append(Problem(one.name, 0, message))
        done.append(snapshot if one is None or told else _with_kernel(snapshot, one))
    return tuple(done), tuple(problems)


def _with_kernel(snapshot: Snapshot, one: Assumption) -> Snapshot:
    source = Source(one.name, _ORIGIN, 1, one.text)
    row = Kernel(cite=Cite(len(snapshot.sources), 1), release=one.release)
    kernels = Rows((row,), snapshot.kernels.extents)
    return replace(snapshot, sources=(*snapshot.sources, source), kernels=kernels)
