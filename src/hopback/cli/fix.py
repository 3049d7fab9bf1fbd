"""``hopback fix``: the plan and its undo; with ``--apply`` carried out, and kept if confirmed."""

import re
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from hopback.checks.diagnose import diagnose
from hopback.checks.policy import POLICY
from hopback.cli import exits
from hopback.cli.assume import Assumption, assume_option
from hopback.cli.check import verdict_code
from hopback.cli.output import color_option, emit, page_width, show, tell_problems
from hopback.cli.reading import Read, netns_option, read_sources
from hopback.findings import Report
from hopback.remedies.attach import with_remedies
from hopback.remedies.plans import NoSuch, plans
from hopback.sources.open import LIVE

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = 24 * 3600.0


def _seconds(_: click.Context, __: click.Parameter, value: str) -> float:
    """The seconds in a time such as 90, 60s, 5m or 1h."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([smh]?)", value)
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < seconds <= _LONGEST:
        raise click.BadParameter(f"{value!r} is no time such as 60s, 5m or 1h (a day at most)")
    return seconds


def _checks(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in POLICY if name.startswith(incomplete)]


def _ids(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from hopback.remedies.apply.store import Store

    every = Store().all_unfinished()
    return [CompletionItem(r.id, help=r.fix) for r in every if r.id.startswith(incomplete)]


@click.command("fix")
@click.argument("source", required=False)
@click.argument("finding", required=False, shell_complete=_checks)
@click.option("-j", "--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--evidence",
    multiple=True,
    metavar="FILE",
    help="Read this too (may be repeated): a guest's log, or its addresses.",
)
@click.option(
    "--apply",
    "applying",
    is_flag=True,
    help="Carry the fix out. SOURCE has to be this host, live or collected since it was booted.",
)
@click.option(
    "--fix",
    "fix",
    metavar="NAME",
    help="With --apply: this one.  [default: the first that is proved and safe]",
)
@click.option("-y", "--yes", is_flag=True, help="With --apply: do not ask.")
@click.option(
    "--confirm-within",
    "within",
    metavar="TIME",
    callback=_seconds,
    default="60s",
    show_default=True,
    help="With --apply: undo everything unless it is confirmed in this time.",
)
@click.option(
    "--confirm", metavar="ID", shell_complete=_ids, help="Keep what was applied under this id."
)
@click.option(
    "--undo", metavar="ID", shell_complete=_ids, help="Undo it, at once or after all this time."
)
@click.option("--list", "listing", is_flag=True, help="Show what was applied here.")
@netns_option
@assume_option
@color_option
def command(
    source: str | None,
    finding: str | None,
    as_json: bool,
    evidence: tuple[str, ...],
    applying: bool,
    fix: str | None,
    yes: bool,
    within: float,
    confirm: str | None,
    undo: str | None,
    listing: bool,
    netns: tuple[str, ...],
    assumed: tuple[Assumption, ...],
    color: str,
) -> int:
    """Print what mends SOURCE, and what undoes it; change nothing without --apply.

    SOURCE is as for check; without one it is this host, live. FINDING is a check, or check:subject
    where there are several. What a guest suffers only the guest tells: see --evidence.

    With --apply the fix is carried out, and undone again unless somebody confirms it: with Enter on
    the terminal, or with --confirm ID from anywhere. A process of its own keeps the time, so a lost
    connection undoes it too. So does a reboot: nothing that it makes is loaded at boot.
    """
    _check_usage(source, applying, fix or yes, (confirm, undo, listing or None))
    if applying and assumed:
        raise click.UsageError("--assume goes without --apply: this host tells its own kernel")
    if confirm is not None or undo is not None or listing:
        from hopback.cli import applied

        if listing:
            return applied.show_list(as_json, color)
        wish: applied.Wish = "confirm" if confirm is not None else "undo"
        return applied.end(confirm or undo or "", wish, as_json, color)
    if source is not None and _is_finding(source):
        raise click.UsageError(f"SOURCE comes first: hopback fix live {source}")
    read = read_sources((source or LIVE, *evidence), netns, assumed)
    report = with_remedies(read.snapshots, diagnose(read.snapshots, read.problems))
    tell_problems(report.problems)
    if applying and read.snapshots:
        from hopback.cli.apply import Request, apply

        wanted = Request(source or LIVE, evidence, finding, netns, fix, yes, within, as_json, color)
        return apply(read, report, wanted)
    return exits.worst((read.code, _print(read, report, finding, as_json, color)))


def _is_finding(source: str) -> bool:
    """Whether the name of a finding stands where a source should."""
    return source.partition(":")[0] in POLICY and not Path(source).exists()


def _check_usage(
    source: str | None, applying: bool, needs_apply: object, instead: tuple[object, ...]
) -> None:
    chosen = sum(item is not None for item in instead)
    if chosen > 1 or (chosen and (source is not None or applying)):
        raise click.UsageError("--confirm, --undo and --list stand alone")
    if needs_apply and not applying:
        raise click.UsageError("--fix and --yes go with --apply")


def _print(read: Read, report: Report, finding: str | None, as_json: bool, color: str) -> int:
    try:
        offered = plans(report, finding)
    except NoSuch as none:
        raise click.UsageError(str(none)) from none
    if as_json:
        from hopback.render.fix_json_v1 import fix_json

        emit(fix_json(report, offered))
    elif read.snapshots:
        from hopback.render.fix_text import render_plans

        show(render_plans(report, offered, page_width()), color)
    return verdict_code(report, "warning")
