"""``ip addr`` with or without ``-d``, ``-br``, ``-o``, ``-j``, ``-4``, ``-6``, and busybox's.

iproute2 ``ip/ipaddress.c:print_addrinfo``. People paste these shortened: a device may consist of
one line with addresses, and lines may have lost their indentation.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from hopback.snapshot.rows import Address, Link, Row
from hopback.snapshot.table import Cite, Problem
from hopback.sources.parse import ip_link_json
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.ip_link import (
    BRIEF,
    Stanza,
    brief_link,
    device_problems,
    device_rows,
    stanzas,
)
from hopback.sources.parse.json_objects import is_json, objects
from hopback.sources.parse.listing import CUT, device_of, family, number, pairs, stray, unreadable

COMMANDS: tuple[tuple[str, ...], ...] = (("ip", "address|addr"),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*\d+: [^\s:]+: (?:<[^>]*> (?:mtu \d+ (?=qdisc |state |master |xdp)(?!master \S+ state )"
    r"(?!.*\bmode (?:DEFAULT|DORMANT)\b)|\[?\.\.\.)|\[\.\.\.\]\s*$)"
    r"|\s*\d+: \S+ +inet6? [0-9a-f.:]+"
    r"|\s*[^\s:]+\s+(?:UP|DOWN|UNKNOWN|LOWERLAYERDOWN|DORMANT)\s+[0-9a-f:.]+/\d+"
    r'|\[ ?\{(?:\},\{)*(?=.{0,3000}?"addr_info":)'
)
FILLS: tuple[type[Row], ...] = (Link, Address)

_INET = re.compile(r"\s*inet6? (?P<address>[0-9a-fA-F:.]+)(?P<rest>\b.*|/.*)")
_ONE_LINE = re.compile(r"\s*\d{1,9}: (?P<dev>[^\s:]+)\s+(?P<inet>inet6? .*)")
_BARE = re.compile(r"\s*(?P<dev>[^\s/]+)\s+(?P<rest>[0-9a-fA-F:.]+/\d+.*)")
_FLAGS = frozenset(
    {"secondary", "temporary", "tentative", "dadfailed", "deprecated", "optimistic", "nodad"}
    | {"home", "mngtmpaddr", "noprefixroute", "autojoin", "dynamic", "permanent", "stable-privacy"}
)
# busybox and iproute2 before 3.0 print flags they have no name for as "flags 08".
_FLAG_BITS = {0x02: "nodad", 0x04: "optimistic", 0x08: "dadfailed", 0x10: "home"}


def parse(text: Text) -> Parsed:
    """Devices as from ``ip link``, and their addresses."""
    parsed = _parse_json(text) if is_json(text) else _parse_text(text)
    if text.command or any(isinstance(row, Address) for row in parsed.rows):
        return parsed
    # By its shape alone this could as well be an old `ip link`, which shows no addresses.
    return Parsed(parsed.rows, [*parsed.problems, text.problem(0, "no addresses: ip link?")])


def _parse_text(text: Text) -> Parsed:
    rows: list[Row] = []
    problems: list[Problem] = []
    for part in stanzas(text):
        if isinstance(part, Stanza):
            rows += device_rows(text, part)
            problems += device_problems(text, part)
            for index, line in part.details:
                if match := _INET.match(line):
                    _take(text, index, part.header["name"], match, rows, problems)
        else:
            _other(text, *part, rows, problems)
    return Parsed(rows, problems)


def _other(text: Text, index: int, line: str, rows: list[Row], problems: list[Problem]) -> None:
    """A line that stands for a device by itself, or an address that lost its device."""
    if match := _ONE_LINE.match(line):
        if inet := _INET.match(match["inet"]):
            _take(text, index, match["dev"], inet, rows, problems)
    elif brief := BRIEF.match(line):
        rows.append(brief_link(text, index, brief))
        rows += _brief_addresses(text, index, brief["name"], brief["rest"])
    elif inet := _INET.match(line):
        if dev := device_of(text.command):
            _take(text, index, dev, inet, rows, problems)
        else:
            problems.append(unreadable(text, index, "an address of an unknown device"))
    elif bare := _BARE.match(line):
        rows += _brief_addresses(text, index, bare["dev"].partition(":")[0], bare["rest"])
    elif "valid_lft" not in line:
        problems += stray(text, index, "ip addr")


def _take(
    text: Text,
    index: int,
    dev: str,
    match: re.Match[str],
    rows: list[Row],
    problems: list[Problem],
) -> None:
    words = match["rest"].split()
    said = pairs(words)
    prefix = said["peer"] if "peer" in said else match["address"] + (words[0] if words else "")
    row = _address(text, text.cite(index), dev, match["address"], prefix.partition("/")[2])
    if row is None:
        problems.append(unreadable(text, index, "no address"))
        return
    rows.append(
        Address(
            cite=row.cite,
            netns=row.netns,
            dev=dev,
            address=row.address,
            prefix_len=row.prefix_len,
            scope=said.get("scope"),
            flags=tuple(_flags(words)),
        )
    )


def _flags(words: list[str]) -> Iterator[str]:
    for word, after in pairwise([*words, ""]):
        if word in _FLAGS:
            yield word
        elif word == "flags" and (bits := number(f"0x{after}")) is not None:
            yield from (name for bit, name in _FLAG_BITS.items() if bits & bit)


def _address(text: Text, cite: Cite, dev: str, address: str, prefix: str) -> Address | None:
    """The address, if it is one and its line was not cut before the prefix."""
    version = family(address)
    if version is None:
        return None
    longest = 32 if version == 4 else 128
    length = number(prefix)
    if length is None or not 0 <= length <= longest:
        return None
    return Address(cite=cite, netns=text.netns, dev=dev, address=address, prefix_len=length)


def _brief_addresses(text: Text, index: int, dev: str, rest: str) -> Iterator[Address]:
    words = [word for word in rest.split() if not CUT.fullmatch(word)]
    for place, word in enumerate(words):
        if words[place - 1 : place] == ["peer"]:
            continue
        peered = words[place + 1 : place + 2] == ["peer"]
        prefix = "".join(words[place + 2 : place + 3]) if peered else word
        address = word.partition("/")[0]
        if "/" in word or peered:
            row = _address(text, text.cite(index), dev, address, prefix.partition("/")[2])
            if row is not None:
                yield row


def _parse_json(text: Text) -> Parsed:
    found, problems = objects(text, ip_link_json.Device)
    rows: list[Row] = []
    for index, device in found:
        rows += ip_link_json.device_rows(text, index, device)
        for said in device.addr_info:
            if not isinstance(said, dict) or not said:
                continue
            row = _json_address(text, text.cite(index), device.ifname, said)
            if row is None:
                problems.append(text.problem(index, f"no address of {device.ifname}"))
            else:
                rows.append(row)
    return Parsed(rows, problems)


def _json_address(text: Text, cite: Cite, name: str | None, said: dict[str, Any]) -> Address | None:
    dev = name or said.get("dev")  # -o names the device only beside each address
    length = number(said.get("prefixlen"))
    if not isinstance(dev, str) or length is None:
        return None
    row = _address(text, cite, dev, str(said.get("local")), str(length))
    if row is None:
        return None
    scope = said.get("scope")
    return Address(
        cite=cite,
        netns=text.netns,
        dev=dev,
        address=row.address,
        prefix_len=row.prefix_len,
        scope=scope if isinstance(scope, str) else None,
        flags=tuple(name for name in said if name in _FLAGS and said[name] is True),
    )
