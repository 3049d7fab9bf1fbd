"""``virsh nwfilter-binding-list``: which interfaces libvirt's filters are bound to."""

import re

from hopback.snapshot.rows import NwBinding, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.listing import stray

COMMANDS: tuple[tuple[str, ...], ...] = (("virsh", "nwfilter-binding-list"),)
SHAPE: re.Pattern[str] | None = re.compile(r"\s*Port Dev\s+Filter\s*\Z")
FILLS: tuple[type[Row], ...] = (NwBinding,)

_BINDING = re.compile(r"\s*(?P<device>\S{1,15})\s+(?P<filter>\S+)\s*\Z")
_RULER = re.compile(r"\s*-{5,}\s*\Z")


def parse(text: Text) -> Parsed:
    """One binding per line, without its parameters; read below its header only."""
    rows: list[Row] = []
    problems: list[Problem] = []
    inside = False
    for index, line in text.numbered():
        if SHAPE and SHAPE.match(line):
            inside = True
        elif _RULER.match(line):
            continue
        elif inside and (found := _BINDING.match(line)):
            rows.append(
                NwBinding(
                    cite=text.cite(index),
                    netns=text.netns,
                    device=found["device"],
                    filter=found["filter"],
                )
            )
        else:
            problems += stray(text, index, "virsh nwfilter-binding-list")
    return Parsed(rows, problems)
