"""How a fix is set out: its commands and their undo, whom it touches, what it leaves as it is."""

from collections.abc import Iterable

from hopback.findings import Fix, Persistence
from hopback.render.page import Page


def say_fix(page: Page, fix: Fix, indent: int) -> None:
    """A fix with its commands; of one that was rejected only the reason."""
    page.blank()
    if fix.rejected_because:
        page.say(f"Rejected: {fix.name}: {fix.rejected_because}", indent, "muted")
        return
    state = "proved in the model" if fix.proved else "not proved"
    safety = "" if fix.safe else ", may cut traffic"
    on = f" on {fix.host}" if fix.host else ""
    page.say(f"Fix: {fix.name}{on} ({state}{safety})", indent, "strong")
    for file in fix.files:
        page.say(f"with {file.path}:", indent + 2, "muted")
        say_lines(page, file.content.splitlines(), indent + 4)
    say_commands(page, fix.commands, indent + 2)
    if fix.undo:
        page.say("to undo:", indent + 2, "muted")
        say_commands(page, fix.undo, indent + 2)
    say_afterwards(page, fix.afterwards, indent + 2)
    if fix.blast_radius:
        page.say(f"touches: {fix.blast_radius}", indent + 2, "muted")
    if fix.keeps:
        page.say(f"goes on working: {', '.join(fix.keeps)}", indent + 2, "muted")
    if fix.limits:
        page.say(f"does not mend: {fix.limits}", indent + 2, "muted")


def say_persistence(page: Page, ways: Iterable[Persistence], indent: int) -> None:
    """How to make a fix last."""
    for way in ways:
        page.say(f"to keep it across a reboot, with {way.where}:", indent, "muted")
        say_lines(page, way.lines, indent + 2)


def say_afterwards(page: Page, steps: Iterable[str], indent: int) -> None:
    """What has to be run in the guest, if anything."""
    for number, step in enumerate(steps):
        if not number:
            page.say("then, in the guest:", indent, "muted")
        page.say(step, indent, lead="- ")


def say_commands(page: Page, commands: Iterable[str], indent: int) -> None:
    """Commands to be copied."""
    say_lines(page, (f"$ {command}" for command in commands), indent)


def say_lines(page: Page, lines: Iterable[str], indent: int) -> None:
    """Lines that must not be wrapped."""
    for line in lines:
        page.exact(line, indent, "command")
