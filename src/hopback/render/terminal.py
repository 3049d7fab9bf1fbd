"""``check`` for people: the sentence first, what it rests on, what to do, what was not seen."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from hopback.findings import (
    Evidence,
    Finding,
    Gap,
    NextStep,
    Report,
    Step,
    Verdict,
    accounts_for,
)
from hopback.render.fixes import say_fix
from hopback.render.page import Page, Span, Style
from hopback.render.quoting import quote_evidence

_VERDICTS: dict[Verdict, tuple[str, Style]] = {
    "comes-back": ("COMES BACK", "bad"),
    "clear": ("CLEAR", "good"),
    "undecided": ("UNDECIDED", "warn"),
}
_SEVERITY_STYLE: dict[str, Style] = {"error": "bad", "warning": "warn", "info": "muted"}
_HOSTS_SHOWN = 5
_GAPS_SHOWN = 8
_NOTES_SHOWN = 6


def render_check(report: Report, width: int = 80) -> Page:
    """The report as a page ``width`` columns wide."""
    page = Page(width)
    label, style = _VERDICTS[report.verdict]
    fault = report.verdict == "clear" and any(f.group == "other-fault" for f in report.findings)
    but = "  of returning packets; another fault:" if fault else ""
    page.headline(Span(label, style), but + _hosts(report.hosts))
    page.say(report.sentence.removeprefix("Not decided: "), style="strong")
    _proof(page, report)
    loud = [f for f in report.findings if f.severity != "info" and f.group != "benign"]
    under = _explained(loud)
    nested = {id(s) for symptoms in under.values() for s in symptoms}
    for finding in loud:
        if id(finding) not in nested:
            page.blank()
            _finding(page, report, finding, under.get(id(finding), []))
    _notes(page, report, [f for f in report.findings if f not in loud])
    _next(page, report)
    _gaps(page, report.gaps, len(report.hosts) > 1)
    if report.problems:
        page.blank()
        count = len(report.problems)
        lines = "1 problem" if count == 1 else f"{count} problems"
        page.say(f"{lines} with the input (on standard error, and in --json)", style="muted")
    return page


def _proof(page: Page, report: Report) -> None:
    """Whether a clear verdict was proved, and past what it could not be."""
    if report.proved:
        beyond = f", if what lies beyond {', '.join(report.trusted)} keeps what it gets"
        what = "no frame that is switched comes back, wherever it is sent"
        page.say(f"Proved: {what}{beyond if report.trusted else ''}.", style="good")
    elif report.unproved:
        others = len(report.unproved) - 1
        more = f" (and {others} more: see --json)" if others else ""
        page.say(f"Not proved: {report.unproved[0]}{more}.", style="muted")


def _hosts(hosts: Sequence[str]) -> str:
    named = [h for h in hosts if h]
    more = f" and {len(named) - _HOSTS_SHOWN} more" if len(named) > _HOSTS_SHOWN else ""
    return f"  {', '.join(named[:_HOSTS_SHOWN])}{more}" if named else ""


def _explained(findings: Sequence[Finding]) -> dict[int, list[Finding]]:
    """The symptoms each cause accounts for, by the identity of the cause; each symptom once."""
    under: dict[int, list[Finding]] = {}
    placed: set[int] = set()
    for cause in findings:
        for finding in findings:
            if id(finding) not in placed and accounts_for(cause, finding):
                placed.add(id(finding))
                under.setdefault(id(cause), []).append(finding)
    return under


def _finding(
    page: Page, report: Report, finding: Finding, symptoms: Sequence[Finding], indent: int = 0
) -> None:
    if finding.summary not in report.sentence:
        page.say(finding.summary, indent, _SEVERITY_STYLE[finding.severity] if not indent else "")
    kind = f"{finding.group}, {finding.severity}, {finding.confidence}, {finding.evidence}"
    rule = f" ({finding.because[0].rule})" if finding.because else ""
    page.say(f"{finding.check}: {kind}{rule}", indent, "muted")
    several = len(report.hosts) > 1
    quote_evidence(page, _own_evidence(finding, symptoms), indent + 2, several)
    _path(page, finding.path, indent + 2, several)
    for symptom in symptoms:
        page.blank()
        told = replace(symptom, path=()) if finding.path else symptom
        _finding(page, report, told, (), indent + 2)
    if not indent:
        _alternatives(page, finding, symptoms)
    for number, fix in enumerate(finding.fixes):
        said = number and fix.afterwards == finding.fixes[number - 1].afterwards
        say_fix(page, replace(fix, afterwards=()) if said else fix, indent + 2)


def _own_evidence(finding: Finding, symptoms: Iterable[Finding]) -> list[Evidence]:
    """What the symptoms below it will not quote again."""
    quoted = {e for s in symptoms for e in s.because}
    return [e for e in finding.because if e not in quoted]


def _path(page: Page, path: Sequence[Step], indent: int, several_hosts: bool) -> None:
    """The hops, each frame named where it first appears."""
    frame = ""
    for number, step in enumerate(path, 1):
        if step.frame != frame:
            frame = step.frame
            page.blank()
            page.say(f"{frame}:", indent)
        device = f"{step.host}: {step.device}" if several_hosts and step.host else step.device
        page.say(step.why, indent, lead=f"{number}. {step.direction:<3} {device}  ")


def _alternatives(page: Page, finding: Finding, symptoms: Iterable[Finding]) -> None:
    every = dict.fromkeys((*finding.alternatives, *(a for s in symptoms for a in s.alternatives)))
    if every:
        page.blank()
        page.say("It could also be:", 2)
        for alternative in every:
            page.say(alternative, 2, lead="- ")


def _notes(page: Page, report: Report, findings: Sequence[Finding]) -> None:
    """What is worth a line and no more, unless the sentence has said it."""
    left = [f for f in findings if f.summary not in report.sentence]
    if left:
        page.blank()
        page.say("Besides", style="strong")
        for finding in left[:_NOTES_SHOWN]:
            page.say(f"{finding.summary} ({finding.check})", 2, lead="- ")
        if len(left) > _NOTES_SHOWN:
            page.say(f"and {len(left) - _NOTES_SHOWN} more (--json has them all)", 2, "muted")


def _next(page: Page, report: Report) -> None:
    if not report.next:
        return
    page.blank()
    page.say("Next", style="strong")
    named = len(report.hosts) > 1 or any(s.host not in report.hosts for s in report.next)
    for host in dict.fromkeys(s.host for s in report.next):
        if named and host:
            page.say(f"on {host}", 2, "muted")
        for command, asked in _by_command(s for s in report.next if s.host == host).items():
            if host in report.hosts:
                page.exact(f"$ {command}", 4 if named else 2, "command")
            else:  # a switch: what to look for, not what to type
                page.say(command, 4)
            for why in asked[:2]:
                page.say(why, 6, "muted")
            if len(asked) > 2:
                page.say(f"and for {len(asked) - 2} more reasons of this kind", 6, "muted")


def _by_command(steps: Iterable[NextStep]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for step in steps:
        found.setdefault(step.command, []).append(step.why)
    return found


def _gaps(page: Page, gaps: Sequence[Gap], several_hosts: bool) -> None:
    if not gaps:
        return
    page.blank()
    page.say("Not seen", style="strong")
    for gap in gaps[:_GAPS_SHOWN]:
        where = f"{gap.host}, {gap.table}" if several_hosts and gap.host else gap.table
        page.say(f"{where}: {gap.reason}", 2, lead="- ")
    if len(gaps) > _GAPS_SHOWN:
        page.say(f"and {len(gaps) - _GAPS_SHOWN} more (--json has them all)", 2, "muted")
