"""The blocks of a keepalived configuration, before anybody asks what they mean.

keepalived wants one statement a line; people who paste a configuration put several on one. So a
statement here is all words up to a brace or the end of the line.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hopback.sources.parse.base import Text

_TOKEN = re.compile(r'"(?P<quoted>[^"]*)"?|(?P<word>[{}]|[^\s{}"]+)')
_COMMENT = re.compile(r'(?:[^"!#\\]|\\.?|"[^"]*(?:"|\Z))*')
_DEFINITION = re.compile(r"\s*\$(\w{1,64})\s*=\s*(.*?)\s*\Z")
_VARIABLE = re.compile(r"\$(?:\{(\w{1,64})\}|(\w{1,64}))")
_CONDITIONAL = re.compile(r"\s*@\^?\w")
_INCLUDE = re.compile(r"\s*include[a-z]?\s+(\S+)")
_LONGEST = 4096  # of a line whose variables were replaced
_DEEPEST = 32


class Statement(NamedTuple):
    """Words, and the statements in the braces behind them; ``line`` is the index of its line."""

    line: int
    words: Sequence[str]
    body: "list[Statement]"
    braced: bool = False


class Blocks(NamedTuple):
    """The statements of a text; ``left_out`` are lines that were not followed, and why."""

    statements: Sequence[Statement]
    left_out: Sequence[tuple[int, str]]


def read_blocks(text: Text) -> Blocks:
    """The statements, with comments taken off and variables replaced.

    What other files hold (``include``) is not known here, nor under which name keepalived runs,
    which decides about lines that begin with ``@name``.
    """
    left_out: list[tuple[int, str]] = []
    top: list[Statement] = []
    open_: list[Statement] = []
    for index, words in _lines(text, left_out):
        gathered: list[str] = []
        for word in [*words, "\n"]:
            if word not in ("{", "}", "\n"):
                gathered.append(word)
                continue
            level = open_[-1].body if open_ else top
            if gathered or word == "{":
                _close(level, index, gathered, opens=word == "{")
                gathered = []
            if word == "{" and len(open_) < _DEEPEST:
                open_.append(level[-1])
            elif word == "}" and open_:
                open_.pop()
    if open_:
        left_out.append((open_[0].line, "a block is not closed"))
    return Blocks(top, left_out)


def _close(level: list[Statement], index: int, words: list[str], *, opens: bool) -> None:
    """End a statement; a brace on a line of its own belongs to the statement before it."""
    if opens and not words and level and not level[-1].braced:
        level[-1] = level[-1]._replace(braced=True)
    else:
        level.append(Statement(index, words, [], opens))


def _lines(text: Text, left_out: list[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    variables: dict[str, str] = {}
    for index, raw in text.numbered():
        line = _COMMENT.match(raw)[0]  # type: ignore[index]
        if "$" in line:
            line = _replaced(line, variables)
        if found := _DEFINITION.match(line):
            variables[found[1]] = found[2].strip("\"'")
        elif _CONDITIONAL.match(line):
            left_out.append((index, "left out: it depends on the name keepalived runs under"))
        elif found := _INCLUDE.match(line):
            left_out.append((index, f"{found[1]} was not followed: give that file, too"))
        else:
            yield index, [m["quoted"] or m["word"] or "" for m in _TOKEN.finditer(line)]


def _replaced(line: str, variables: dict[str, str]) -> str:
    start = _DEFINITION.match(line)
    head, rest = (line[: start.start(2)], line[start.start(2) :]) if start else ("", line)
    whole = head + _VARIABLE.sub(lambda m: variables.get(m[1] or m[2], m[0]), rest)
    return whole[:_LONGEST]
