"""What the listings of iproute2, bridge-utils and net-tools have in common."""

import re
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from itertools import pairwise
from typing import Literal

from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Text
from hopback.sources.parse.fields import int_or_none

CUT = re.compile(r"\[?(?:\.\.\.|…)\]?|\[snip\]|<snip>", re.IGNORECASE)
"""How people mark what they left out of a paste."""

REFUSAL = re.compile(
    r".*(?:command not found|[Pp]ermission denied|Operation not permitted|No such file"
    r"|must be root|[Ii]nvalid argument|[Nn]ot supported|can't initialize|nable to initialize)"
)
"""What shells, and the programs of packet filters, print instead of a listing."""

_ECHO = re.compile(
    r"\s*(?:\S{0,80}(?: \S{1,80})?[#$>+%]|\+)\s*(?:sudo\s+)?"
    r"(?:/\S+/)?(?:ip|bridge|brctl|ifconfig|arp)\b"
)
_SHOWN = 60
_TABLES = {"253": "default", "254": "main", "255": "local"}

_SWITCH = {"on": True, "off": False, "true": True, "false": False, "1": True, "0": False}


def is_echo(line: str) -> bool:
    """Whether the line is a prompt with the command that printed the listing."""
    return _ECHO.match(line) is not None


def stray(text: Text, index: int, what: str) -> list[Problem]:
    """The problem with a line that is none of the listing's; none in a paste, where prose may be.

    ``what`` names the listing.
    """
    line = text.lines[index]
    if not text.strict or is_echo(line) or not line.strip():
        return []
    return [unreadable(text, index, f"not a line of {what}")]


def unreadable(text: Text, index: int, message: str) -> Problem:
    """A problem that shows the beginning of its line."""
    line = text.lines[index].strip()
    shown = line if len(line) <= _SHOWN else line[:_SHOWN] + "…"
    return text.problem(index, f"{message}: {shown!r}")


def pairs(words: Sequence[str]) -> dict[str, str]:
    """What follows each word; the first occurrence counts, and a cut mark is nothing.

    iproute2 prints attributes as a name and a value with some lone words between, so that every
    word may be a name: look up only those that are.
    """
    found: dict[str, str] = {}
    for name, value in pairwise(words):
        if not CUT.fullmatch(value):
            found.setdefault(name, value)
    return found


def number(value: object) -> int | None:
    """An integer of a listing or of its JSON twin, if it fits 64 bits."""
    if isinstance(value, str):
        return int_or_none(value)
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    return None


def switch(value: object) -> bool | None:
    """``on``, ``off``, 1, 0, true or false."""
    return _SWITCH.get(str(value).lower())


def table_name(name: str) -> str:
    """A routing table by the name that it has everywhere, else as it is printed."""
    return _TABLES.get(name, name)


def nanoseconds(seconds: str) -> int | None:
    """A decimal number of seconds in ns, exactly."""
    whole, _, part = seconds.partition(".")
    digits = whole + part.ljust(9, "0")
    if not (whole + part).isdigit() or not digits.isascii() or len(whole) > 9 or len(part) > 9:
        return None
    return int(digits)


def family(address: str) -> Literal[4, 6] | None:
    """Whether it is an IPv4 or an IPv6 address (without prefix); None if it is neither."""
    try:
        return 4 if ip_address(address).version == 4 else 6
    except ValueError:
        return None


def following(command: Sequence[str], names: Iterable[str]) -> str | None:
    """The word after one of ``names`` in the command line, e.g. the device after ``dev``."""
    for name in names:
        if name in command[:-1]:
            word = command[len(command) - 1 - command[::-1].index(name) + 1]
            return None if word.startswith("-") else word
    return None


def device_of(command: Sequence[str]) -> str | None:
    """The device whose part is shown: ``ip addr show dev NAME``, ``ip addr show NAME``."""
    named = following(command, ("dev",))
    if named is not None or command[-2:-1] != ("show",):
        return named
    return None if command[-1] in ("up", "all") or command[-1].startswith("-") else command[-1]
