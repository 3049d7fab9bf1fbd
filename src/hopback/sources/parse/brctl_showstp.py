"""``brctl showstp BRIDGE`` (bridge-utils ``brctl/brctl_disp.c``)."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from hopback.snapshot.rows import Bridge, BridgePort, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import argument, int_or_none
from hopback.sources.parse.ip_link_facts import port_state
from hopback.sources.parse.listing import nanoseconds, stray

COMMANDS: tuple[tuple[str, ...], ...] = (("brctl", "showstp"),)
SHAPE: re.Pattern[str] | None = re.compile(r"\s*bridge id\s+[0-9a-f]{4}\.[0-9a-f]{12}\s*$")
FILLS: tuple[type[Row], ...] = (Bridge, BridgePort)

_PORT = re.compile(r"\s*(?P<name>[^\s\x00-\x1f]+) \((?P<number>\d{1,4})\)\s*")
_BRIDGE = re.compile(r"(?P<name>[^\s\x00-\x1f]+)\s*")
_IDENTITY = re.compile(r"[0-9a-f]{4}\.[0-9a-f]{12}")
_FIELDS = (
    r"bridge id|port id|designated (?:root|bridge|port|cost)|root port|path cost"
    r"|(?:bridge )?(?:max age|hello time|forward delay)(?! timer)|ageing time|state|flags"
    r"|(?:hello|tcn|topology change|gc|message age|forward delay|hold) timer|hairpin mode"
)
_FIELD = re.compile(rf"(?:^|\s)(?P<key>{_FIELDS})(?=\s|$)[ \t]*(?P<value>\S*)")
_PRIORITY_SHIFT = 10  # BR_PORT_BITS: the rest of a port id is its number


class Block(NamedTuple):
    """The fields of the bridge or of a port, each with what it says, and the index of its line."""

    at: int
    name: str
    number: int | None
    said: dict[str, str]


def parse(text: Text) -> Parsed:
    """The bridge and its ports with their numbers.

    "hairpin mode" is only printed where it is on, and by bridge-utils from 1.5: that it is off is
    known if the same listing prints it for some other port.
    """
    blocks: list[Block] = []
    problems: list[Problem] = []
    for index, line in text.numbered():
        if port := _PORT.fullmatch(line):
            blocks.append(Block(index, port["name"], int(port["number"]), {}))
        elif (bridge := _BRIDGE.fullmatch(line)) and _begins_bridge(text, index):
            blocks.append(Block(index, bridge["name"], None, {}))
        elif fields := dict(_fields(line)):
            if not blocks:  # a paste that begins below the bridge's name
                blocks.append(Block(index, argument(text.command, "showstp") or "", None, {}))
            blocks[-1].said.update(fields | blocks[-1].said)
        else:
            problems += stray(text, index, "brctl showstp")
    known = any("hairpin mode" in block.said for block in blocks)
    return Parsed(list(_rows(text, blocks, known)), problems)


def _begins_bridge(text: Text, index: int) -> bool:
    """A bridge's name stands alone above its id."""
    below = next((line for line in text.lines[index + 1 : index + 3] if line.strip()), "")
    return below.lstrip().startswith("bridge id")


def _fields(line: str) -> Iterator[tuple[str, str]]:
    """The fields of a line that begins with one; prose may hold the same words further on."""
    if _FIELD.match(line.strip()):
        for match in _FIELD.finditer(line):
            yield match["key"], match["value"]


def _rows(text: Text, blocks: list[Block], hairpin_known: bool) -> Iterator[Row]:
    bridge: str | None = None
    for block in blocks:
        if block.number is None:
            bridge = block.name or None
            if bridge:
                yield _bridge(text, block)
            continue
        row = _port(text, block, bridge)
        mode = block.said.get("hairpin mode", "0" if hairpin_known else None)
        yield replace(row, hairpin=None if mode is None else mode != "0")


def _bridge(text: Text, block: Block) -> Bridge:
    said = block.said
    identity = said.get("bridge id", "")
    return Bridge(
        cite=text.cite(block.at),
        netns=text.netns,
        name=block.name,
        bridge_id=identity if _IDENTITY.fullmatch(identity) else None,
        forward_delay=nanoseconds(said.get("forward delay", "")),
        ageing_time=nanoseconds(said.get("ageing time", "")),
        topology_change="TOPOLOGY_CHANGE" in said["flags"] if "flags" in said else None,
    )


def _port(text: Text, block: Block, bridge: str | None) -> BridgePort:
    said = block.said
    identity = int_or_none("0x" + said.get("port id", ""))
    return BridgePort(
        cite=text.cite(block.at),
        netns=text.netns,
        name=block.name,
        bridge=bridge,
        number=block.number,
        state=port_state(said.get("state")),
        cost=int_or_none(said.get("path cost")),
        priority=None if identity is None else identity >> _PRIORITY_SHIFT,
    )
