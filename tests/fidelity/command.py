"""The command: which kernel, which areas, how long; what it found, and one line at the end."""

import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import click
import msgspec

from hopback.lab.uml import boot
from hopback.lab.uml.find import UmlError
from tests.fidelity.area import Area
from tests.fidelity.areas import areas
from tests.fidelity.report import AreaRun, last_line, told, verdict
from tests.fidelity.run import Tally, run

Enough = Callable[[Tally[Any]], bool]

_UML_FRAMES_PER_SECOND = 40  # the least that it did on a busy machine
_UML_BOOT_SECONDS = 120


@click.command()
@click.option(
    "--kernel",
    type=click.Choice(["any", "host", "uml"]),
    default="any",
    show_default=True,
    help="any: the running one, but user-mode Linux for an area that it lacks.",
)
@click.option("--area", default="all", show_default=True, help="One area, or all the kernel has.")
@click.option("--seed", default=1, show_default=True)
@click.option("--seconds", default=30.0, show_default=True, help="How long, all areas together.")
@click.option("--frames", type=int, help="How many frames, instead of how long.")
@click.option("--json", "as_json", is_flag=True, help="Also one JSON document for each area.")
def main(
    kernel: str, area: str, seed: int, seconds: float, frames: int | None, as_json: bool
) -> None:
    """Hold the model against a kernel. Exit code 1 if they differ or a mutant gets by."""
    kernel = _kernel(kernel, area)
    if kernel == "uml" and not _inside_uml():
        sys.exit(_in_uml(seconds if frames is None else frames / _UML_FRAMES_PER_SECOND))
    chosen = _chosen(area)
    click.echo(f"kernel {os.uname().release}, seed {seed}")
    runs = []
    for each in chosen:
        enough = _enough(seconds / len(chosen), frames and frames // len(chosen))
        runs.append(_run(kernel, each, seed, enough))
        if as_json:
            click.echo(msgspec.json.encode(runs[-1]))
    click.echo(last_line(kernel, area, runs))
    sys.exit(any(r.mismatches or r.caught < r.mutants for r in runs))


def _run(kernel: str, area: Area[Any], seed: int, enough: Enough) -> AreaRun:
    """One area, and for people what it found."""
    began = time.monotonic()
    tally = run(area, Random(f"{seed}/{area.name}"), enough)
    spent = time.monotonic() - began
    click.echo(verdict(area, tally, spent))
    if tally.first is not None:
        click.echo(told(area.name, tally.first, seed))
    return AreaRun(
        kernel=kernel,
        release=re.split(r"[^\d.]", os.uname().release)[0],
        area=area.name,
        cases=tally.cases,
        frames=tally.frames,
        mismatches=tally.mismatches,
        caught=len(tally.caught),
        mutants=len(area.rules),
        date=time.strftime("%Y-%m-%d"),
        not_covered=area.not_covered,
    )


def _kernel(asked: str, area: str) -> str:
    """Which kernel to ask."""
    if asked != "any":
        return asked
    known = areas()
    lacks = area in known and known[area].refusal() is not None
    return "uml" if lacks or _inside_uml() else "host"


def _chosen(name: str) -> Sequence[Area[Any]]:
    """The areas that were asked for; usage errors for one that does not exist or cannot be had."""
    known = areas()
    if name != "all" and name not in known:
        raise click.UsageError(f"no area {name}: there are {', '.join(known)}")
    wanted = list(known.values()) if name == "all" else [known[name]]
    refusals = {area.name: reason for area in wanted if (reason := area.refusal())}
    for refused, reason in refusals.items():
        click.echo(f"{refused}: not on this kernel: {reason}", err=True)
    if len(refusals) == len(wanted):
        raise click.UsageError("nothing that this kernel can be asked")
    return [area for area in wanted if area.name not in refusals]


def _enough(seconds: float, frames: int | None) -> Enough:
    if frames is not None:
        return lambda tally: tally.frames >= frames
    end = time.monotonic() + seconds
    return lambda _: time.monotonic() >= end


def _inside_uml() -> bool:
    return "User Mode Linux" in Path("/proc/cpuinfo").read_text()


def _in_uml(seconds: float) -> int:
    """The same command on the user-mode kernel; its exit code."""
    try:
        return boot.run_python(
            "tests.fidelity",
            sys.argv[1:],
            seconds=2 * seconds + _UML_BOOT_SECONDS,
            output=sys.stdout.buffer,
            errors=sys.stderr.buffer,
        ).code
    except UmlError as error:
        raise click.ClickException(str(error)) from error
