"""``virsh list``: the guests of a hypervisor."""

import re

from hopback.snapshot.rows import Guest, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.listing import stray

COMMANDS: tuple[tuple[str, ...], ...] = (("virsh", "list"),)
_HEADER = re.compile(r"\s*Id\s+Name\s+State(?:\s+Title)?\s*\Z")
SHAPE: re.Pattern[str] | None = _HEADER
FILLS: tuple[type[Row], ...] = (Guest,)

# virsh-domain-monitor.c: virshDomainState
_GUEST = re.compile(
    r"\s*(?:\d+|-)\s+(?P<name>\S.*?)\s"
    r"(?P<state>no state|running|idle|paused|in shutdown|shut off|crashed|pmsuspended)(?:\s|\Z)"
)
_RULER = re.compile(r"\s*-{5,}\s*\Z")


def parse(text: Text) -> Parsed:
    """One guest per line; without ``--all`` only those that run are listed."""
    rows: list[Row] = []
    problems: list[Problem] = []
    for index, line in text.numbered():
        if guest := _GUEST.match(line):
            cite = text.cite(index)
            name, state = guest["name"].rstrip(), guest["state"]
            rows.append(Guest(cite=cite, netns=text.netns, name=name, state=state))
        elif not _HEADER.match(line) and not _RULER.match(line):
            problems += stray(text, index, "virsh list")
    return Parsed(rows, problems)
