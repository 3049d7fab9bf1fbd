"""``ifconfig`` of net-tools 1.60, net-tools 2 and busybox."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import NamedTuple

from hopback.snapshot.rows import Address, Link, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import mac_or_none
from hopback.sources.parse.listing import family, number, stray, unreadable

COMMANDS: tuple[tuple[str, ...], ...] = (("ifconfig",),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*\S+\s+Link encap:|\s*\S+: flags=\d+<[A-Z0-9,_-]*>\s+mtu \d+"
)
FILLS: tuple[type[Row], ...] = (Link, Address)

_OLD_HEADER = re.compile(r"\s*(?P<name>[^\s\x00-\x1f]+)\s+Link encap:(?P<rest>.*)")
_NEW_HEADER = re.compile(r"\s*(?P<name>[^\s\x00-\x1f]+?): flags=\d+(?P<rest><.*)")
_HARDWARE = re.compile(r"(?:HWaddr|ether) (?P<mac>\S+)")
# One line that a pipe let through of the one device that was asked for, perhaps with the time.
_PART = re.compile(r"\s*(?:\d\d:\d\d:\d\d(?:\.\d{1,9})?\s+)?(?:HWaddr|ether) (?P<mac>\S+)")
_FLAGS = re.compile(r"<(?P<new>[^>]*)>|^\s*(?P<old>(?:[A-Z]+ +)*)MTU:")
_MTU = re.compile(r"(?:mtu |MTU:)(?P<mtu>\d{1,10})\b")
_INET = re.compile(r"\binet (?:addr:)?(?P<address>[\d.]+)(?P<rest>.*)")
_MASK = re.compile(r"(?:Mask:|netmask )(?P<mask>[\d.]+)")
_INET6 = re.compile(
    r"\binet6 (?:addr: ?)?(?P<address>[0-9a-fA-F:.]+)"
    r"(?:/(?P<length>\d{1,3})| +prefixlen (?P<prefixlen>\d{1,3}))"
    r".*?(?:Scope:(?P<old>\w+)|scopeid \w+<(?P<new>\w+)>|$)"
)
_OTHER = re.compile(r"\s*(?:[RT]X |collisions|Interrupt|Base address|Memory|device |loop |unspec )")


class Stanza(NamedTuple):
    """A device: the index of its first line, its name, and its lines with their indexes."""

    at: int
    name: str
    lines: list[tuple[int, str]]


def parse(text: Text) -> Parsed:
    """Devices and addresses. An alias (``br0:1``) is no device: its addresses are its device's."""
    stanzas: list[Stanza] = []
    rows: list[Row] = []
    problems: list[Problem] = []
    asked = [word for word in text.command[1:] if not word.startswith("-")]
    for index, line in text.numbered():
        if header := _OLD_HEADER.match(line) or _NEW_HEADER.match(line):
            stanzas.append(Stanza(index, header["name"], [(index, header["rest"])]))
        elif stanzas and (line[0].isspace() or _OTHER.match(line)):
            stanzas[-1].lines.append((index, line))
        elif len(asked) == 1 and (part := _PART.match(line)) and (mac := mac_or_none(part["mac"])):
            rows.append(Link(cite=text.cite(index), netns=text.netns, name=asked[0], mac=mac))
        elif "error fetching interface information" in line:
            problems.append(unreadable(text, index, "ifconfig failed"))
        else:
            problems += stray(text, index, "ifconfig")
    for stanza in stanzas:
        dev, alias, _ = stanza.name.partition(":")
        if not alias:
            rows.append(_link(text, stanza))
        for index, line in stanza.lines:
            _addresses(text, index, dev, line, rows, problems)
    return Parsed(rows, problems)


def _link(text: Text, stanza: Stanza) -> Link:
    said = [line for _, line in stanza.lines]
    mac = next((match["mac"] for line in said if (match := _HARDWARE.search(line))), None)
    mtu = next((match["mtu"] for line in said if (match := _MTU.search(line))), None)
    flags = next(
        (set(found) for line in said if (found := list(_flags(line))) or "MTU:" in line), None
    )
    up = None if flags is None else "UP" in flags
    return Link(
        cite=text.cite(stanza.at),
        netns=text.netns,
        name=stanza.name,
        mac=mac_or_none(mac),
        up=up,
        carrier=None if flags is None or not up else "RUNNING" in flags,
        promisc=None if flags is None else "PROMISC" in flags,
        mtu=number(mtu),
    )


def _flags(line: str) -> Iterator[str]:
    if match := _FLAGS.search(line):
        yield from (match["new"] or match["old"] or "").replace(",", " ").split()


def _addresses(
    text: Text, index: int, dev: str, line: str, rows: list[Row], problems: list[Problem]
) -> None:
    found: tuple[str, int | None, str | None] | None = None
    if match := _INET6.search(line):
        length = number(match["length"] or match["prefixlen"])
        found = match["address"], length, (match["old"] or match["new"] or "").lower() or None
    elif match := _INET.search(line):
        mask = _MASK.search(match["rest"])
        found = match["address"], _length(mask["mask"]) if mask else None, None
    if found is None:
        return
    address, length, scope = found
    version = family(address)
    if version is None or length is None or length > (32 if version == 4 else 128):
        problems.append(unreadable(text, index, "no address with its mask"))
        return
    rows.append(
        Address(
            cite=text.cite(index),
            netns=text.netns,
            dev=dev,
            address=address,
            prefix_len=length,
            scope=scope,
        )
    )


def _length(mask: str) -> int | None:
    try:
        return IPv4Network(f"0.0.0.0/{mask}").prefixlen
    except ValueError:
        return None
