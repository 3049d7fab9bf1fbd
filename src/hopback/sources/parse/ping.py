"""ping: what it prints beside plain replies."""

import re

from hopback.snapshot.rows import PingSign, PingSignKind, Row
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.listing import number

COMMANDS: tuple[tuple[str, ...], ...] = (("ping|ping6",),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*(?:\d+ bytes from \S+: icmp_(?:seq|req)=\d|PING \S+ ?\(|From \S+:? icmp_seq=\d"
    r"|Pinging \S+ |Reply from \S+: (?:bytes=|TTL expired))"
)
FILLS: tuple[type[Row], ...] = (PingSign,)

_SIGNS: tuple[tuple[re.Pattern[str], PingSignKind], ...] = (
    (re.compile(r"\(DUP!\)|\+\d+ duplicates"), "duplicate"),
    (re.compile(r"\bRedirect (?:Host|Network)"), "redirect"),
    (
        re.compile(r"Time to live exceeded|Time exceeded: Hop limit|TTL expired in transit"),
        "ttl-exceeded",
    ),
    (re.compile(r"[Uu]nreachable|No route to host"), "unreachable"),
    (re.compile(r"\b100% packet loss"), "no-reply"),
)
_PINGED = re.compile(r"\s*(?:PING|Pinging) (?:\S+? ?[(\[])?(?P<target>[0-9A-Fa-f:.]+)")
_PEER = re.compile(r"\b[Ff]rom (?P<peer>[0-9A-Fa-f][\w.:%]*[\w%])")
_WINDOWS = re.compile(r"\s*(?:Pinging |Reply from )")


def parse(text: Text) -> Parsed:
    """One row for each kind of sign, at the line that first shows it."""
    found: dict[PingSignKind, tuple[str | None, int]] = {}
    for index, line in text.numbered():
        for pattern, kind in _SIGNS:
            if kind not in found and pattern.search(line):
                found[kind] = _peer(line), index
    target, ttl = _target(text), _ttl(text)
    return Parsed(
        [
            PingSign(
                cite=text.cite(index),
                netns=text.netns,
                kind=kind,
                target=target,
                peer=peer,
                ttl=ttl,
            )
            for kind, (peer, index) in found.items()
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


def _ttl(text: Text) -> int | None:
    """The TTL that the command sets: iputils ``-t``, BSD ``-m``, Windows ``-i``."""
    if not text.command:
        return None
    windows = any(_WINDOWS.match(line) for line in text.lines)
    for option in ("-i",) if windows else ("-t", "-m"):
        for word, following in zip(text.command, (*text.command[1:], ""), strict=True):
            value = following if word == option else word.removeprefix(option)
            if word.startswith(option) and (ttl := number(value)):
                return ttl
    return 0
