"""Applies a fix to this host: asks, looks once more, hands it to a keeper, and follows it."""

import os
import pwd
import secrets
import select
import socket
import sys
import termios
import time
from collections.abc import Sequence
from typing import NamedTuple

import click

from hopback.checks.diagnose import diagnose
from hopback.cli import exits
from hopback.cli.check import verdict_code
from hopback.cli.output import complain, emit, page_width, show
from hopback.cli.reading import Read, read_sources
from hopback.findings import Report
from hopback.remedies.apply import commands
from hopback.remedies.apply.ask import Kept, NoKeeper, ask, settle
from hopback.remedies.apply.record import ENDED, Record, State, parts_of
from hopback.remedies.apply.store import Busy, Store
from hopback.remedies.attach import with_remedies
from hopback.remedies.effect import in_place
from hopback.remedies.plans import NoneFit, NoSuch, Plan, choose, for_host, name_of, plans
from hopback.remedies.still import changes, cited_rows, stranger
from hopback.render.fix_json_v1 import fix_json
from hopback.render.fix_text import render_plan, render_record
from hopback.snapshot.model import Snapshot
from hopback.sources.live.system import ids
from hopback.sources.open import LIVE

_CODES: dict[State, int] = {
    "pending": exits.CLEAR,
    "confirmed": exits.CLEAR,
    "undone": exits.FOUND,
    "stuck": exits.STUCK,
}


class Request(NamedTuple):
    """What the command line asks for."""

    source: str
    evidence: tuple[str, ...]
    finding: str | None
    netns: tuple[str, ...]
    fix: str | None
    yes: bool
    within: float
    as_json: bool
    color: str


class Refused(Exception):
    """Nothing was changed; why, in lines, and the exit code."""

    def __init__(self, *reasons: str, code: int = exits.FOUND) -> None:
        super().__init__(reasons[0])
        self.reasons = reasons
        self.code = code


def apply(read: Read, report: Report, request: Request) -> int:
    """Apply a fix of ``report``, which was made from ``read``; the exit code."""
    if not request.yes and (request.as_json or not sys.stdin.isatty()):
        raise click.UsageError(
            "--apply asks on a terminal; without one, or with -j, it needs --yes"
        )
    try:
        plan, ended = _applied(read, report, request)
    except Refused as refused:
        for reason in refused.reasons:
            complain(reason)
        if request.as_json:
            emit(fix_json(report))
        return refused.code
    if request.as_json:
        emit(fix_json(report, (plan,), (ended,)))
    else:
        show(render_record(ended, page_width()), request.color)
    return code_of(ended)


def code_of(record: Record) -> int:
    """The exit code that tells how it ended, or that it waits."""
    return _CODES.get(record.state, exits.FOUND)


def _waiting(store: Store, boot_id: str | None) -> list[Record]:
    """What was begun in this boot and neither confirmed nor undone."""
    return [r for r in store.all_unfinished() if r.boot_id == boot_id]


def _applied(read: Read, report: Report, request: Request) -> tuple[Plan, Record]:
    store = Store()
    snapshot = _own(read, request.source)
    plan = _chosen(store, snapshot, report, request)
    record = _record(plan, request)
    try:
        commands.check((*record.commands, *record.undo))
        store.prepare()
    except commands.Unfit as unfit:
        code = exits.DENIED if unfit.denied else exits.UNREAD
        raise Refused(str(unfit), code=code) from unfit
    except OSError as error:
        code = exits.DENIED if isinstance(error, PermissionError) else exits.UNREAD
        raise Refused(f"cannot write {error.filename}: {error.strerror}", code=code) from error
    _ask(plan, request)
    return plan, _kept(store, record, plan, snapshot, request)


def _chosen(store: Store, snapshot: Snapshot, report: Report, request: Request) -> Plan:
    try:
        found = plans(report, request.finding)
        return choose(for_host(found, snapshot.host), request.fix)
    except (NoSuch, NoneFit) as none:
        for record in reversed(store.past()):
            if _is_there(record, snapshot, request.finding):
                raise _already(record) from none
        if isinstance(none, NoSuch):
            raise click.UsageError(str(none)) from none
        raise Refused(str(none), code=verdict_code(report, "warning")) from none


def _is_there(record: Record, snapshot: Snapshot, wanted: str | None) -> bool:
    """Whether it was applied for the finding that is wanted, and is in place still."""
    named = wanted in (None, record.check, f"{record.check}:{record.subject}")
    return (
        named
        and record.state != "undone"
        and record.boot_id == ids()[1]
        and in_place(record.commands, record.files, snapshot) is not False
    )


def _already(record: Record) -> Refused:
    if record.state == "confirmed":
        return Refused(f"{record.fix} is in place already: nothing to do", code=exits.CLEAR)
    return Refused(_unfinished(record))


def _unfinished(record: Record) -> str:
    return (
        f"{record.fix} for {record.check}:{record.subject} is neither confirmed nor undone yet:"
        f" hopback fix --confirm {record.id}, or --undo {record.id}"
    )


