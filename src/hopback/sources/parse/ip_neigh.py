"""``ip neigh`` (text, JSON), ``arp -an``, ``arp -n`` and ``/proc/net/arp``."""

import re
from collections.abc import Iterator
from typing import Any

from hopback.snapshot.rows import Neighbour, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import At, Parsed, Text
from hopback.sources.parse.fields import mac_or_none
from hopback.sources.parse.json_objects import is_json, objects
from hopback.sources.parse.listing import CUT, device_of, family, number, pairs, stray, unreadable

COMMANDS: tuple[tuple[str, ...], ...] = (("ip", "neigh"), ("arp",), ("cat", "/proc/net/arp"))
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*[0-9a-fA-F.:]+ lladdr [0-9a-f:]{17} "
    r"|\s*[0-9a-fA-F.:]+ dev \S+ (?:lladdr |(?:router |proxy |extern_learn )?"
    r"(?:INCOMPLETE|FAILED|NOARP|PERMANENT|proxy)\s*$)"
    r"|\s*\S+ \([0-9.]+\) at \S+ (?:\[\w+\] |PERM |PUB )*(?:\s*on \S+)\s*$"
    r"|\s*Address\s+HWtype\s+HWaddress\s+Flags\s+Mask\s+Iface"
    r"|\s*IP address\s+HW type\s+Flags\s+HW address\s+Mask\s+Device"
    r'|\[ ?\{"dst":"[0-9a-fA-F.:]+",(?:"dev":"[^"]+",)?"(?:lladdr|state|router|proxy)":'
)
FILLS: tuple[type[Row], ...] = (Neighbour,)

_STATES = frozenset(
    {"PERMANENT", "NOARP", "REACHABLE", "STALE", "DELAY", "PROBE", "FAILED", "INCOMPLETE", "NONE"}
)
_HEADER = re.compile(r"\s*(?:Address\s+HWtype\s|IP address\s+HW type\s)")
_ARP_A = re.compile(
    r"\s*\S+ \((?P<address>[0-9.]+)\) at (?P<mac>\S+)(?P<flags>.*?)(?:\son (?P<dev>\S+))?\s*$"
)
_TABLE_WIDTH = (3, 6)  # "ADDRESS (incomplete) DEV" … "ADDRESS 0x1 0x2 MAC * DEV"
_PERMANENT, _PUBLISHED = 0x04, 0x08  # ATF_PERM, ATF_PUBL


def parse(text: Text) -> Parsed:
    """Neighbours. ``arp`` tells no more of their states than PERMANENT and INCOMPLETE."""
    if is_json(text):
        return _parse_json(text)
    rows: list[Row] = []
    problems: list[Problem] = []
    shown = device_of(text.command)
    for index, line in text.numbered():
        if _HEADER.match(line) or line.startswith("Entries:"):
            continue
        said = _said(line, shown)
        if said is None:
            problems += stray(text, index, "ip neigh or arp")
            continue
        row = _row(text, index, said)
        if row is None:
            problems.append(unreadable(text, index, "no neighbour"))
            continue
        rows.append(row)
        if row.mac is None and said.get("lladdr") and not CUT.fullmatch(said["lladdr"]):
            problems.append(unreadable(text, index, "no MAC address"))
    return Parsed(rows, problems)


def _said(line: str, shown: str | None) -> dict[str, Any] | None:
    """The line in the words of ``ip neigh``."""
    words = line.split()
    if match := _ARP_A.match(line):
        return _from_arp(match)
    if family(words[0]) is None:
        return None
    if "dev" in words or (shown and not _TABLE_WIDTH[0] <= len(words)):
        return _from_ip(words, shown)
    if "lladdr" in words or words[-1] in _STATES:
        return _from_ip(words, shown)
    if _TABLE_WIDTH[0] <= len(words) <= _TABLE_WIDTH[1]:
        return _from_table(words)
    return None


def _from_ip(words: list[str], shown: str | None) -> dict[str, Any]:
    said = pairs(words)
    return {
        "dst": words[0],
        "dev": said.get("dev", shown),
        "lladdr": said.get("lladdr"),
        "router": "router" in words,
        "proxy": "proxy" in words,
        "state": next((word for word in words if word in _STATES), None),
    }


def _from_arp(match: re.Match[str]) -> dict[str, Any]:
    flags = match["flags"].split()
    unresolved = match["mac"].startswith("<")
    published = "PUB" in flags
    incomplete = match["mac"] == "<incomplete>"
    return {
        "dst": match["address"],
        "dev": match["dev"],
        "lladdr": None if unresolved else match["mac"],
        "proxy": published,
        "state": "INCOMPLETE" if incomplete else _permanent("PERM" in flags and not published),
    }


def _from_table(words: list[str]) -> dict[str, Any]:
    """A line of the table of ``arp -n`` or ``/proc/net/arp``, which differ in their flags."""
    macs = [word for word in words[1:-1] if mac_or_none(word) is not None]
    letters = words[-2] if len(words) > _TABLE_WIDTH[0] else ""
    bits = number(words[2]) if words[1].startswith("0x") else None
    published = "P" in letters if bits is None else bool(bits & _PUBLISHED)
    fixed = "M" in letters if bits is None else bool(bits & _PERMANENT)
    incomplete = "(incomplete)" in words or bits == 0
    return {
        "dst": words[0],
        "dev": words[-1],
        "lladdr": None if incomplete or published else "".join(macs[:1]),
        "proxy": published,
        "state": "INCOMPLETE" if incomplete else _permanent(fixed and not published),
    }


def _permanent(fixed: bool) -> str | None:
    return "PERMANENT" if fixed else None


def _row(text: Text, index: int | At, said: dict[str, Any]) -> Neighbour | None:
    dev, address = said.get("dev"), said.get("dst")
    if not isinstance(dev, str) or not isinstance(address, str) or family(address) is None:
        return None
    return Neighbour(
        cite=text.cite(index),
        netns=text.netns,
        dev=dev,
        address=address,
        mac=mac_or_none(said.get("lladdr")),
        state=said.get("state"),
        router=bool(said.get("router")),
        proxy=bool(said.get("proxy")),
    )


def _parse_json(text: Text) -> Parsed:
    found, problems = objects(text, dict[str, Any])
    rows: list[Row] = []
    shown = device_of(text.command)
    for index, value in found:
        row = _row(text, index, dict(_json_words(value, shown)))
        if row is not None:
            rows.append(row)
        else:
            problems.append(text.problem(index, "no neighbour"))
    return Parsed(rows, problems)


def _json_words(value: dict[str, Any], shown: str | None) -> Iterator[tuple[str, Any]]:
    """The object with its types made sure of; a flag is a name whose value is null."""
    yield "dst", value.get("dst")
    yield "dev", value.get("dev", shown)
    lladdr, states = value.get("lladdr"), value.get("state")
    yield "lladdr", lladdr if isinstance(lladdr, str) else None
    yield "router", "router" in value
    yield "proxy", "proxy" in value
    known = states if isinstance(states, list) else []
    yield "state", next((state for state in known if state in _STATES), None)
