"""What a parser is.

A parser is a module of this package that turns one listing into rows. It is pure: text in,
``(rows, problems)`` out, and it never raises for what the text holds. ``registry.py`` lists them;
sources find the right one by the command (or file name) a listing came with, or by its shape.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from hopback.snapshot.rows import Row
from hopback.snapshot.table import Cite, Problem


class At(NamedTuple):
    """A place in JSON: the index of a line, and the number of the object (from 1)."""

    line: int
    item: int


class Text(NamedTuple):
    """One listing.

    ``source`` is the number rows cite, ``name`` what problems are reported under, ``first`` the
    line number of ``lines[0]`` in its origin. ``command`` are the words of the command line (or of
    the file name it was saved under), options included: parsers look there for what the text does
    not repeat (``brctl showmacs BRIDGE``, ``tcpdump -i DEV``). ``strict`` is False in a paste,
    where prose may stand between the lines of a listing: what is not of the parser's shape is then
    passed over, while in a file of its own it is a problem. ``filtered``: a pipe let only some
    lines through. Lines carry no line ends.
    """

    source: int
    name: str
    lines: Sequence[str]
    first: int = 1
    command: tuple[str, ...] = ()
    netns: str = ""
    strict: bool = True
    filtered: bool = False

    def cite(self, index: int | At) -> Cite:
        """The citation of ``lines[index]``, or of an object of JSON."""
        if isinstance(index, At):
            return Cite(self.source, self.first + index.line, index.item)
        return Cite(self.source, self.first + index)

    def problem(self, index: int | At, message: str) -> Problem:
        """A problem with ``lines[index]``, or with an object that begins there."""
        line = index.line if isinstance(index, At) else index
        return Problem(self.name, self.first + line, message)

    def numbered(self) -> Iterator[tuple[int, str]]:
        """Every line that is not blank, with its index."""
        return ((i, line) for i, line in enumerate(self.lines) if line and not line.isspace())


class Parsed(NamedTuple):
    """What a parser made of a listing.

    ``fills`` are the tables that this listing shows, where the parser reads several kinds of
    listings and none shows all of its ``FILLS``.
    """

    rows: Sequence[Row]
    problems: Sequence[Problem] = ()
    fills: Sequence[type[Row]] | None = None


class Parser(Protocol):
    """The names a parser module defines.

    ``COMMANDS`` are the command lines that print such a listing, as words without options (a word
    may offer alternatives: ``"address|addr"``, a path stands for all below it, ``"*.sh"`` for all
    that end so); further words may follow. ``SHAPE`` matches a line with which such a listing can
    begin, and nothing that prose or another listing contains; None if it has no shape of its own.
    ``FILLS`` are the tables it lists, so that a listing without rows is an empty table and not a
    missing one.
    """

    COMMANDS: tuple[tuple[str, ...], ...]
    SHAPE: re.Pattern[str] | None
    FILLS: tuple[type[Row], ...]
    parse: Callable[[Text], Parsed]
