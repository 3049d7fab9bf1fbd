"""``hopback lab`` of directors: the ring that their tables make, on a real kernel."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import click

from hopback.checks.case import Case
from hopback.checks.handovers import rings
from hopback.cli import exits
from hopback.cli.output import emit, page_width, patience, show
from hopback.lab.observed import Runner
from hopback.lab.ring.compare import RingResult, compare_ring
from hopback.lab.ring.plan import RingDesign, ring_design
from hopback.lab.steps import Facility
from hopback.remedies.balanced import names, remedied
from hopback.remedies.ipvs_ring import Directed, directed
from hopback.snapshot.model import Snapshot
from hopback.snapshot.table import Problem


class Ringed(NamedTuple):
    """What there is to be rebuilt: the ring, and the tables that it was found in."""

    case: Case
    ring: Directed
    snapshots: tuple[Snapshot, ...]


def ringed(case: Case, snapshots: Sequence[Snapshot]) -> Ringed | None:
    """The first ring of directors, if there is one."""
    known = rings(case.directors)
    for service in case.directors.services:
        ring = directed(case, service, known)
        if ring is not None:
            return Ringed(case, ring, tuple(snapshots))
    return None


def made(what: Ringed, fix: str | None, *, capable: tuple[Facility, ...]) -> RingDesign:
    """The plan; ``fix`` by its name. Raises Refused, and click.UsageError for an unknown fix."""
    tried = None
    if fix is not None:
        there = names(what.ring)
        if fix not in there:
            raise click.UsageError(f"no fix {fix!r} here; there are: {', '.join(there)}")
        tried = remedied(what.snapshots, what.ring, fix)
    return ring_design(what.case, what.ring, fix=tried, capable=capable)


class Shown(NamedTuple):
    """How to show the result; ``where`` in words, ``place`` for programs."""

    as_json: bool
    color: str
    problems: tuple[Problem, ...]
    where: str
    place: Literal["netns", "uml"]


def play(design: RingDesign, runner: Callable[[], Runner], shown: Shown) -> int:
    """Play it and say what came of it: 0 if nothing goes round (with a fix: then), else 1."""
    with patience(f"playing on {shown.where}"):
        observed = runner().run(design.plan)
    result = compare_ring(design, observed)
    if shown.as_json:
        from hopback.render.ring_json_v1 import ring_json

        emit(ring_json(design, result, shown.place, shown.problems))
    else:
        from hopback.render.ring_text import render_ring

        show(render_ring(design, result, shown.where, page_width()), shown.color)
    return exits.CLEAR if _well(result) else exits.FOUND


def show_plan(design: RingDesign, color: str) -> int:
    """Print what would be built and played."""
    from hopback.render.ring_text import render_ring_plan

    show(render_ring_plan(design, page_width()), color)
    return exits.CLEAR


def _well(result: RingResult) -> bool:
    if result.deaf or result.differences:
        return False
    return result.mended if result.fixed is not None else not result.went_round
