"""ping, traceroute and tracepath: what they print beside plain replies."""

import re

from hopback.snapshot.rows import PingSign, PingSignKind, Row
from hopback.sources.parse.base import Parsed, Text

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("ping|ping6",),
    ("traceroute|traceroute6|tracepath|tracepath6",),
)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*(?:\d+ bytes from \S+: icmp_(?:seq|req)=\d|PING \S+ ?\(|From \S+:? icmp_seq=\d"
    r"|traceroute6? to \S+)"
)
FILLS: tuple[type[Row], ...] = (PingSign,)

_SIGNS: tuple[tuple[re.Pattern[str], PingSignKind], ...] = (
    (re.compile(r"\(DUP!\)|\+\d+ duplicates"), "duplicate"),
    (re.compile(r"\bRedirect (?:Host|Network)"), "redirect"),
    (re.compile(r"Time to live exceeded|Time exceeded: Hop limit"), "ttl-exceeded"),
    (re.compile(r"[Uu]nreachable|No route to host|!H\b|!N\b"), "unreachable"),
    (re.compile(r"\b100% packet loss"), "no-reply"),
)
_PINGED = re.compile(r"\s*PING \S+? ?\((?P<target>[0-9A-Fa-f:.]+)")
_PEER = re.compile(r"\b[Ff]rom (?P<peer>[0-9A-Fa-f][\w.:%]*[\w%])")
_HOP = re.compile(r"\s*(?P<hop>\d{1,3})(?::|\?:)?\s+(?P<answers>\S.*)")
_ROUTER = re.compile(r"(?<![\w.:(])(\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:]+)(?![\w.:%])")


def parse(text: Text) -> Parsed:
    """One row for each kind of sign (and router), at the line that first shows it."""
    found: dict[tuple[PingSignKind, str | None], int] = {}
    told: set[PingSignKind] = set()
    traced = not text.command or text.command[0].startswith("trace")
    first_hop: dict[str, str] = {}
    for index, line in text.numbered():
        for pattern, kind in _SIGNS:
            if kind not in told and pattern.search(line):
                told.add(kind)
                found[kind, _peer(line)] = index
        for router in _met_again(line, first_hop) if traced else ():
            if router not in text.command:
                found.setdefault(("router-again", router), index)
    target = _target(text)
    return Parsed(
        [
            PingSign(cite=text.cite(index), netns=text.netns, kind=kind, target=target, peer=peer)
            for (kind, peer), index in found.items()
        ]
    )


def _peer(line: str) -> str | None:
    match = _PEER.search(line)
    return match["peer"].rstrip(":") if match else None


def _target(text: Text) -> str | None:
    """What ping says it pings, else the command's last word that is an address or a name."""
    for _, line in text.numbered():
        if pinged := _PINGED.match(line):
            return pinged["target"]
    words = [word for word in text.command[1:] if not word.startswith("-")]
    return words[-1] if words else None


def _met_again(line: str, first_hop: dict[str, str]) -> list[str]:
    """The routers of this line of a traceroute that were met at another distance before."""
    hop = _HOP.match(line)
    if hop is None:
        return []
    routers = dict.fromkeys(_ROUTER.findall(hop["answers"]))
    return [r for r in routers if first_hop.setdefault(r, hop["hop"]) != hop["hop"]]
