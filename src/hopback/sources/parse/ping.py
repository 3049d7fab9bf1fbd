"""ping, traceroute and tracepath: not understood further, but their symptoms are noticed."""

import re

from hopback.snapshot.rows import Row, Unread
from hopback.sources.parse.base import Parsed, Text

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("ping|ping6|arping",),
    ("traceroute|traceroute6|tracepath|tracepath6",),
)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*(?:\d+ bytes from \S+: icmp_(?:seq|req)=\d|PING \S+ ?\(|From \S+:? icmp_seq=\d"
    r"|traceroute6? to \S+)"
)
FILLS: tuple[type[Row], ...] = ()

_SYMPTOMS = (
    (re.compile(r"\(DUP!\)|\+\d+ duplicates"), "ping: replies came more than once (DUP!)"),
    (re.compile(r"\bRedirect (?:Host|Network)"), "ping: a router sent a redirect"),
    (re.compile(r"Time to live exceeded|Time exceeded: Hop limit"), "ping: time to live exceeded"),
    (re.compile(r"[Uu]nreachable|No route to host|!H\b|!N\b"), "ping: destination unreachable"),
    (re.compile(r"\b100% packet loss"), "ping: no reply (100% packet loss)"),
)
_HOP = re.compile(r"\s*(?P<hop>\d{1,3})(?::|\?:)?\s+(?P<answers>\S.*)")
_ROUTER = re.compile(r"(?<![\w.:(])(\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:]+)(?![\w.:%])")


def parse(text: Text) -> Parsed:
    """``Unread`` rows, one for each symptom, at the line that first shows it; none when healthy."""
    found: dict[str, int] = {}
    first_hop: dict[str, str] = {}
    again: set[str] = set()
    traced = not text.command or text.command[0].startswith("trace")
    for index, line in text.numbered():
        for pattern, what in _SYMPTOMS:
            if pattern.search(line):
                found.setdefault(what, index)
        if not (traced and (hop := _HOP.match(line))):
            continue
        for router in dict.fromkeys(_ROUTER.findall(hop["answers"])):
            first = first_hop.setdefault(router, hop["hop"])
            if first != hop["hop"] and router not in (*text.command, *again):
                again.add(router)
                found[f"traceroute: {router} answers at hops {first} and {hop['hop']}"] = index
    return Parsed(
        [
            Unread(cite=text.cite(index), netns=text.netns, what=what, symptom=True)
            for what, index in found.items()
        ]
    )
