"""Fixes for people: what could be done, what was done, and how it ended."""

from collections.abc import Sequence
from datetime import UTC, datetime

from hopback.findings import Report
from hopback.remedies.apply.record import ENDED, Record, State
from hopback.remedies.plans import Plan, name_of
from hopback.render.fixes import say_afterwards, say_commands, say_fix, say_persistence
from hopback.render.page import Page, Span, Style

_STATES: dict[State, tuple[str, Style]] = {
    "ready": ("READY", "warn"),
    "applying": ("APPLYING", "warn"),
    "pending": ("APPLIED", "warn"),
    "confirmed": ("CONFIRMED", "good"),
    "undoing": ("UNDOING", "warn"),
    "undone": ("UNDONE", "warn"),
    "stuck": ("NOT UNDONE", "bad"),
}
_LISTED = 20


def render_plans(report: Report, plans: Sequence[Plan], width: int = 80) -> Page:
    """What can be done about each finding; nothing of it has been done."""
    page = Page(width)
    for plan in plans:
        page.blank()
        _plan(page, plan)
    page.blank()
    if plans:
        page.say(
            "Nothing was changed. On the host that a fix is for, --apply runs the first that is"
            " proved and safe, and undoes it unless it is confirmed.",
            style="muted",
        )
    elif report.verdict == "clear":
        page.say("There is nothing to fix.", style="strong")
    else:
        page.say("No fix is known for what was found.", style="strong")
        page.say(report.sentence)
    return page


def render_plan(plan: Plan, width: int = 80) -> Page:
    """What is about to be done."""
    page = Page(width)
    _plan(page, plan)
    page.blank()
    return page


def _plan(page: Page, plan: Plan) -> None:
    page.say(plan.finding.summary, style="strong")
    page.say(name_of(plan.finding), style="muted")
    for fix in plan.fixes:
        say_fix(page, fix, 2)
        say_persistence(page, () if fix.rejected_because else fix.persistence, 4)


def render_record(record: Record, width: int = 80) -> Page:
    """What became of a fix."""
    page = Page(width)
    label, style = _STATES[record.state]
    page.headline(Span(label, style), f"  {record.fix} for {record.check}:{record.subject}")
    if record.why:
        page.say(f"{record.why[0].upper()}{record.why[1:]}.")
    match record.state:
        case "pending":
            say_commands(page, record.commands, 2)
            page.say(
                f"It is undone in {record.within:g} s, and by a reboot at any time, unless it is"
                " confirmed:"
            )
            say_commands(page, (f"hopback fix --confirm {record.id}",), 2)
            say_afterwards(page, record.afterwards, 0)
        case "confirmed":
            page.say(f"It stays until the next reboot, or hopback fix --undo {record.id}.")
            say_persistence(page, record.persistence, 0)
        case "undone":
            page.say("All that it did was taken back.")
        case "stuck":
            page.say("Not all that it did was taken back. To try once more, or to leave it so:")
            say_commands(page, (f"hopback fix --{w} {record.id}" for w in ("undo", "confirm")), 2)
    return page


def render_records(
    records: Sequence[Record], boot_id: str | None, kept: bool, width: int = 80
) -> Page:
    """What was applied here, the latest last. ``kept``: some process keeps what is not finished."""
    page = Page(width)
    if not records:
        page.say("No fix was ever applied here by this user.")
    if len(records) > _LISTED:
        page.say(f"{len(records) - _LISTED} older ones are in the log.", style="muted")
    for record in records[-_LISTED:]:
        state = _STATES[record.state][0].lower()
        if record.boot_id != boot_id and record.state != "undone":
            state += ", undone by a reboot"
        elif record.state not in ENDED and not kept:
            state += ", and nobody keeps it: --undo or --confirm it"
        when = datetime.fromtimestamp(record.at // 1_000_000_000, UTC)
        page.spans(
            Span(record.id, "strong"),
            Span(f"  {when:%Y-%m-%d %H:%M:%S}Z  {record.user}  {state}"),
        )
        page.say(f"{record.fix} for {record.check}:{record.subject}", 2, "muted")
        if record.why:
            page.say(record.why, 2, "muted")
    return page
