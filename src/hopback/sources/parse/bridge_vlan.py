"""``bridge vlan``, old and new text and JSON (iproute2 ``bridge/vlan.c``)."""

import re
from collections.abc import Iterator
from typing import Any

from hopback.snapshot.rows import PortVlan, Row
from hopback.snapshot.table import Cite, Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.json_objects import is_json, objects
from hopback.sources.parse.listing import is_echo, number, stray, unreadable

COMMANDS: tuple[tuple[str, ...], ...] = (("bridge", "vlan"),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*port\s+vlan(?:-id| ids)\s*$"
    r'|\[ ?\{"ifname":"[^"]+","vlans":|\{"[^"]+":\[\{"vlan":\d'
)
FILLS: tuple[type[Row], ...] = (PortVlan,)

_HEADER = re.compile(r"\s*port\s+vlan(?:-id| ids)\s*$")
_VIDS = re.compile(r"(?P<first>\d{1,4})(?:-(?P<last>\d{1,4}))?")
_MORE = re.compile(r"\s*(?:RX:|TX:|state |mcast_router |neigh_suppress )")
_VID_MAX = 4094


def parse(text: Text) -> Parsed:
    """The VLANs of every port; ranges are written out."""
    for other in ("global", "tunnelshow"):
        if other in text.command:
            return Parsed(
                (), [text.problem(0, f"bridge vlan {other} does not show the ports' VLANs")]
            )
    return _parse_json(text) if is_json(text) else _parse_text(text)


def _parse_text(text: Text) -> Parsed:
    rows: list[Row] = []
    problems: list[Problem] = []
    dev: str | None = None
    for index, line in text.numbered():
        if _HEADER.match(line) or _MORE.match(line) or is_echo(line):
            continue
        words = line.split()
        if (
            not line[0].isspace()
            and len(words) > 1
            and (_VIDS.fullmatch(words[1]) or words[1] == "None")
        ):
            dev, words = words[0], words[1:]
        elif (
            not line[0].isspace()
            and len(words) == 1
            and text.strict
            and not _VIDS.fullmatch(words[0])
        ):
            dev = words[0]
            continue
        if words[0] == "None":
            continue
        if dev is None or not (match := _VIDS.fullmatch(words[0])):
            problems += stray(text, index, "bridge vlan")
            continue
        first, last = int(match["first"]), int(match["last"] or match["first"])
        found = list(_vlans(text, text.cite(index), dev, first, last, set(words[1:])))
        rows += found
        if not found:
            problems.append(unreadable(text, index, "no VLAN"))
    return Parsed(rows, problems)


def _vlans(
    text: Text, cite: Cite, dev: str, first: int, last: int, flags: set[str]
) -> Iterator[PortVlan]:
    if not 0 < first <= last <= _VID_MAX:
        return
    for vid in range(first, last + 1):
        yield PortVlan(
            cite=cite,
            netns=text.netns,
            dev=dev,
            vid=vid,
            pvid="PVID" in flags,
            untagged="Untagged" in flags or "Egress Untagged" in flags,
        )


def _parse_json(text: Text) -> Parsed:
    found, problems = objects(text, dict[str, Any])
    rows: list[Row] = []
    for index, value in found:
        for dev, vlan in _port_objects(value):
            first = number(vlan.get("vlan", vlan.get("vid")))
            last = number(vlan.get("vlanEnd", first))
            flags = vlan.get("flags") or []
            if first is None or last is None or not isinstance(flags, list):
                problems.append(text.problem(index, f"no VLAN of {dev}"))
                continue
            flags = {flag for flag in flags if isinstance(flag, str)}
            rows += _vlans(text, text.cite(index), dev, first, last, flags)
    return Parsed(rows, problems)


def _port_objects(value: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every VLAN with its port; versions before 5.0 use the ports' names as keys."""
    named = isinstance(value.get("ifname"), str)
    listed = {value["ifname"]: value.get("vlans")} if named else value
    for dev, vlans in listed.items():
        for vlan in vlans if isinstance(vlans, list) else ():
            if isinstance(vlan, dict) and ("vlan" in vlan or "vid" in vlan):
                yield dev, vlan