def _record(plan: Plan, request: Request) -> Record:
    _, boot = ids()
    uid = os.getuid()
    return Record(
        id=secrets.token_hex(3),
        state="ready",
        at=time.time_ns(),
        host=socket.gethostname(),
        boot_id=boot,
        uid=uid,
        user=os.environ.get("SUDO_USER") or _name(uid),
        check=plan.finding.check,
        subject=plan.finding.subject,
        fix=plan.fixes[0].name,
        parts=parts_of(plan.fixes),
        within=request.within,
        afterwards=tuple(dict.fromkeys(s for f in plan.fixes for s in f.afterwards)),
        persistence=tuple(dict.fromkeys(p for f in plan.fixes for p in f.persistence)),
    )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _own(read: Read, source: str) -> Snapshot:
    """The snapshot of this host, among those that were read."""
    if source == LIVE:
        return read.snapshots[0]
    told = [(stranger(s, *ids()), s) for s in read.snapshots]
    for why, snapshot in told:
        if why is None:
            return snapshot
    raise Refused(*(f"nothing was done: {s.host or 'a host'} in {source} {why}" for why, s in told))


def _ask(plan: Plan, request: Request) -> None:
    if not request.as_json:
        show(render_plan(plan, page_width()), request.color)
    if not request.yes and not click.confirm("Apply it?", err=True):
        raise Refused("nothing was done")


def _kept(store: Store, record: Record, plan: Plan, snapshot: Snapshot, request: Request) -> Record:
    try:
        kept = Kept(record)
    except Busy:
        _, boot = ids()
        others = [_unfinished(r) for r in _waiting(store, boot)]
        raise Refused(*(others or ["somebody else is applying a fix just now"])) from None
    except NoKeeper:
        raise Refused(
            "the process that would undo it does not start", code=exits.INTERNAL
        ) from None
    try:
        _look_again(store, record, plan, snapshot, request)
    except BaseException:
        kept.abandon()
        raise
    return _follow(store, kept, record, request)


def _look_again(
    store: Store, record: Record, plan: Plan, snapshot: Snapshot, request: Request
) -> None:
    """Raise Refused unless this host is still as the plan says, and nothing else is open."""
    for other in _waiting(store, record.boot_id):
        if other.id != record.id:
            raise Refused(_unfinished(other))
    read = read_sources((LIVE, *request.evidence), request.netns)
    if not read.snapshots:
        raise Refused(*(p.message for p in read.problems), code=read.code)
    live = read.snapshots[0]
    told = changes(cited_rows(snapshot, plan.finding), live)
    told = told or tuple(_replanned(read.snapshots, record, plan))
    if told and in_place(record.commands, record.files, live):
        raise Refused(f"{record.fix} is in place already: nothing to do", code=exits.CLEAR)
    if told:
        raise Refused("nothing was done: this host is not what the plan was made from", *told)


def _replanned(snapshots: Sequence[Snapshot], record: Record, plan: Plan) -> Sequence[str]:
    """How the plan would be another one now."""
    report = with_remedies(snapshots, diagnose(snapshots))
    try:
        offered = for_host(plans(report, name_of(plan.finding)), snapshots[0].host)
        again = choose(offered, record.fix)
    except (NoSuch, NoneFit) as none:
        return (str(none),)
    if parts_of(again.fixes) == record.parts:
        return ()
    return [f"now it would be: {line}" for fix in again.fixes for line in fix.commands]


def _follow(store: Store, kept: Kept, record: Record, request: Request) -> Record:
    """Let the keeper begin, and be there until it ends; without a terminal until it waits."""
    asking = sys.stdin.isatty() and not request.as_json
    kept.go()
    try:
        latest = _until_pending(store, kept, record)
        if latest.state == "pending" and not asking:
            return latest
        if latest.state == "pending":
            _await_answer(store, kept, latest, request)
    except KeyboardInterrupt:
        return ask(store, record, "undo")
    latest = store.latest(record)
    if latest.state not in ENDED:
        return settle(store, record, "undo", "the process that kept it has died")
    return latest


def _until_pending(store: Store, kept: Kept, record: Record) -> Record:
    while kept.hear():
        latest = store.latest(record)
        if latest.state == "pending":
            return latest
    return store.latest(record)


def _await_answer(store: Store, kept: Kept, record: Record, request: Request) -> None:
    """Until the keeper ends: Enter confirms. What was typed before it was asked for does not."""
    termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    show(render_record(record, page_width()), request.color)
    click.echo("Enter keeps it, Ctrl-C undoes it now: ", err=True, nl=False)
    watched: list[int] = [kept.fileno(), sys.stdin.fileno()]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if kept.fileno() in ready and not kept.hear():
            click.echo(err=True)
            return
        if sys.stdin.fileno() in ready:
            watched.remove(sys.stdin.fileno())
            if _line():
                ask(store, record, "confirm")


def _line() -> bool:
    """Whether a line was typed; False at the end of the terminal."""
    try:
        return bool(os.read(sys.stdin.fileno(), 4096))
    except OSError:
        return False
