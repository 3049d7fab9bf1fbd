"""``hopback lab``: the incident rebuilt on a real kernel, beside what the model says."""

import functools
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal, NamedTuple, TypeVar

import click

from hopback.checks.case import Case
from hopback.cli import exits
from hopback.cli.assume import Assumption, assume_option
from hopback.cli.choose import as_text, choose_only, choose_server, choose_station
from hopback.cli.lab_ring import Ringed, Shown, made, play, ringed, show_plan
from hopback.cli.output import (
    color_option,
    complain,
    emit,
    page_width,
    patience,
    show,
    tell_problems,
)
from hopback.cli.reading import netns_option, read_sources
from hopback.lab.compare import compare
from hopback.lab.duplicates import Nonce
from hopback.lab.neighbours import KINDS, Kind
from hopback.lab.netns import isolate
from hopback.lab.netns.runner import NetnsRunner
from hopback.lab.observed import Runner
from hopback.lab.plan import FIXES, Design, design
from hopback.lab.steps import Facility, Refused
from hopback.lab.uml import runner as uml
from hopback.lab.uml.find import UmlMissing, find
from hopback.network.build import build
from hopback.snapshot.table import Problem

Where = Literal["netns", "uml"]
Made = TypeVar("Made")

_WORDS: dict[Where, str] = {
    "netns": "the running kernel, in network namespaces",
    "uml": "a user-mode kernel",
}
_FACILITIES: dict[Where, Callable[[], tuple[Facility, ...]]] = {
    "netns": isolate.facilities,
    "uml": uml.facilities,
}


class Output(NamedTuple):
    """How to show the result."""

    as_json: bool
    color: str
    problems: tuple[Problem, ...]


@click.command("lab")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--to",
    "--from",
    "station",
    metavar="GUEST",
    help="The guest, as for trace.  [default: the only one, or the only one gone astray]",
)
@click.option(
    "--uplink",
    type=click.Choice(KINDS),
    help="What lies beyond the ways out: the server itself (silent), a switch before it, a switch"
    " that returns what it gets (reflector), two switches joined twice (two-link-loop); of a bond"
    " that is rebuilt, a switch that takes its legs for one link (lag) or for separate ports"
    " (no-lag).  [default: if the table has the guest out there no-lag for a bond that takes frames"
    " on every leg, else a reflector; if not, a switch]",
)
@click.option(
    "--fix",
    metavar="NAME",
    help=f"Play it once more with this remedy: {', '.join(FIXES)};"
    " for directors those of ipvs-loop.",
)
@click.option(
    "--in",
    "where",
    type=click.Choice(["netns", "uml"]),
    help="On the running kernel, or on a user-mode one.  [default: uml where it is installed and"
    " has what it needs]",
)
@click.option(
    "--server",
    metavar="PORT",
    help="The DHCP server is beyond this bridge port, or 'host'.  [default: as for trace]",
)
@click.option(
    "--enhanced-dad",
    "nonce",
    type=click.Choice(["on", "off"]),
    help="Whether the guest's duplicate detection carries a nonce, as Linux does since 4.10 unless"
    " the sysctl is 0: it then knows its own probes.  [default: as recorded, else off]",
)
@click.option("--partial", is_flag=True, help="Leave out what the lab cannot build.")
@click.option("--plan", "only_plan", is_flag=True, help="Print what would be done, and why.")
@click.option(
    "--keep",
    is_flag=True,
    help="Stay in a shell inside (netns); 'ip netns' lists what there is. 'exit' ends it all.",
)
@click.option("-j", "--json", "as_json", is_flag=True, help="Print one JSON document.")
@netns_option
@assume_option
@color_option
def command(
    sources: tuple[str, ...],
    station: str | None,
    uplink: Kind | None,
    fix: str | None,
    where: Where | None,
    server: str | None,
    nonce: Nonce | None,
    partial: bool,
    only_plan: bool,
    keep: bool,
    as_json: bool,
    netns: tuple[str, ...],
    assumed: tuple[Assumption, ...],
    color: str,
) -> int:
    """Rebuild a guest's bridge from SOURCE on a real kernel, and let the guest ask for a lease.

    Where the tables of IPVS directors (several SOURCEs) make a ring, that is rebuilt instead, and a
    client sends a packet.

    Nothing of this host is touched, and nothing is left behind. What the kernel does is shown
    beside what the model says. Exit code 0 if that is as recorded, all messages arrive, no probe
    comes back and no duplicate is seen (with --fix: then), else 1.
    """
    if keep and where == "uml":
        raise click.UsageError("--keep stays in namespaces: use it with --in netns")
    if keep and not os.isatty(0):
        raise click.UsageError("--keep needs a terminal")
    if only_plan and as_json:
        raise click.UsageError("--plan is text: leave out --json")
    read = read_sources(sources, netns, assumed)
    tell_problems(read.problems)
    if not read.snapshots:
        return read.code
    case = Case(build(read.snapshots))
    ring = ringed(case, read.snapshots) if station is None else None
    if ring is not None:
        return exits.worst(
            (read.code, _ring(ring, fix, where, only_plan, Output(as_json, color, read.problems)))
        )
    if fix is not None and fix not in FIXES:
        raise click.UsageError(f"no fix {fix!r} for a guest; there are: {', '.join(FIXES)}")
    chosen = (
        choose_station(case.network, as_text(station))
        if station is not None
        else choose_only(case.model)
    )
    place = choose_server(case.network, chosen, server) if server is not None else None
    planned = functools.partial(
        design,
        case.model,
        chosen,
        uplink=uplink,
        fix=fix,
        server=place,
        nonce=nonce,
        partial=partial,
    )
    try:
        place_of, designed = _made(planned, (where,) if where else _places(keep))
        if only_plan:
            return exits.worst((read.code, _show_plan(designed, color)))
        output = Output(as_json, color, read.problems)
        return exits.worst((read.code, _play(designed, place_of, keep, output)))
    except Refused as refused:
        complain(str(refused))
        return exits.DENIED if refused.denied else exits.UNREAD


