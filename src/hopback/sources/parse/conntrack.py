"""The connection table: ``conntrack -L`` and /proc/net/nf_conntrack.

Kernel ``net/netfilter/nf_conntrack_standalone.c:ct_seq_show``; conntrack-tools ``nfct_snprintf``.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address

from hopback.snapshot.rows import Connection, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import int_or_none
from hopback.sources.parse.listing import stray, unreadable

_BEGIN = (
    r"\s*(?:ipv[46] +\d+ +)?\w+ +(?P<protocol>\d{1,3})(?: (?P<timeout>\d+))?"
    r"(?: (?P<state>[A-Z][A-Z0-9_]*))?(?: \w+=\d+,?)* (?=src=\S+ dst=\S)"
)
_ENTRY = re.compile(_BEGIN)
_PAIR = re.compile(r"(\w[\w-]*)=(\S+)")
_SUMMARY = re.compile(r"conntrack v\S+ \(conntrack-tools\): \d+ flow entries")

COMMANDS: tuple[tuple[str, ...], ...] = (("conntrack",), ("cat", "/proc/net/nf_conntrack"))
SHAPE: re.Pattern[str] | None = re.compile(re.sub(r"\?P<\w+>", "?:", _BEGIN))
FILLS: tuple[type[Row], ...] = (Connection,)


def parse(text: Text) -> Parsed:
    """One row for each entry."""
    rows: list[Row] = []
    problems: list[Problem] = []
    for index, line in text.numbered():
        match = _ENTRY.match(line)
        if match is None:
            if not _SUMMARY.match(line):
                problems += stray(text, index, "conntrack")
        elif row := _row(text, index, match):
            rows.append(row)
        else:
            problems.append(unreadable(text, index, "half an entry"))
    return Parsed(rows, problems)


def _row(text: Text, index: int, match: re.Match[str]) -> Connection | None:
    """The entry of a line; None if one of its directions is not whole."""
    pairs = _PAIR.findall(match.string, match.end())
    starts = [at for at, (name, _) in enumerate(pairs) if name == "src"]
    if len(starts) != 2:
        return None
    first, second = dict(pairs[: starts[1]]), dict(pairs[: starts[1] - 1 : -1])
    ends = [_address(way.get(name)) for way in (first, second) for name in ("src", "dst")]
    source, target, reply_source, reply_target = ends
    if not (source and target and reply_source and reply_target):
        return None
    return Connection(
        cite=text.cite(index),
        netns=text.netns,
        protocol=int(match["protocol"]),
        source=source,
        target=target,
        source_port=_number(first, "id" if "type" in first else "sport"),
        target_port=_number(first, "dport"),
        reply_source=reply_source,
        reply_target=reply_target,
        reply_source_port=_number(second, "sport"),
        reply_target_port=_number(second, "id" if "type" in second else "dport"),
        state=match["state"],
        replied="[UNREPLIED]" not in match.string,
        mark=_number(second, "mark"),
        zone=_number(second, "zone") or 0,
    )


def _address(text: str | None) -> str | None:
    try:
        return str(ip_address(text or ""))
    except ValueError:
        return None


def _number(pairs: Mapping[str, str], name: str) -> int | None:
    return int_or_none(pairs.get(name))
