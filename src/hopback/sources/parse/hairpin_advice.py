"""Commands that set hairpin on a port, where a text recommends them rather than shows them run.

A bug report quotes ``echo 0 > …/brif/vnet0/hairpin_mode`` between prose. That says which port its
author held for the one that returns frames, and nothing of what is set there. What stands after a
prompt was run: ``typed.py`` reads that.
"""

import re

from hopback.snapshot.rows import BridgePort, HairpinAdvice, Row
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.commands import parse_commands
from hopback.sources.parse.listing import stray
from hopback.sources.parse.typed import typed_rows

COMMANDS: tuple[tuple[str, ...], ...] = (("commands in the text",),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*(?:sudo )?(?:echo [01] ?> ?/sys/\S{1,200}/hairpin_mode|brctl hairpin \S+ \S+ o(?:n|ff)"
    r"|bridge link set dev \S+ hairpin o(?:n|ff))\b"
)
FILLS: tuple[type[Row], ...] = ()


def parse(text: Text) -> Parsed:
    """One row for each such command."""
    rows: list[Row] = []
    problems = []
    for index, line in text.numbered():
        ports = [
            row
            for command in parse_commands(line.strip())
            for row in typed_rows(command, text.cite(index))
            if isinstance(row, BridgePort) and row.hairpin is not None
        ]
        if not ports:
            problems += stray(text, index, "commands that set hairpin")
        rows += [
            HairpinAdvice(cite=row.cite, netns=text.netns, name=row.name, bridge=row.bridge)
            for row in ports
        ]
    return Parsed(rows, problems)
