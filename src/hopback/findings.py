"""Findings: what a check concludes, as inert data, ready to be printed or sent.

A finding cites the rows that decide it and nothing else: change a cited row and the finding
changes, change another and it does not.
"""

from typing import Any, Literal, get_args

from msgspec import Struct, field

from hopback.snapshot.table import Problem

Verdict = Literal["comes-back", "clear", "undecided"]
Group = Literal["comes-back", "symptom", "other-fault", "benign"]
Severity = Literal["error", "warning", "info"]
Ladder = Literal["predicted", "simulated", "reproduced", "reported", "observed"]
Confidence = Literal["certain", "likely", "possible"]
CONFIDENCES: tuple[Confidence, ...] = get_args(Confidence)
"""The surest first."""


class Evidence(Struct, frozen=True):
    """One row that decides a finding: the rule it feeds, where it stands, and what it says.

    ``item`` is the number of the object where one line of JSON holds several, else 0.
    """

    rule: str
    source: str
    line: int
    text: str
    host: str = ""
    item: int = 0


class Step(Struct, frozen=True):
    """One hop of a path: a frame on a device, in or out, and why it went there."""

    host: str
    device: str
    direction: Literal["in", "out"]
    frame: str
    why: str


class FixFile(Struct, frozen=True):
    """A file that a fix's commands read; it is written first, and removed by the undo."""

    path: str
    content: str


class Persistence(Struct, frozen=True):
    """How a fix is made to last: ``lines`` to put where (libvirt, systemd-networkd, …) says."""

    where: str
    lines: tuple[str, ...]


class Fix(Struct, frozen=True):
    """A remedy: commands and their undo. ``proved`` only if the model was run with it, both ways.

    ``keeps`` are the flows it was shown to leave alone, ``afterwards`` what to run in the guest,
    ``limits`` what it cannot mend, ``blast_radius`` whom it touches. A fix that fails is kept,
    with ``rejected_because``. Each command is one line for a shell, and needs none: no pipes, no
    variables.
    """

    name: str
    host: str
    commands: tuple[str, ...]
    undo: tuple[str, ...]
    afterwards: tuple[str, ...] = ()
    safe: bool = True
    proved: bool = False
    rejected_because: str | None = None
    keeps: tuple[str, ...] = ()
    limits: str | None = None
    files: tuple[FixFile, ...] = ()
    persistence: tuple[Persistence, ...] = ()
    blast_radius: str = ""


class NextStep(Struct, frozen=True):
    """What to run next, where, and what its answer decides."""

    host: str
    command: str
    why: str


class Gap(Struct, frozen=True):
    """A table that could matter and was not there, or not whole."""

    host: str
    table: str
    reason: str


class Finding(Struct, frozen=True):
    """One fault (or the lack of one). ``check`` is its stable name, ``subject`` what has it."""

    check: str
    group: Group
    severity: Severity
    evidence: Ladder
    confidence: Confidence
    host: str
    subject: str
    summary: str
    because: tuple[Evidence, ...] = ()
    path: tuple[Step, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    explains: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()


class Report(Struct, frozen=True):
    """All that ``check`` has to say.

    ``proved``: no frame that is switched comes back, wherever it is sent, if what lies beyond the
    ways out (``trusted``) keeps what it gets. ``unproved`` is what stands against that, in words,
    where it was tried.
    """

    verdict: Verdict
    sentence: str
    hosts: tuple[str, ...]
    findings: tuple[Finding, ...]
    next: tuple[NextStep, ...] = ()
    gaps: tuple[Gap, ...] = ()
    problems: tuple[Problem, ...] = ()
    proved: bool = False
    unproved: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()


def accounts_for(cause: Finding, symptom: Finding) -> bool:
    """Whether ``symptom`` is explained by ``cause``: that names checks, of its bridge and host.

    What a station suffered stands with what returned its frames, wherever the station is.
    """
    if symptom.check == "dad-reflection" and symptom.check in cause.explains:
        told = symptom.details
        return (told["returned_on"], told["returned_by"]) == (cause.host, cause.subject)
    if symptom.group != "symptom" or symptom.check not in cause.explains:
        return False
    bridges = (cause.details.get("bridge"), symptom.details.get("bridge"))
    same_bridge = None in bridges or bridges[0] == bridges[1]
    return cause.host == symptom.host and same_bridge
