"""``virsh nwfilter-list``: the names of libvirt's filters."""

import re

from hopback.snapshot.rows import NwFilter, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.listing import stray

COMMANDS: tuple[tuple[str, ...], ...] = (("virsh", "nwfilter-list"),)
SHAPE: re.Pattern[str] | None = re.compile(r"\s*UUID\s+Name\s*\Z")
FILLS: tuple[type[Row], ...] = (NwFilter,)

_FILTER = re.compile(r"\s*[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\s+(?P<name>\S.*?)\s*\Z")
_RULER = re.compile(r"\s*-{5,}\s*\Z")


def parse(text: Text) -> Parsed:
    """One filter per line; what is in it, other commands show."""
    rows: list[Row] = []
    problems: list[Problem] = []
    for index, line in text.numbered():
        if found := _FILTER.match(line):
            cite = text.cite(index)
            rows.append(NwFilter(cite=cite, netns=text.netns, name=found["name"], whole=False))
        elif not _RULER.match(line) and not (SHAPE and SHAPE.match(line)):
            problems += stray(text, index, "virsh nwfilter-list")
    return Parsed(rows, problems)
