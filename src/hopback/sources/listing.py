"""One listing into a builder: rows, problems, and how much of the tables it covered."""

from collections.abc import Sequence
from typing import NamedTuple

from hopback.snapshot.model import Builder
from hopback.snapshot.rows import Row, Unread
from hopback.snapshot.table import Cite, Extent, Problem, Source
from hopback.sources.lines import is_cut
from hopback.sources.parse.base import Parsed, Parser, Text
from hopback.sources.parse.commands import Command
from hopback.sources.parse.scope import PART, scope_of

_EMPTY_JSON = frozenset({"[]", "{}", "[{}]", "[ ]", "[{ }]", "[ { } ]"})
_PARAGRAPH_MAX = 100
_UNREAD_LINES_MAX = 40  # enough to see what it was


class Listing(NamedTuple):
    """Lines that may be a listing.

    ``title`` is the command as typed (or the file's name), ``origin`` the file or paste, ``first``
    the number of ``lines[0]`` in it. ``head`` is the line before ``lines`` that holds the command,
    when there is one. ``strict`` is False where prose may stand between the lines.
    """

    title: str
    origin: str
    lines: Sequence[str]
    first: int = 1
    head: str | None = None
    command: Command | None = None
    netns: str = ""
    strict: bool = False

    @property
    def named(self) -> str:
        """What problems are reported under."""
        return self.origin or self.title

    def source(self, used: int) -> Source:
        """The source that keeps the first ``used`` lines."""
        kept = [] if self.head is None else [self.head]
        kept.extend(self.lines[:used])
        first = self.first if self.head is None else self.first - 1
        return Source(self.title, self.origin, first, "\n".join(kept))


class Outcome(NamedTuple):
    """``span``: the lines from the first row's to the last's; None if nothing could be read."""

    span: range | None
    problems: Sequence[Problem] = ()
    rows: Sequence[Row] = ()


def read(builder: Builder, parser: Parser, listing: Listing) -> Outcome:
    """Add what ``parser`` reads of ``listing``; if it can make nothing of it, nothing is added."""
    number = len(builder.sources)
    command = listing.command
    text = Text(
        number,
        listing.named,
        listing.lines,
        listing.first,
        command.words if command else (),
        listing.netns,
        listing.strict,
        command is not None and command.filtered,
    )
    parsed = parser.parse(text)
    span = _span(parsed, listing)
    if span is None and not _tells_nothing(parser, parsed, listing.lines):
        return Outcome(None, parsed.problems)
    span = span or range(len(listing.lines))
    builder.open(listing.source(_end(listing, max(span.stop, _last_problem(parsed, listing)))))
    builder.add(parsed.rows, parsed.problems)
    whole = not parsed.problems and not any(map(is_cut, listing.lines[: span.stop + 2]))
    for kind in parser.FILLS if parsed.fills is None else parsed.fills:
        scope = scope_of(command, kind) if command else PART
        extent = Extent(number, listing.netns, scope.dev, scope.complete and whole)
        builder.add((), fills=(kind,), extent=extent)
    return Outcome(span, parsed.problems, parsed.rows)


def _span(parsed: Parsed, listing: Listing) -> range | None:
    if not parsed.rows:
        return None
    lines = [row.cite.line for row in parsed.rows]
    return range(min(lines) - listing.first, max(lines) - listing.first + 1)


def _last_problem(parsed: Parsed, listing: Listing) -> int:
    return max((p.line - listing.first + 1 for p in parsed.problems), default=0)


def _end(listing: Listing, used: int) -> int:
    """The end of the paragraph: a row may cite the first of several lines that tell it."""
    last = min(len(listing.lines), used + _PARAGRAPH_MAX)
    return next((at for at in range(used, last) if not listing.lines[at].strip()), last)


def _tells_nothing(parser: Parser, parsed: Parsed, lines: Sequence[str]) -> bool:
    """Whether the listing was understood and has no rows: a header alone, JSON without objects."""
    if parsed.problems:
        return False
    if next((line.strip() for line in lines if line.strip()), "") in _EMPTY_JSON:
        return True
    return parser.SHAPE is not None and any(
        map(parser.SHAPE.match, (line[:1000] for line in lines))
    )


def unread(builder: Builder, listing: Listing, what: str, problems: Sequence[Problem] = ()) -> None:
    """Say that a listing was there and nothing could be made of it, and what was wrong with it."""
    used = min(len(listing.lines), _UNREAD_LINES_MAX)
    number = builder.open(listing.source(used))
    line = listing.first if listing.head is None else listing.first - 1
    add_rows(builder, (Unread(cite=Cite(number, line), netns=listing.netns, what=what),), problems)


def add_rows(builder: Builder, rows: Sequence[Row], problems: Sequence[Problem] = ()) -> None:
    """Rows that no listing covers: they fill no table."""
    builder.add(rows, problems)
