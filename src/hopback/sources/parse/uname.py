"""The kernel's release: ``uname -a``, ``uname -r``, /proc/version, /proc/sys/kernel/osrelease."""

import re

from hopback.snapshot.rows import HostIdentity, Kernel, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import unnamed
from hopback.sources.parse.listing import stray

_ALL = re.compile(r"\s*Linux (?P<host>\S+) (?P<release>\d+\.\d+\S*) #\d+")
_VERSION = re.compile(r"\s*Linux version (?P<release>\d+\.\d+\S*) \(")
_LONE = re.compile(r"\s*(?P<release>\d+\.\d+(?:\.\d+)?[^\s,;:]*)\s*\Z")

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("uname",),
    ("cat", "/proc/version"),
    ("cat", "/proc/sys/kernel/osrelease"),
)
SHAPE: re.Pattern[str] | None = re.compile(f"{unnamed(_ALL)}|{unnamed(_VERSION)}")
FILLS: tuple[type[Row], ...] = (Kernel,)


def parse(text: Text) -> Parsed:
    """The release, and with ``uname -a`` the host's name unless it is a placeholder."""
    rows: list[Row] = []
    problems: list[Problem] = []
    for index, line in text.numbered():
        full = _ALL.match(line)
        match = full or _VERSION.match(line) or _LONE.match(line)
        if match is None:
            if line.strip() != "Linux":
                problems += stray(text, index, "uname")
            continue
        cite = text.cite(index)
        rows.append(Kernel(cite=cite, netns=text.netns, release=match["release"]))
        if full and full["host"] not in ("(none)", "localhost"):
            rows.append(HostIdentity(cite=cite, netns=text.netns, hostname=full["host"]))
    return Parsed(rows, problems)
