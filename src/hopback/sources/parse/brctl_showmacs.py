"""``brctl showmacs BRIDGE`` (bridge-utils ``brctl/brctl_cmd.c:br_cmd_showmacs``).

It numbers ports instead of naming them, knows no VLANs (an address that is in the table once for
each of them stands there as often), and hides what is not learned behind "is local?".
"""

import re

from hopback.snapshot.rows import Fdb, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import argument, mac_or_none
from hopback.sources.parse.listing import nanoseconds, stray, unreadable

COMMANDS: tuple[tuple[str, ...], ...] = (("brctl", "showmacs"),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*port no\s+mac addr\s+is local\?"
    r"|\s*\d+\s+[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}\s+(?:yes|no)\s+\d+\.\d\d\s*$"
)
FILLS: tuple[type[Row], ...] = (Fdb,)

_HEADER = re.compile(r"\s*port no\s+mac addr")
_ENTRY = re.compile(r"\s*\d+\s+[0-9a-fA-FxX#*]{1,2}[:-]")
_PORTS_MAX = 1 << 10  # BR_MAX_PORTS
_LOCAL = {"yes": True, "no": False}


def parse(text: Text) -> Parsed:
    """Entries of the bridge that the command names."""
    bridge = argument(text.command, "showmacs")
    rows: list[Row] = []
    problems: list[Problem] = []
    for index, line in text.numbered():
        if _HEADER.match(line):
            continue
        if not _ENTRY.match(line):
            failed = "read of forward table failed" in line
            problems += (
                [unreadable(text, index, "brctl failed")]
                if failed
                else stray(text, index, "brctl showmacs")
            )
            continue
        row = _entry(text, index, line.split(), bridge)
        if row is None:
            problems.append(unreadable(text, index, "no forwarding entry"))
        else:
            rows.append(row)
    return Parsed(rows, problems)


def _entry(text: Text, index: int, words: list[str], bridge: str | None) -> Fdb | None:
    number, address, local, age, *_ = [*words, "", ""]
    mac = mac_or_none(address)
    if mac is None or local not in _LOCAL or len(number) > 4 or int(number) >= _PORTS_MAX:
        return None
    return Fdb(
        cite=text.cite(index),
        netns=text.netns,
        mac=mac,
        port=int(number),
        bridge=bridge,
        local=_LOCAL[local],
        age=nanoseconds(age),
    )
