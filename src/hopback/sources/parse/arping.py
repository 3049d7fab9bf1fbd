"""``arping`` of iputils, and Thomas Habets' of the same name: who answers for an address."""

import re

from hopback.snapshot.rows import NeighbourMessage, Row
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import mac_or_none
from hopback.sources.parse.listing import following, stray

COMMANDS: tuple[tuple[str, ...], ...] = (("arping",),)
_MAC = r"[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}"
SHAPE: re.Pattern[str] | None = re.compile(
    rf"\s*(?:ARPING [0-9.]+ |(?:Uni|Broad)cast reply from [0-9.]+ \[{_MAC}\])"
)
FILLS: tuple[type[Row], ...] = ()

_HEADER = re.compile(r"\s*ARPING [0-9.]+(?: from [0-9.]+ (?P<dev>\S+))?\s*\Z")
_IPUTILS = re.compile(
    rf"\s*(?:Uni|Broad)cast reply from (?P<address>[0-9.]+) \[(?P<mac>{_MAC})\](?: for \S+)?"
)
_HABETS = re.compile(rf"\s*\d+ bytes from (?P<mac>{_MAC}) \((?P<address>[0-9.]+)\)")
_AROUND = re.compile(
    r"\s*(?:Sent |Received |Timeout|Interface |--- |\d+ packets |rtt |WARNING|\^C|rc )"
)


def parse(text: Text) -> Parsed:
    """One answer for each address and MAC, at the line that shows it first."""
    dev = following(text.command, ("-I", "-i"))
    found: dict[tuple[str, str], NeighbourMessage] = {}
    problems = []
    for index, line in text.numbered():
        if header := _HEADER.match(line):
            dev = header["dev"] or dev
        elif match := _IPUTILS.match(line) or _HABETS.match(line):
            row = NeighbourMessage(
                cite=text.cite(index),
                netns=text.netns,
                kind="arp-reply",
                address=match["address"],
                mac=mac_or_none(match["mac"]),
                sender=match["address"],
                dev=dev,
                direction="in",
            )
            found.setdefault((match["address"], match["mac"].lower()), row)
        elif not _AROUND.match(line):
            problems += stray(text, index, "arping")
    return Parsed(tuple(found.values()), problems)
