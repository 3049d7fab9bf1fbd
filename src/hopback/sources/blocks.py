"""A text cut where prompts and headings begin something new."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from typing import NamedTuple

from hopback.sources.parse.base import Parser
from hopback.sources.parse.commands import parse_commands
from hopback.sources.parse.registry import LOOK, for_command, for_line, parser
from hopback.sources.prompts import Prompt, is_command, read_heading, read_prompt

LOG = "kernel_log"
"""The parser whose lines may stand anywhere."""

BULLET = re.compile(r"\s*[•*·‣–-]\s+")
_QUOTE = re.compile(r"\s*(?:>\s?)+")
_FENCE = re.compile(r"\s*(?:```|~~~)\s*[\w-]*\s*")
_BEGUN = re.compile(r"\breceived packet\b|\bduplicate address\b")
_TAGS = re.compile(r"(?:\[/?(?:code|font|size|color|quote|b|i|u)(?:=[^\]]*)?\])+", re.IGNORECASE)


class Block(NamedTuple):
    """A prompt and the lines up to the next; ``first`` is the number of ``lines[0]``."""

    host: str
    prompt: Prompt | None
    head: str
    first: int
    lines: list[str]


def blocks(lines: Iterable[str], host: str = "") -> Iterator[Block]:
    """Cut a text at its prompts and headings; prose before the first listing is let go."""
    hosts: set[str] = set()
    block = Block(host, None, "", 1, [])
    cleaned = map(_unquote, chain(lines, ("",)))
    for number, (line, following) in enumerate(pairwise(cleaned), 1):
        if _BEGUN.search(line[:LOOK]):
            line = _rejoined(line, following)
        found = read_prompt(line, hosts) or read_heading(line) or _without_prompt(line, following)
        if found is None:
            block = _extend(block, line, number)
            continue
        yield block
        label = block.host if found.host is None else found.host
        hosts.add(label)
        block = Block(label, found, line, number + 1, [])
    yield block


def _unquote(line: str) -> str:
    """Without the marks of quoted mail and forums; the fences of Markdown become blank lines."""
    if line.lstrip(" ")[:1] == ">":
        line = line[_QUOTE.match(line).end() :]  # type: ignore[union-attr]
    if line[:1] == "[" and (tags := _TAGS.match(line)):
        line = line[tags.end() :]
    return "" if _FENCE.fullmatch(line) else line


def _rejoined(line: str, following: str) -> str:
    """A kernel message that a mail program broke over two lines, whole again on the first."""
    log, whole = parser(LOG), f"{line.rstrip()} {following.lstrip()}"
    broken = not has_shape(log, line) and not has_shape(log, following)
    return whole if broken and has_shape(log, whole) else line


def _without_prompt(line: str, following: str) -> Prompt | None:
    """A command whose prompt was left out or is no known one: its listing follows at once."""
    typed = line.strip().lstrip("#$%> ")
    if not is_command(typed):
        return None
    for command in parse_commands(typed):
        found = for_command(command.words)
        if found is not None and has_shape(found, following):
            return Prompt(None, typed)
    return None


def _extend(block: Block, line: str, number: int) -> Block:
    if block.lines or (block.prompt and block.prompt.command):
        block.lines.append(dedent(line, block.prompt.indent) if block.prompt else line)
    elif shape_of(line):
        return block._replace(first=number, lines=[line])
    return block


def dedent(line: str, indent: int) -> str:
    """Take off as many blanks as stood before the prompt, where they are."""
    return line[len(line[:indent]) - len(line[:indent].lstrip()) :] if indent else line


def shape_of(line: str) -> tuple[Parser, int] | None:
    """The parser whose listing may begin here, and how far the line is indented.

    An indented line is first taken as it is: some listings are indented by themselves.
    """
    if not line or line.isspace():
        return None
    if found := for_line(line):
        return found, 0
    if bullet := BULLET.match(line):
        found = for_line(line[bullet.end() :])
        return (found, 0) if found is parser(LOG) else None
    bare = line.lstrip()
    if len(line) - len(bare) >= 2 and (found := for_line(bare)):
        return found, len(line) - len(bare)
    return None


def has_shape(found: Parser, line: str) -> bool:
    """Whether a listing of ``found`` may begin with the line."""
    return found.SHAPE is not None and found.SHAPE.match(line[:LOOK]) is not None
