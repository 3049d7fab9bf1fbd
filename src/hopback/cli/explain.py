"""``hopback explain``: the documentation of a check."""

from difflib import get_close_matches
from importlib.resources import files

import click

from hopback.checks.policy import POLICY
from hopback.cli.output import color_option, coloured, emit, page_width, show
from hopback.render.page import Page


@click.command("explain")
@click.argument("check", required=False)
@color_option
def command(check: str | None, color: str) -> int:
    """Print what CHECK says, how it looks, and what to do; without CHECK, list the checks."""
    if check is None:
        show(_list(page_width()), color)
        return 0
    if check not in POLICY:
        close = get_close_matches(check, POLICY, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(close)}?" if close else "'hopback explain' lists them"
        raise click.UsageError(f"no check {check!r}; {hint}")
    text = files("hopback").joinpath("docs", f"{check}.md").read_text(encoding="utf-8")
    emit(_painted(text).encode() if coloured(color) else text.encode())
    return 0


def _list(width: int) -> Page:
    page = Page(width)
    wide = max(map(len, POLICY)) + 2
    for name, policy in POLICY.items():
        page.say(policy.says, lead=f"{name:<{wide}}")
    return page


def _painted(text: str) -> str:
    # Only here: rich and its Markdown are of no use to a pipe.
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(force_terminal=True, no_color=False, width=page_width())
    with console.capture() as captured:
        console.print(Markdown(text))
    return captured.get()
