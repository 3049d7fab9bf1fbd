"""The JSON of ``fix``, version 1: types of its own, under the promise of ``json_v1``."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from hopback.findings import Report
from hopback.remedies.apply.record import Record
from hopback.remedies.plans import Plan
from hopback.render.json_v1 import (
    BecauseV1,
    FixV1,
    ProblemV1,
    because_v1,
    encode,
    fix_v1,
    problem_v1,
)

SCHEMA: Literal["hopback.fix/1"] = "hopback.fix/1"


class PlanV1(Struct, frozen=True):
    """A finding with its fixes, the best first."""

    check: str
    host: str
    subject: str
    summary: str
    because: tuple[BecauseV1, ...]
    fixes: tuple[FixV1, ...]


class RanV1(Struct, frozen=True):
    """A command that was run. ``code`` is null if it did not end; ``at`` in ns since 1970."""

    command: str
    undo: bool
    at: int
    code: int | None
    output: str


class RecordV1(Struct, frozen=True):
    """A fix that was applied; ``at`` and ``deadline`` in ns since 1970, ``within`` in seconds."""

    id: str
    state: Literal["ready", "applying", "pending", "confirmed", "undoing", "undone", "stuck"]
    why: str
    at: int
    within: float
    deadline: int | None
    host: str
    boot_id: str | None
    uid: int
    user: str
    check: str
    subject: str
    fix: str
    commands: tuple[str, ...]
    undo: tuple[str, ...]
    afterwards: tuple[str, ...]
    ran: tuple[RanV1, ...]


class FixesV1(Struct, frozen=True):
    """The document. ``records`` has what was applied (``--apply``), or all there are (``--list``).

    ``plans`` is empty where nothing was diagnosed, ``verdict`` null then.
    """

    schema: Literal["hopback.fix/1"]
    verdict: Literal["comes-back", "clear", "undecided"] | None
    hosts: tuple[str, ...]
    plans: tuple[PlanV1, ...]
    records: tuple[RecordV1, ...]
    problems: tuple[ProblemV1, ...]


def fix_json(
    report: Report | None, plans: Sequence[Plan] = (), records: Sequence[Record] = ()
) -> bytes:
    """Plans and records as one JSON document, indented, with a line end."""
    return encode(
        FixesV1(
            schema=SCHEMA,
            verdict=report.verdict if report else None,
            hosts=report.hosts if report else (),
            plans=tuple(_plan(p) for p in plans),
            records=tuple(_record(r) for r in records),
            problems=tuple(problem_v1(p) for p in report.problems) if report else (),
        )
    )


def _plan(plan: Plan) -> PlanV1:
    found = plan.finding
    return PlanV1(
        check=found.check,
        host=found.host,
        subject=found.subject,
        summary=found.summary,
        because=tuple(because_v1(e) for e in found.because),
        fixes=tuple(fix_v1(f) for f in plan.fixes),
    )


def _record(record: Record) -> RecordV1:
    return RecordV1(
        id=record.id,
        state=record.state,
        why=record.why,
        at=record.at,
        within=record.within,
        deadline=record.deadline,
        host=record.host,
        boot_id=record.boot_id,
        uid=record.uid,
        user=record.user,
        check=record.check,
        subject=record.subject,
        fix=record.fix,
        commands=record.commands,
        undo=record.undo,
        afterwards=record.afterwards,
        ran=tuple(RanV1(r.line, r.undo, r.at, r.code, r.output) for r in record.ran),
    )
