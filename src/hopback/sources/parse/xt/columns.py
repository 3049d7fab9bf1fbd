"""A line of ``iptables -L``: its columns, and the words behind them, as steps."""

import re
from typing import NamedTuple

from hopback.snapshot.rows import Step, Unsure
from hopback.sources.parse.xt.extras import options_of
from hopback.sources.parse.xt.ip_rule import ip_steps
from hopback.sources.parse.xt.words import Option

_HEADER = re.compile(
    r"\s*(?P<num>num\s+)?(?P<counters>pkts\s+bytes\s+)?(?P<target>target)\s+prot\s+opt\s+"
    r"(?P<devices>in\s+out\s+)?source\s+destination\s*\Z"
)
_AMOUNT = re.compile(r"\d{1,18}[KMGT]?")
_FRAGMENTS = {"--": None, "-f": Option("-f"), "!f": Option("-f", negated=True)}
_ANY = frozenset(("*", "any", "anywhere", "0.0.0.0/0", "::/0"))


class Header(NamedTuple):
    """Which columns a listing has; ``target`` is where that column begins."""

    numbers: bool
    counters: bool
    devices: bool
    target: int


class Line(NamedTuple):
    """A rule of a listing; ``packets`` None where none were shown, or rounded ones."""

    steps: tuple[Step, ...]
    text: str
    packets: int | None


def header(line: str) -> Header | None:
    """The columns, if ``line`` is the line that names them."""
    found = _HEADER.match(line)
    if found is None:
        return None
    numbers, counters, devices = (found[n] is not None for n in ("num", "counters", "devices"))
    return Header(numbers, counters, devices, found.start("target"))


def rule(line: str, columns: Header, six: bool, chain: str) -> Line | None:
    """The rule on ``line``; None if it is none.

    A listing without ``-v`` leaves devices out: whether they fit is not known.
    """
    rest, packets = _counters(line, columns)
    found = rest and _options(rest, columns, blank=line[columns.target :][:1].isspace())
    if not rest or not found:
        return None
    target, options, extras = found
    steps = ip_steps([*options, *options_of(extras, target)], six, chain)
    if not columns.devices:
        steps = (Unsure("devices are not shown (-v)"), *steps)
    return Line(steps, " ".join(rest.split()), packets)


def _counters(line: str, columns: Header) -> tuple[str | None, int | None]:
    """The line behind its number and counters, and how many packets were counted."""
    rest = line.strip()
    if columns.numbers:
        number, _, rest = rest.partition(" ")
        if not number.isdecimal():
            return None, None
    if not columns.counters:
        return rest.strip(), None
    words = rest.split(None, 2)
    if len(words) < 3 or not all(map(_AMOUNT.fullmatch, words[:2])):
        return None, None
    return words[2], int(words[0]) if words[0].isdecimal() else None


def _options(rest: str, columns: Header, blank: bool) -> tuple[str, list[Option], str] | None:
    """The target's name, the columns as options, and the text behind them.

    A rule without target leaves that column blank; old ip6tables leaves ``opt`` blank.
    """
    first = rest.split(None, 3)
    at = next((at for at in (1, 2) if first[at : at + 1] and first[at] in _FRAGMENTS), None)
    before = at if at is not None else 1 if blank else 2
    count = before + (at is not None) + 2 * columns.devices + 2
    words = rest.split(None, count)
    if len(words) < count:
        return None
    ends = words[count - 2 : count]
    if not all(end in _ANY or "." in end or ":" in end for end in ends) and at is None:
        return None
    options = [_column("-s", ends[0]), _column("-d", ends[1])]
    if columns.devices:
        options += [_column("-i", words[count - 4]), _column("-o", words[count - 3])]
    options.append(_column("-p", words[before - 1]))
    if at is not None:
        options.append(_FRAGMENTS[words[at]])
    target = words[0] if before == 2 else ""
    extras = words[count] if len(words) > count else ""
    return target, [option for option in options if option is not None], extras


def _column(name: str, word: str) -> Option | None:
    if word in _ANY:
        return None
    return Option(name, (word.removeprefix("!"),), word.startswith("!"))
