"""IPVS tables and keepalived's configuration: noticed, not read."""

import re

from hopback.snapshot.rows import Row, Unread
from hopback.sources.parse.base import Parsed, Text

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("ipvsadm",),
    ("ipvsadm-save",),
    ("cat", "/proc/net/ip_vs"),
    ("cat", "/etc/keepalived/"),
)
_SERVICE = (
    r"(?:TCP|UDP|SCTP|FWM)\s+\S+ (?:rr|wrr|lc|wlc|lblc|lblcr|dh|sh|sed|nq|fo|ovf|mh|twos)\b"
    r"|-A -[tuf] \S+ -s \w+|\s*virtual_server \S+|\s*vrrp_instance \S+"
)
SHAPE: re.Pattern[str] | None = re.compile(
    rf"IP Virtual Server version |IPVS connection entries|{_SERVICE}"
)
FILLS: tuple[type[Row], ...] = ()

_HEADER = re.compile(
    r"IP Virtual Server version |IPVS connection entries|Prot LocalAddress:Port"
    r"|\s*-> RemoteAddress:Port|pro expire state|Pro FromIP|\s+Total |\s*Conns/s|\s*#"
)
_COMPLAINT = re.compile(r".*(?:command not found|No such file|Permission denied|Can't initialize)")


def parse(text: Text) -> Parsed:
    """One ``Unread`` if anything but headings is there."""
    for index, line in text.numbered():
        if _COMPLAINT.match(line):
            return Parsed((), (text.problem(index, f"IPVS was not shown: {line.strip()}"),))
        if _HEADER.match(line) or not (text.strict or text.command or re.match(_SERVICE, line)):
            continue
        row = Unread(cite=text.cite(index), netns=text.netns, what="IPVS table")
        return Parsed((row,))
    return Parsed(())
