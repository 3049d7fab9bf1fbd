"""``virsh domiflist``: one guest's interfaces."""

import re

from hopback.snapshot.rows import GuestNic, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import argument, mac_or_none
from hopback.sources.parse.listing import stray

_HEADER = re.compile(r"\s*(?:Interface|Name)\s+Type\s+Source\s+Model\s+MAC\s*\Z")
_NIC = re.compile(
    r"\s*(?P<target>\S+)\s+"
    r"(?P<kind>bridge|network|direct|ethernet|user|hostdev|vhostuser|vdpa|internal|mcast|udp"
    r"|server|client)\s+"
    r"(?P<source>\S+)\s+(?P<model>\S+)\s+(?P<mac>[0-9a-fA-FxX#*?]{1,2}(?:[:.-]\S{1,2}){5})\s*\Z"
)
_RULER = re.compile(r"\s*-{5,}\s*\Z")

COMMANDS: tuple[tuple[str, ...], ...] = (("virsh", "domiflist"),)
SHAPE: re.Pattern[str] | None = re.compile(f"{_HEADER.pattern}|{_NIC.pattern}")
FILLS: tuple[type[Row], ...] = ()  # one guest's list says nothing of the others


def parse(text: Text) -> Parsed:
    """The interfaces of the guest that the command names; ``-`` is what a stopped guest lacks."""
    guest = argument(text.command, "domiflist")
    rows: list[Row] = []
    problems: list[Problem] = []
    for index, line in text.numbered():
        if nic := _NIC.match(line):
            rows.append(
                GuestNic(
                    cite=text.cite(index),
                    netns=text.netns,
                    guest=guest,
                    mac=mac_or_none(nic["mac"]),
                    target=_shown(nic["target"]),
                    source=_shown(nic["source"]),
                    source_kind=nic["kind"],
                    model=_shown(nic["model"]),
                )
            )
        elif not _HEADER.match(line) and not _RULER.match(line):
            problems += stray(text, index, "virsh domiflist")
    return Parsed(rows, problems)


def _shown(word: str) -> str | None:
    return None if word == "-" else word
