"""What labs have in common for people: their steps as one would type them, and lists."""

import shlex
from collections.abc import Iterator, Sequence

from hopback.lab.steps import Step
from hopback.render.page import Page, Span


def show_list(page: Page, title: str, items: Sequence[str]) -> None:
    """The items under a title, if there are any."""
    if items:
        page.blank()
        page.spans(Span(title, "strong"))
        for item in items:
            page.say(item, 2, lead="- ")


def show_steps(page: Page, steps: Sequence[Step]) -> None:
    """Each step, and why it is taken."""
    for step in steps:
        for line in _typed(step):
            page.exact(line, 2, "command")
        if step.why:
            page.say(step.why, 4, "muted", "# ")


def _typed(step: Step) -> Iterator[str]:
    """What a person would type; a script for nft goes over several lines."""
    if step.tool in ("ip", "bridge", "tc"):
        yield f"{step.tool} -n {step.space} {step.line}"
        return
    inside = f"ip netns exec {step.space}"
    lines = step.line.splitlines()
    if step.tool == "sysctl":
        yield f"{inside} sysctl -w {step.line}"
    elif step.tool != "nft":
        yield f"{inside} {step.tool} {step.line}"
    elif len(lines) == 1:
        yield f"{inside} nft {shlex.quote(step.line)}"
    else:
        yield from (f"{inside} nft -f - <<'END'", *lines, "END")
