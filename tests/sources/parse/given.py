"""Listings for the parsers: recorded ones, and ones a test spells out."""

from pathlib import Path
from textwrap import dedent
from typing import Any, TypeVar

from hopback.snapshot.rows import Row
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.commands import parse_commands
from hopback.sources.parse.file_names import parse_file_name

FIXTURES = Path(__file__).parents[2] / "fixtures"

AnyRow = TypeVar("AnyRow", bound=Row)


def words(command: str) -> tuple[str, ...]:
    """A command line as parsers get it."""
    commands = parse_commands(command)
    return commands[0].words if commands else ()


def recorded(name: str, command: str | None = None) -> Text:
    """A file of tests/fixtures, with the command its name tells unless another is given."""
    lines = (FIXTURES / name).read_text().splitlines()
    told = parse_file_name(Path(name).name).words if command is None else words(command)
    return Text(0, name, lines, command=told)


def listing(text: str, command: str = "", strict: bool = True) -> Text:
    """A listing spelled out; indentation that all lines share is taken off."""
    return Text(0, "given", dedent(text).strip("\n").split("\n"), 1, words(command), "", strict)


def pasted(text: str, command: str = "") -> Text:
    """The same, as part of a paste."""
    return listing(text, command, strict=False)


def rows(parsed: Parsed, kind: type[AnyRow]) -> list[AnyRow]:
    """The rows of one kind."""
    return [row for row in parsed.rows if isinstance(row, kind)]


def facts(row: Row) -> dict[str, Any]:
    """What a row says, without where it was read."""
    names = row.__struct_fields__
    said = {name: getattr(row, name) for name in names if name not in ("cite", "netns")}
    return {name: value for name, value in said.items() if value is not None}
