"""``bridge monitor [fdb]``, with and without ``-t`` or ``-ts`` (iproute2 ``bridge/monitor.c``)."""

import re
from datetime import UTC, datetime

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import FdbEvent, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.bridge_fdb import take_apart
from hopback.sources.parse.listing import stray, unreadable

COMMANDS: tuple[tuple[str, ...], ...] = (("bridge", "monitor"),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*(?:Timestamp: \w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4} \d+ usec"
    r"|(?:\[[\d-]+T[\d:.]+\] ?)?(?:\[NEIGH\] ?(?:Deleted )?|Deleted )"
    r"[0-9a-f]{2}(?::[0-9a-f]{2}){5} dev "
    r"|\[[\d-]+T[\d:.]+\] ?[0-9a-f]{2}(?::[0-9a-f]{2}){5} dev )"
)
FILLS: tuple[type[Row], ...] = (FdbEvent,)

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_LONG_STAMP = re.compile(
    r"\s*Timestamp: \w{3} (?P<month>\w{3}) +(?P<day>\d{1,2}) (?P<clock>\d\d:\d\d:\d\d)"
    r" (?P<year>\d{4}) (?P<usec>\d{1,6}) usec"
)
_SHORT_STAMP = re.compile(r"\s*\[(?P<second>[\d-]{10}T[\d:]{8})\.(?P<usec>\d{1,6})\]\s*")
_CLOCK = re.compile(r"\s*\[?\d\d:\d\d:\d\d(?:\.\d{1,9})?\]?\s+(?=\[?[0-9A-Za-z])")
"""A time of day that a shell loop put in front: of no known day, so no stamp."""
_LABEL = re.compile(r"\s*(?:\[nsid [^\]]*\]\s*)?\[(?P<label>[A-Z]+)\]\s*")
_OTHER = re.compile(r"\s*(?:Deleted )?(?:\d+: |dev |bridge |port )|\s{4}")
_LEARNED = re.compile(r"\s*(?P<deleted>Deleted )?(?P<mac>[0-9a-fA-F:xX#*]{11,17}) (?P<rest>dev .*)")


def parse(text: Text) -> Parsed:
    """Events in order. Stamps are wall-clock time without a zone, and taken as UTC."""
    rows: list[Row] = []
    problems: list[Problem] = []
    at: int | None = None
    for index, line in text.numbered():
        if line.lstrip().startswith("Timestamp:"):
            at = _stamp(_LONG_STAMP.match(line))
            if at is None:
                problems.append(unreadable(text, index, "no time"))
            continue
        if stamp := _SHORT_STAMP.match(line):
            at, line = _stamp(stamp), line[stamp.end() :]
        elif clock := _CLOCK.match(line):
            line = line[clock.end() :]
        label = _LABEL.match(line)
        line = line[label.end() :] if label else line
        if learned := _LEARNED.match(line):
            _event(text, index, learned, at, rows, problems)
        elif not label and not _OTHER.match(line):
            problems += stray(text, index, "bridge monitor")
    return Parsed(rows, problems)


def _event(
    text: Text,
    index: int,
    learned: re.Match[str],
    at: int | None,
    rows: list[Row],
    problems: list[Problem],
) -> None:
    entry, wrong = take_apart(learned["rest"], text.netns)
    if wrong:
        problems.append(unreadable(text, index, wrong))
    try:
        mac = parse_mac(learned["mac"])
    except ValueError:
        problems.append(unreadable(text, index, "no MAC address"))
        return
    if entry is None or entry.dev is None or entry.on_device:
        return
    rows.append(
        FdbEvent(
            cite=text.cite(index),
            netns=text.netns,
            mac=mac,
            dev=entry.dev,
            bridge=entry.bridge,
            vlan=entry.vlan,
            deleted=learned["deleted"] is not None,
            local=entry.local,
            at=at,
        )
    )


def _stamp(match: re.Match[str] | None) -> int | None:
    """Nanoseconds since 1970 of a stamp in either form."""
    if match is None:
        return None
    said = match.groupdict()
    if "month" in said:
        month = _MONTHS.index(said["month"]) + 1 if said["month"] in _MONTHS else 0
        second = f"{said['year']}-{month:02}-{int(said['day']):02}T{said['clock']}"
    else:
        second = said["second"]
    try:
        moment = datetime.fromisoformat(second).replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * 1_000_000_000 + int(said["usec"]) * 1000
