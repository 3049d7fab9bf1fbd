"""Counters of the network stack: ``nstat``, ``netstat -s``, /proc/net/snmp, snmp6 and netstat."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from hopback.snapshot.rows import KernelCounter, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import At, Parsed, Text
from hopback.sources.parse.counter_names import SENTENCES
from hopback.sources.parse.fields import int_or_none
from hopback.sources.parse.json_objects import is_json, objects
from hopback.sources.parse.listing import stray

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("nstat",),
    ("netstat",),
    ("cat", "/proc/net/snmp"),
    ("cat", "/proc/net/netstat"),
)
_NAME = r"(?:Ip|Ip6|IpExt|Icmp|Icmp6|IcmpMsg|Tcp|TcpExt|Udp|Udp6|UdpLite|UdpLite6|MPTcpExt|Sctp)"
SHAPE: re.Pattern[str] | None = re.compile(
    rf"#kernel\Z|\d+\.\d+ *#kernel|{_NAME}[A-Z]\w+ +\d+ +\d+\.\d|{_NAME}[A-Z]\w+\s+\d+\s*\Z"
    rf'|{_NAME}: (?:[A-Z]\w+ )+[A-Z]\w+\Z|(?:Ip|Icmp|IpExt|TcpExt):\Z|\{{"kernel":\{{"\w+":\d'
)
FILLS: tuple[type[Row], ...] = (KernelCounter,)

_COUNTER = re.compile(
    rf"\s*(?P<name>{_NAME}[A-Z]\w{{0,60}})\s+(?P<value>\d{{1,18}})(?:\s+[\d.]+)?\s*\Z"
)
_PAIRED = re.compile(rf"(?P<group>{_NAME}): (?P<words>.*\S)\s*\Z")
_SECTION = re.compile(rf"(?P<name>{_NAME}):\s*\Z")
_HISTOGRAM = re.compile(r"\s+ICMP (?P<way>input|output) histogram:")
_NAMED = re.compile(r"\s+(?P<name>[A-Z]\w{1,60}): (?P<value>\d{1,18})\s*\Z")
_SENTENCE = re.compile(
    r"\s+(?:(?P<before>\d{1,18}) (?P<after>\D+)|(?P<what>[^\s:][^:]*): (?P<value>\d{1,18}))\Z"
)
_HEADING = re.compile(r"#|\d+\.\d+ #")
# What /proc/net/snmp says besides counters (nstat leaves it out, too).
_NO_COUNTERS = frozenset(
    {"IpForwarding", "IpDefaultTTL", "TcpCurrEstab", "TcpMaxConn"}
    | {"TcpRtoAlgorithm", "TcpRtoMin", "TcpRtoMax"}
)


class _Json(Struct):
    """``nstat -j``."""

    kernel: dict[str, int]


class _Counter(NamedTuple):
    at: int | At
    name: str
    value: int


def parse(text: Text) -> Parsed:
    """One row for each counter, under the name that nstat gives it.

    Without ``-a`` nstat shows how much it grew since it was asked before, else since boot.

    Of the sentences of ``netstat -s`` only those are read that tell of forwarding and ICMP. Other
    listings of netstat (``-rn``, ``-an``) are none of this.
    """
    if text.command[:1] == ("netstat",) and not _statistics(text.command):
        return Parsed((), (), ())
    problems: list[Problem] = []
    found = _json(text) if is_json(text) else _lines(text, problems)
    rows = [
        KernelCounter(cite=text.cite(at), netns=text.netns, name=name, value=value)
        for at, name, value in found
        if name not in _NO_COUNTERS
    ]
    return Parsed(rows, problems)


def _statistics(words: tuple[str, ...]) -> bool:
    return any(
        word == "--statistics" or (word[:1] == "-" and word[:2] != "--" and "s" in word)
        for word in words[1:]
    )


def _json(text: Text) -> Iterator[_Counter]:
    for at, found in objects(text, _Json)[0]:
        for name, value in found.kernel.items():
            yield _Counter(at, name, value)


def _lines(text: Text, problems: list[Problem]) -> Iterator[_Counter]:
    section = histogram = ""
    names: list[str] = []
    group = ""
    for index, line in text.numbered():
        if match := _COUNTER.match(line):
            yield _Counter(index, match["name"], int(match["value"]))
        elif match := _PAIRED.match(line):
            words = match["words"].split()
            if words[0][:1].isalpha():
                group, names = match["group"], words
            elif match["group"] == group and len(words) == len(names):
                yield from _paired(index, group, names, words)
        elif match := _SECTION.match(line):
            section, histogram = match["name"], ""
        elif match := _HISTOGRAM.match(line):
            histogram = f" {match['way']}"
        elif section and (match := _NAMED.match(line)):
            yield _Counter(index, section + match["name"], int(match["value"]))
        elif section and (match := _SENTENCE.match(line)):
            yield from _sentence(index, section, histogram, match)
        elif not (section and line[:1].isspace()) and not _HEADING.match(line):
            problems += stray(text, index, "counters")


def _paired(index: int, group: str, names: list[str], words: list[str]) -> Iterator[_Counter]:
    """A line of /proc/net/snmp, whose names stand in the line above."""
    for name, word in zip(names, words, strict=True):
        value = int_or_none(word)
        if value is not None and value >= 0:
            yield _Counter(index, group + name, value)


def _sentence(index: int, section: str, histogram: str, match: re.Match[str]) -> Iterator[_Counter]:
    said = (match["after"] or match["what"] or "").strip()
    for place in (section + histogram, section):
        name = SENTENCES.get(place, {}).get(said)
        if name is not None:
            yield _Counter(index, section + name, int(match["before"] or match["value"]))
            return
