"""traceroute, tracepath, mtr (its report) and Windows' tracert: who answers at which distance."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from hopback.snapshot.rows import Row, TraceHop
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.listing import family, stray

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("traceroute|traceroute6|tracepath|tracepath6|tracert|mtr",),
)
_TO = r"(?:traceroute6? to|Tracing route to) "
SHAPE: re.Pattern[str] | None = re.compile(
    rf"\s*(?:{_TO}\S+|\d{{1,2}}\?: \[LOCALHOST\]|\d{{1,2}}\.\|-- \S+)"
)
FILLS: tuple[type[Row], ...] = (TraceHop,)

_HEAD = re.compile(
    rf"\s*{_TO}(?P<name>\S+?),?(?: [(\[](?P<address>[0-9A-Fa-f:.]+)[)\]])?(?:,| |\Z)"
)
_HOP = re.compile(r"\s*(?P<distance>\d{1,3})(?:\.\|--|:|\?:|  ?)\s*(?P<answers>\S.*)")
_MORE = re.compile(r"\s+\|\s+[`|]\|?-- (?P<answers>\S.*)")  # mtr: another router at this distance
_AROUND = re.compile(
    r"\s*(?:(?:HOST|Start|Resume): ?|Too many hops|My traceroute|over a maximum of|Trace complete"
    r"|\d+ +(?:\* *)+(?:Request timed out\.)?\Z|\|\s+\|--)"
)
_WORD = re.compile(r"[(\[]?(?P<word>[^\s()\[\]]+)[)\]]?")
_ADDRESS_NEXT = re.compile(r" [(\[][0-9A-Fa-f]*[:.][0-9A-Fa-f:.]*[)\]]")
_NAME = re.compile(r"[A-Za-z_][\w.-]*")
_MEASURED = re.compile(r"\d ?ms\b|\d%|\|-- ")  # a word after a number may be prose else
_REFUSED = re.compile(r"!(?:[A-Z]|\d+|<\d+>)?")
_SILENT = ("???", "*", "no")  # mtr, traceroute, "no reply" of tracepath


class _Answer(NamedTuple):
    """One router; ``names`` are its address and what it is called, the address first."""

    names: tuple[str, ...]
    sign: str


def parse(text: Text) -> Parsed:
    """A row for each router and distance, at its line."""
    rows: list[Row] = []
    problems: list[Problem] = []
    asked: tuple[str, ...] = _asked(text)
    distance = 0
    for index, line in text.numbered():
        if head := _HEAD.match(line):
            asked = tuple(filter(None, (head["address"], head["name"])))
            continue
        hop, more = _HOP.match(line), _MORE.match(line)
        if hop is not None:
            distance = int(hop["distance"])
        elif more is None and not _AROUND.match(line):
            problems += stray(text, index, "traceroute")
        match = hop or more
        for answer in _answers(match["answers"]) if match and distance else ():
            if family(answer.names[0].partition("%")[0]) is None and not _MEASURED.search(line):
                continue
            rows.append(
                TraceHop(
                    cite=text.cite(index),
                    netns=text.netns,
                    target=asked[0] if asked else None,
                    distance=distance,
                    address=answer.names[0],
                    sign=answer.sign,
                    reached=_reached(answer, asked, line),
                )
            )
    return Parsed(rows, problems)


def _asked(text: Text) -> tuple[str, ...]:
    """What the command traces; an address goes before a name, and a size may follow it."""
    words = [word for word in text.command[1:] if not word.startswith("-")]
    addresses = [word for word in words if family(word)]
    names = [word for word in words if _NAME.match(word)]
    return tuple((addresses or names)[-1:])


def _reached(answer: _Answer, asked: tuple[str, ...], line: str) -> bool:
    return not answer.sign and (
        bool(set(answer.names) & set(asked)) or line.rstrip().endswith(" reached")
    )


def _answers(text: str) -> Iterator[_Answer]:
    """The routers that one line names, each once, with what they refused the packet for."""
    found: dict[str, _Answer] = {}
    name = current = ""
    for place, match in enumerate(_WORD.finditer(text)):
        word, bare = match["word"], match["word"] == match[0]
        if family(word.partition("%")[0]):
            # traceroute prints NAME (ADDRESS), where NAME may be the address once more
            current = word
            found.setdefault(word, _Answer((word, name) if name else (word,), ""))
            name = ""
        elif not bare or word in _SILENT:
            continue
        elif _REFUSED.fullmatch(word) and current:
            found[current] = found[current]._replace(sign=word)
        elif _NAME.fullmatch(word) and _ADDRESS_NEXT.match(text, match.end()):
            name = word
        elif _NAME.fullmatch(word) and place == 0:
            current = word
            found[word] = _Answer((word,), "")
    yield from found.values()
