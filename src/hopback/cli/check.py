"""``hopback check``: the main job."""

import click

from hopback.checks.diagnose import diagnose
from hopback.cli import exits
from hopback.cli.assume import Assumption, assume_option
from hopback.cli.output import color_option, emit, page_width, show, tell_problems
from hopback.cli.reading import netns_option, read_sources
from hopback.findings import Report
from hopback.remedies.attach import with_remedies
from hopback.sources.open import LIVE

_LEVELS = ("info", "warning", "error")


@click.command("check")
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option("-j", "--json", "as_json", is_flag=True, help="Print one JSON document.")
@netns_option
@assume_option
@click.option(
    "--fail-on",
    type=click.Choice([*reversed(_LEVELS), "never"]),
    default="warning",
    show_default=True,
    help="Exit 1 for findings from this severity on; never: not for an open verdict either.",
)
@click.option(
    "--prove", is_flag=True, help="Try to prove a clear verdict, however large the network."
)
@color_option
def command(
    sources: tuple[str, ...],
    as_json: bool,
    netns: tuple[str, ...],
    assumed: tuple[Assumption, ...],
    fail_on: str,
    prove: bool,
    color: str,
) -> int:
    """Say what comes back, why, and what to do.

    Without SOURCE this host is read, live; nothing is changed on it. Several sources are several
    hosts of one network.
    """
    read = read_sources(sources or (LIVE,), netns, assumed)
    report = with_remedies(read.snapshots, diagnose(read.snapshots, read.problems, prove=prove))
    tell_problems(report.problems)
    if as_json:
        from hopback.render.json_v1 import check_json

        emit(check_json(report))
    elif read.snapshots:
        from hopback.render.terminal import render_check

        show(render_check(report, page_width()), color)
    return exits.worst((read.code, verdict_code(report, fail_on)))


def verdict_code(report: Report, fail_on: str) -> int:
    """The exit code of a report, where findings count from the severity ``fail_on`` on."""
    if fail_on == "never":
        return exits.CLEAR
    counted = _LEVELS[_LEVELS.index(fail_on) :]
    if report.verdict != "clear" or any(
        f.severity in counted for f in report.findings if f.group != "benign"
    ):
        return exits.FOUND
    return exits.CLEAR
