"""Standard output and standard error: pages, documents, problems, and a word when it takes long."""

import os
import shutil
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import click

from hopback.cli import exits
from hopback.render.page import Line, Page, Style, plain, printable
from hopback.snapshot.table import Problem

WIDTH = 80
_WIDEST = 100
_PROBLEMS_SHOWN = 20
_PATIENCE_SECONDS = 1.0

_STYLES: dict[Style, str] = {
    "": "",
    "bad": "bold red",
    "warn": "bold yellow",
    "good": "bold green",
    "muted": "dim",
    "strong": "bold",
    "command": "cyan",
}

color_option = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colour; auto is on a terminal, unless NO_COLOR is set.",
)


def page_width() -> int:
    """The terminal's width, within reason; 80 where there is none."""
    if not sys.stdout.isatty():
        return WIDTH
    return max(40, min(_WIDEST, shutil.get_terminal_size((WIDTH, 24)).columns))


def show(page: Page, color: str = "auto") -> None:
    """Write a page to standard output."""
    text = _painted(page.lines) if coloured(color) else plain(page.lines)
    emit(text.encode(sys.stdout.encoding or "utf-8", "replace"))


def coloured(choice: str) -> bool:
    """Whether to colour standard output (https://no-color.org)."""
    if choice != "auto":
        return choice == "always"
    dumb = os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and not dumb


def _painted(lines: Sequence[Line]) -> str:
    # Only here, so that a pipe does not pay for rich.
    from rich.console import Console
    from rich.text import Text

    console = Console(
        force_terminal=True, no_color=False, color_system="standard", soft_wrap=True, width=1 << 15
    )
    with console.capture() as captured:
        for line in lines:
            text = Text()
            for span in line:
                text.append(span.text, style=_STYLES[span.style])
            console.print(text, highlight=False)
    return captured.get()


class _Unwritable(click.ClickException):
    exit_code = exits.INTERNAL


def emit(data: bytes) -> None:
    """Write to standard output; a reader that has gone (``| head``) is no error."""
    stream = sys.stdout.buffer
    try:
        stream.write(data)
        stream.flush()
    except OSError as error:
        # Python flushes once more at exit, and must not fail there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise _Unwritable(f"cannot write the output: {error.strerror}") from error


def complain(message: str) -> None:
    """One line on standard error."""
    click.echo(f"hopback: {printable(message)}", err=True)


def tell_problems(problems: Iterable[Problem]) -> None:
    """The first problems, one line each, on standard error."""
    every = tuple(problems)
    for problem in every[:_PROBLEMS_SHOWN]:
        where = f"{problem.source}, line {problem.line}" if problem.line else problem.source
        complain(f"{where}: {problem.message}")
    if len(every) > _PROBLEMS_SHOWN:
        complain(f"and {len(every) - _PROBLEMS_SHOWN} more problems (--json has them all)")


@contextmanager
def patience(doing: str) -> Iterator[None]:
    """Say on a terminal what is being done, if it takes longer than a moment."""
    if not sys.stderr.isatty():
        yield
        return
    told = threading.Event()

    def tell() -> None:
        told.set()
        sys.stderr.write(f"{printable(doing)} …")
        sys.stderr.flush()

    timer = threading.Timer(_PATIENCE_SECONDS, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if told.is_set():
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