def _ring(
    what: Ringed, fix: str | None, where: Where | None, only_plan: bool, output: Output
) -> int:
    """The lab of directors, on the first kernel that has IPVS."""
    try:
        place, plan = _made(functools.partial(made, what, fix), (where or _places(keep=False)[0],))
        if only_plan:
            return show_plan(plan, output.color)
        runner = NetnsRunner if place == "netns" else uml.UmlRunner
        shown = Shown(output.as_json, output.color, output.problems, _WORDS[place], place)
        return play(plan, runner, shown)
    except Refused as refused:
        complain(str(refused))
        return exits.DENIED if refused.denied else exits.UNREAD


def _made(planned: Callable[..., Made], places: Sequence[Where]) -> tuple[Where, Made]:
    """The plan for the first of the places whose kernel has what it needs."""
    for place in places[:-1]:
        with suppress(Refused):
            return place, planned(capable=_FACILITIES[place]())
    return places[-1], planned(capable=_FACILITIES[places[-1]]())


def _show_plan(made: Design, color: str) -> int:
    from hopback.render.lab_text import render_plan

    show(render_plan(made, page_width()), color)
    return exits.CLEAR


def _play(made: Design, place: Where, keep: bool, output: Output) -> int:
    kept = NetnsRunner(keep)
    runner: Runner = kept if place == "netns" else uml.UmlRunner()
    with patience(f"playing on {_WORDS[place]}"):
        observed = runner.run(made.plan)
    result = compare(made, observed)
    if output.as_json:
        from hopback.render.lab_json_v1 import lab_json

        emit(lab_json(made, observed, result, place, output.problems))
    else:
        from hopback.render.lab_text import render_lab

        show(render_lab(made, result, _WORDS[place], page_width()), output.color)
    kept.linger()
    return exits.CLEAR if result.well else exits.FOUND


def _places(keep: bool) -> tuple[Where, ...]:
    """The user-mode kernel first where there is one: what happens in it cannot touch the host."""
    if keep:
        return ("netns",)
    try:
        find()
    except UmlMissing:
        return ("netns",)
    return ("uml", "netns")
