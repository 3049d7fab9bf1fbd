"""``brctl show [BRIDGE …]`` (bridge-utils ``brctl/brctl_cmd.c:br_cmd_show``, busybox)."""

import re

from hopback.snapshot.rows import Bridge, BridgePort, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.ip_link_facts import bridge_id
from hopback.sources.parse.listing import CUT, stray, unreadable

COMMANDS: tuple[tuple[str, ...], ...] = (("brctl", "show"),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*bridge name\s+bridge id\s+STP enabled"
    r"|\s*\S+\s+[0-9a-f]{4}\.[0-9a-f]{12}\s+(?:yes|no)\b"
)
FILLS: tuple[type[Row], ...] = (Bridge, BridgePort)

_HEADER = re.compile(r"\s*bridge name\s+bridge id")
_BRIDGE = re.compile(
    r"\s*(?P<name>[^\s\x00-\x1f]+)\s+(?P<id>[0-9a-fA-FxX#*]{4}\.\S+)\s+(?P<stp>yes|no)\b(?P<ports>.*)"
)
_ERROR = re.compile(
    r".*(?:can't get info |does not exist!|is not a bridge!|No such device|not supported)"
)
_PORT = re.compile(r"(?P<indent>\s*)(?P<name>[^\s\x00-\x1f]+)\s*")


def parse(text: Text) -> Parsed:
    """Bridges and their ports, which are not numbered here: their order is no more than a hint."""
    rows: list[Row] = []
    problems: list[Problem] = []
    bridge: str | None = None
    for index, line in enumerate(text.lines):
        if bridge and (port := _PORT.fullmatch(line)) and (port["indent"] or text.strict):
            if not CUT.fullmatch(port["name"]):
                rows.append(_port(text, index, bridge, port["name"]))
        elif match := _BRIDGE.match(line):
            bridge = match["name"]
            identity = bridge_id(_colons(match["id"]))
            rows.append(
                Bridge(
                    cite=text.cite(index),
                    netns=text.netns,
                    name=bridge,
                    bridge_id=identity,
                    stp=match["stp"] == "yes",
                )
            )
            if identity is None:
                problems.append(unreadable(text, index, "no bridge id"))
            for name in match["ports"].split():
                if not CUT.fullmatch(name):
                    rows.append(_port(text, index, bridge, name))
        else:
            bridge = None
            if _ERROR.match(line):
                problems.append(unreadable(text, index, "brctl failed"))
            elif not _HEADER.match(line):
                problems += stray(text, index, "brctl show")
    return Parsed(rows, problems)


def _port(text: Text, index: int, bridge: str, name: str) -> BridgePort:
    return BridgePort(cite=text.cite(index), netns=text.netns, name=name, bridge=bridge)


def _colons(identity: str) -> str:
    """``8000.fe5400770021`` with colons between the bytes of the address."""
    priority, _, digits = identity.partition(".")
    if len(digits) != 12:
        return ""
    return f"{priority}." + ":".join(digits[at : at + 2] for at in range(0, 12, 2))
