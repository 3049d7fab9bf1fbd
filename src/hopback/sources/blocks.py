"""A text cut where prompts and headings begin something new."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hopback.sources.parse.base import Parser
from hopback.sources.parse.registry import LOOK, for_line, parser
from hopback.sources.prompts import Prompt, read_heading, read_prompt

LOG = "kernel_log"
"""The parser whose lines may stand anywhere."""

BULLET = re.compile(r"\s*[•*·‣–-]\s+")
_QUOTE = re.compile(r"(?:>\s?)+")
_FENCE = re.compile(r"\s*(?:```|~~~)\s*[\w-]*\s*")


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
    for number, raw in enumerate(lines, 1):
        line = _unquote(raw)
        found = read_prompt(line, hosts) or read_heading(line)
        if found is None:
            block = _extend(block, line, number)
            continue
        yield block
        label = block.host if found.host is None else found.host
        hosts.add(label)
        block = Block(label, found, line, number + 1, [])
    yield block


def _unquote(line: str) -> str:
    """Without the marks of quoted mail; the fences of Markdown become blank lines."""
    if line[:1] == ">":
        line = line[_QUOTE.match(line).end() :]  # type: ignore[union-attr]
    return "" if _FENCE.fullmatch(line) else line


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
