"""``ip tunnel`` and ``ip -6 tunnel``, text and JSON (iproute2 ``ip/iptunnel.c``, ``ip6tunnel.c``).

They show neither tunnels that carry frames (gretap) nor the mark of outer packets.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from hopback.snapshot.rows import Row, Tunnel, TunnelKind
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import At, Parsed, Text
from hopback.sources.parse.json_objects import is_json, objects
from hopback.sources.parse.listing import stray
from hopback.sources.parse.tunnel_facts import said_in_json, said_in_text, tunnel_row

COMMANDS: tuple[tuple[str, ...], ...] = (("ip", "tunnel"),)
_MODES = r"(?P<mode>(?:any|ip|gre|ipv6|ipip)/ip|(?:any|ip|gre|ipv6)/ipv6)"
SHAPE: re.Pattern[str] | None = re.compile(
    rf"\s*\S{{1,15}}: {_MODES.replace('?P<mode>', '?:')}\s+remote \S+\s+local \S+"
    r'|\[ ?\{"ifname":"[^"]+","mode":"[a-z0-9]+/ipv?6?"'
)
FILLS: tuple[type[Row], ...] = (Tunnel,)

_TUNNEL = re.compile(rf"\s*(?P<name>[^\s:]+): {_MODES}\s+(?P<rest>.*)")
_KINDS: dict[str, TunnelKind] = {
    "ip/ip": "ipip",
    "ipip/ip": "ipip",
    "ipv6/ip": "sit",
    "gre/ip": "gre",
    "gre/ipv6": "ip6gre",
    "any/ipv6": "ip6tnl",
    "ip/ipv6": "ip6tnl",
    "ipv6/ipv6": "ip6tnl",
}
_FLAGS = {
    "Drop packets out of sequence.": "iseq",
    "Checksum in received packet is required.": "icsum",
    "Sequence packets on output.": "oseq",
    "Checksum output packets.": "ocsum",
    "rx_drop_ooseq": "iseq",
    "rx_csum": "icsum",
    "tx_seq": "oseq",
    "tx_csum": "ocsum",
}
_STATISTICS = re.compile(r"\s*(?:[RT]X: Packets|[\d ]+\Z)|\s*6rd-prefix ")


class _Shown(NamedTuple):
    at: int | At
    name: str
    mode: str
    said: dict[str, Any]


def parse(text: Text) -> Parsed:
    """Tunnels; the JSON leaves out whether a type of service is taken from the inner packet.

    ``any/ip`` may be ipip's or sit's, which the name tells: they wrap alike.
    """
    shown, problems = _in_json(text) if is_json(text) else _in_text(text)
    return Parsed(
        [
            tunnel_row(text.cite(t.at), text.netns, t.name, _kind(t.name, t.mode), t.said)
            for t in shown
        ],
        problems,
    )


def _kind(name: str, mode: str) -> TunnelKind:
    return _KINDS.get(mode) or ("sit" if name.startswith("sit") else "ipip")


def _in_text(text: Text) -> tuple[list[_Shown], list[Problem]]:
    shown: list[_Shown] = []
    problems: list[Problem] = []
    for index, line in text.numbered():
        if match := _TUNNEL.match(line):
            said = said_in_text(match["rest"].split())
            shown.append(_Shown(index, match["name"], match["mode"], said))
        elif shown and (flag := _FLAGS.get(line.strip())):
            shown[-1].said[flag] = True
        elif not _STATISTICS.match(line):
            problems += stray(text, index, "ip tunnel")
    return shown, problems


def _in_json(text: Text) -> tuple[list[_Shown], list[Problem]]:
    found, problems = objects(text, dict[str, Any])
    return list(_objects(found)), problems


def _objects(found: list[tuple[At, dict[str, Any]]]) -> Iterator[_Shown]:
    for at, told in found:
        name, mode, flags = told.get("ifname"), told.get("mode"), told.get("flags")
        if not isinstance(name, str) or not isinstance(mode, str):
            continue
        said = said_in_json({**told, "link": told.get("dev"), "tos": told.get("tos")})
        said["ttl"] = told.get("ttl", told.get("hoplimit", 0))
        if isinstance(flags, list):
            said |= {_FLAGS[flag]: True for flag in flags if flag in _FLAGS}
        yield _Shown(at, name, mode, said)
