"""The JSON of ``check``, version 1: types of its own, so that the inside may change freely.

What may happen to version 1: fields are added. What may not: one goes, or changes its meaning.
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from hopback.findings import Evidence, Finding, Fix, Report, Step
from hopback.snapshot.table import Problem

SCHEMA: Literal["hopback.check/1"] = "hopback.check/1"


class BecauseV1(Struct, frozen=True):
    """A cited row."""

    rule: str
    source: str
    line: int
    text: str
    host: str


class StepV1(Struct, frozen=True):
    """A hop of a path."""

    host: str
    device: str
    direction: Literal["in", "out"]
    frame: str
    why: str


class FixFileV1(Struct, frozen=True):
    """A file that a remedy's commands read."""

    path: str
    content: str


class PersistenceV1(Struct, frozen=True):
    """How a remedy is made to last: ``lines`` to put where ``where`` (libvirt, …) says."""

    where: str
    lines: tuple[str, ...]


class FixV1(Struct, frozen=True):
    """A remedy."""

    name: str
    host: str
    commands: tuple[str, ...]
    undo: tuple[str, ...]
    afterwards: tuple[str, ...]
    safe: bool
    proved: bool
    rejected_because: str | None
    keeps: tuple[str, ...]
    limits: str | None
    blast_radius: str
    files: tuple[FixFileV1, ...]
    persistence: tuple[PersistenceV1, ...]


class FindingV1(Struct, frozen=True):
    """A finding; ``details`` are documented with its check."""

    check: str
    group: Literal["comes-back", "symptom", "other-fault", "benign"]
    severity: Literal["error", "warning", "info"]
    evidence: Literal["predicted", "simulated", "reproduced", "reported", "observed"]
    confidence: Literal["certain", "likely", "possible"]
    host: str
    subject: str
    summary: str
    because: tuple[BecauseV1, ...]
    path: tuple[StepV1, ...]
    details: dict[str, Any]
    explains: tuple[str, ...]
    alternatives: tuple[str, ...]
    fixes: tuple[FixV1, ...]


class NextV1(Struct, frozen=True):
    """What to run next."""

    host: str
    command: str
    why: str


class GapV1(Struct, frozen=True):
    """What was not seen."""

    host: str
    table: str
    reason: str


class ProblemV1(Struct, frozen=True):
    """What could not be used; ``line`` 0 is the whole source."""

    source: str
    line: int
    message: str


class CheckV1(Struct, frozen=True):
    """The document.

    ``proved``: no frame that is switched comes back, wherever it is sent, if what lies beyond the
    ways out in ``trusted`` keeps what it gets. ``unproved`` says what stands against that.
    """

    schema: Literal["hopback.check/1"]
    verdict: Literal["comes-back", "clear", "undecided"]
    proved: bool
    sentence: str
    hosts: tuple[str, ...]
    findings: tuple[FindingV1, ...]
    next: tuple[NextV1, ...]
    gaps: tuple[GapV1, ...]
    problems: tuple[ProblemV1, ...]
    unproved: tuple[str, ...]
    trusted: tuple[str, ...]


def check_json(report: Report) -> bytes:
    """The report as one JSON document, indented, with a line end."""
    return encode(check_v1(report))


def check_v1(report: Report) -> CheckV1:
    """The report in the shape of version 1."""
    return CheckV1(
        schema=SCHEMA,
        verdict=report.verdict,
        proved=report.proved,
        sentence=report.sentence,
        hosts=report.hosts,
        findings=tuple(_finding(f) for f in report.findings),
        next=tuple(NextV1(s.host, s.command, s.why) for s in report.next),
        gaps=tuple(GapV1(g.host, g.table, g.reason) for g in report.gaps),
        problems=tuple(problem_v1(p) for p in report.problems),
        unproved=report.unproved,
        trusted=report.trusted,
    )


def because_v1(evidence: Evidence) -> BecauseV1:
    """A cited row in the shape of version 1."""
    return BecauseV1(evidence.rule, evidence.source, evidence.line, evidence.text, evidence.host)


def fix_v1(fix: Fix) -> FixV1:
    """A remedy in the shape of version 1."""
    return FixV1(
        name=fix.name,
        host=fix.host,
        commands=fix.commands,
        undo=fix.undo,
        afterwards=fix.afterwards,
        safe=fix.safe,
        proved=fix.proved,
        rejected_because=fix.rejected_because,
        keeps=fix.keeps,
        limits=fix.limits,
        blast_radius=fix.blast_radius,
        files=tuple(FixFileV1(f.path, f.content) for f in fix.files),
        persistence=tuple(PersistenceV1(p.where, p.lines) for p in fix.persistence),
    )


def problem_v1(problem: Problem) -> ProblemV1:
    """A problem in the shape of version 1."""
    return ProblemV1(problem.source, problem.line, problem.message)


def encode(document: Struct) -> bytes:
    """Any document, indented, with a line end."""
    try:
        plain = msgspec.json.encode(document)
    except UnicodeEncodeError:  # the name of a file that is not UTF-8 was cited
        plain = msgspec.json.encode(_encodable(msgspec.to_builtins(document)))
    return msgspec.json.format(plain, indent=2) + b"\n"


def _encodable(value: Any) -> Any:
    """``value`` with question marks for what UTF-8 cannot say."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {key: _encodable(item) for key, item in value.items()}
        case list() | tuple():
            return [_encodable(item) for item in value]
        case _:
            return value


def _finding(finding: Finding) -> FindingV1:
    return FindingV1(
        check=finding.check,
        group=finding.group,
        severity=finding.severity,
        evidence=finding.evidence,
        confidence=finding.confidence,
        host=finding.host,
        subject=finding.subject,
        summary=finding.summary,
        because=tuple(because_v1(e) for e in finding.because),
        path=tuple(_step(s) for s in finding.path),
        details=finding.details,
        explains=finding.explains,
        alternatives=finding.alternatives,
        fixes=tuple(fix_v1(f) for f in finding.fixes),
    )


def _step(step: Step) -> StepV1:
    return StepV1(step.host, step.device, step.direction, step.frame, step.why)
