"""``crictl pods``: the sandboxes of a container runtime, two of which may serve one pod."""

import re

from hopback.snapshot.rows import Row, Sandbox
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.listing import CUT, stray

COMMANDS: tuple[tuple[str, ...], ...] = (("crictl", "pods"),)
_AGE = r"(?:\d{1,6}|[Aa]bout an?|[Ll]ess than a) \w{1,20} ago"
_ROW = re.compile(
    rf"\s*(?P<id>[0-9a-f]{{13,64}})\s+{_AGE}\s+(?P<state>Ready|NotReady)\s+(?P<name>\S+)"
    r"(?:\s+(?P<namespace>\S+)\s+\d{1,9}\b)?"
)
_HEADER = re.compile(r"\s*POD ID\s+CREATED\s+STATE\s+NAME")
SHAPE: re.Pattern[str] | None = re.compile(f"{_HEADER.pattern}|{_ROW.pattern}")
FILLS: tuple[type[Row], ...] = (Sandbox,)


def parse(text: Text) -> Parsed:
    """One row for each sandbox."""
    rows: list[Row] = []
    problems = []
    for index, line in text.numbered():
        if match := _ROW.match(line):
            rows.append(
                Sandbox(
                    cite=text.cite(index),
                    netns=text.netns,
                    name=match["name"],
                    id=match["id"],
                    namespace=match["namespace"],
                    ready=match["state"] == "Ready",
                )
            )
        elif not _HEADER.match(line) and not CUT.fullmatch(line.strip()):
            problems += stray(text, index, "crictl pods")
    return Parsed(rows, problems)
