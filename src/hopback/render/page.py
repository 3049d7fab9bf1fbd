"""Pages of styled lines: what the text renderers write, and a terminal or a pipe shows."""

import re
import textwrap
from typing import Literal, NamedTuple

Style = Literal["", "bad", "warn", "good", "muted", "strong", "command"]

_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What could move a terminal's cursor or turn its writing round: never passed on from an input."""


class Span(NamedTuple):
    """A piece of a line in one style."""

    text: str
    style: Style = ""


Line = tuple[Span, ...]


class Page:
    """Gathers lines no wider than ``width`` columns, but for what ``exact`` was told to keep."""

    def __init__(self, width: int = 80) -> None:
        self.width = width
        self.lines: list[Line] = []

    def blank(self) -> None:
        """An empty line, unless there is one already or nothing stands above it."""
        if self.lines and self.lines[-1]:
            self.lines.append(())

    def say(self, text: str, indent: int = 0, style: Style = "", lead: str = "") -> None:
        """Prose, wrapped; ``lead`` stands before its first line and the others hang below it."""
        first = " " * indent + lead
        for line in textwrap.wrap(
            printable(text),
            max(self.width, len(first) + 20),
            initial_indent=first,
            subsequent_indent=" " * len(first),
            break_on_hyphens=False,
        ):
            self.lines.append((Span(line, style),))

    def exact(self, text: str, indent: int = 0, style: Style = "") -> None:
        """One line that must not be wrapped (a command to be copied)."""
        self.lines.append((Span(" " * indent + printable(text), style),))

    def quote(self, text: str, indent: int, lead: str = "", style: Style = "muted") -> None:
        """A line of an input on at most two lines, its end cut off if that is not enough."""
        room = max(self.width - indent - len(lead), 20)
        lines = textwrap.wrap(
            " ".join(printable(text).split()), room, max_lines=2, placeholder=" …"
        )
        for number, line in enumerate(lines):
            before = " " * indent + (" " * len(lead) if number else lead)
            self.lines.append((Span(before, "muted"), Span(line, style)))

    def headline(self, label: Span, rest: str) -> None:
        """A label, and what of ``rest`` fits beside it."""
        room = max(self.width - len(label.text), 0)
        shown = printable(rest)
        self.lines.append(
            (label, Span(shown if len(shown) <= room else shown[: room - 1] + "…", "muted"))
        )

    def titled(self, title: str, text: str) -> None:
        """A title with ``text`` beside it, or below it where that does not fit."""
        if len(title) + 2 + len(text) <= self.width:
            self.spans(Span(title, "strong"), Span(f"  {printable(text)}", "muted"))
        else:
            self.spans(Span(title, "strong"))
            self.say(text, 2, "muted")

    def spans(self, *spans: Span) -> None:
        """A line of pieces that is known to be short."""
        self.lines.append(spans)


def printable(text: str) -> str:
    """``text`` with blanks for tabs and replacement characters for what a terminal would obey."""
    return _UNPRINTABLE.sub("�", text.replace("\t", " "))


def plain(lines: list[Line]) -> str:
    """The lines without their styles."""
    return "".join("".join(span.text for span in line).rstrip() + "\n" for line in lines)
