"""``ip route``, both families, text and JSON (iproute2 ``ip/iproute.c:print_route``)."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from hopback.snapshot.rows import NextHop, Route, Row
from hopback.snapshot.table import Cite, Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.json_objects import is_json, objects
from hopback.sources.parse.listing import (
    family,
    following,
    number,
    pairs,
    stray,
    table_name,
    unreadable,
)

COMMANDS: tuple[tuple[str, ...], ...] = (("ip", "route"),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*(?:(?:unicast|local|broadcast|multicast|anycast|blackhole|unreachable|prohibit|throw) )?"
    r"(?:default|[0-9]+\.[0-9.]+(?:/\d+)?|[0-9a-f]*:[0-9a-f:.]+(?:/\d+)?) +"
    r"(?:via (?:inet6 )?[0-9a-f.:]+ |dev \S+ +(?:proto|scope|table|metric|src|via|onlink)\b"
    r"|(?:proto|metric) \S+ |nhid \d+ )"
    r"|\s*(?:blackhole|unreachable|prohibit|throw) [0-9a-f.:]+/\d+"
    r'|\[ ?\{(?:"type":"\w+",)?"dst":"[^"]+",(?:"(?:gateway|table|nhid|via|flags|metric)":'
    r'|"dev":"[^"]+","(?:table|protocol|scope|metric|flags|prefsrc)":)'
)
FILLS: tuple[type[Row], ...] = (Route,)

_KINDS = frozenset(
    {"unicast", "local", "broadcast", "multicast", "anycast", "nat"}
    | {"blackhole", "unreachable", "prohibit", "throw"}
)
_NOWHERE = frozenset({"blackhole", "unreachable", "prohibit", "throw"})
_PREFIX = re.compile(r"(?P<address>[0-9a-fA-F.:]+)(?:/(?P<length>\d{1,3}))?")
_NEXT_HOP = re.compile(r"\s*nexthop ")
_CONTINUED = re.compile(r"\s+(?:cache\b|nh_info |mtu |metrics?\b|encap )")


def parse(text: Text) -> Parsed:
    """Routes; what ``ip route get`` shows is a decision and no route of a table."""
    return _parse_json(text) if is_json(text) else _parse_text(text)


def _parse_text(text: Text) -> Parsed:
    rows: list[Row] = []
    problems: list[Problem] = []
    current: tuple[int, list[str]] | None = None
    hops: list[list[str]] = []
    for index, whole in text.numbered():
        for line in whole.split("\\"):
            if _NEXT_HOP.match(line) and current is not None:
                hops.append(line.split()[1:])
            elif (words := line.split()) and _destination(words) is not None:
                _finish(text, current, hops, rows, problems)
                current, hops = (index, words), []
            elif current is None or not _CONTINUED.match(line):
                problems += stray(text, index, "ip route")
    _finish(text, current, hops, rows, problems)
    return Parsed(rows, problems)


def _destination(words: Sequence[str]) -> tuple[str, Literal[4, 6] | None] | None:
    """The destination and, unless it is ``default``, its family; None if there is none."""
    place = 1 if words[0] in _KINDS else 0
    word = "".join(words[place : place + 1])
    if word == "default":
        return word, None
    match = _PREFIX.fullmatch(word)
    version = family(match["address"]) if match else None
    if match is None or version is None or int(match["length"] or 0) > (32, 128)[version == 6]:
        return None
    return word, version


def _finish(
    text: Text,
    current: tuple[int, list[str]] | None,
    hops: list[list[str]],
    rows: list[Row],
    problems: list[Problem],
) -> None:
    """Make a row of the lines of one route."""
    if current is None:
        return
    index, words = current
    destination = _destination(words)
    kind = words[0] if words[0] in _KINDS else "unicast"
    said = pairs(words)
    looked_up = "uid" in said  # the answer of ip route get
    via = said.get("via", "")
    told = hops or "dev" in said or kind in _NOWHERE or "proto" in said
    told = told or via.startswith("inet") or family(via) is not None
    if destination is None or looked_up or not told:
        problems += [] if looked_up else _unfinished(text, index, words)
        return
    shown = following(text.command, ("dev",))
    ways = [_hop(hop, pairs(hop), None) for hop in hops] or [_hop(words, said, shown)]
    rows.append(
        Route(
            cite=text.cite(index),
            netns=text.netns,
            destination=destination[0],
            family=destination[1] or _family(text, [*words, *(w for hop in hops for w in hop)]),
            kind=kind,
            hops=() if kind in _NOWHERE else tuple(way for way in ways if way.dev or way.via),
            table=_table(said.get("table") or following(text.command, ("table",))),
            protocol=said.get("proto"),
            scope=said.get("scope"),
            metric=number(said.get("metric")),
            source=said.get("src"),
            onlink="onlink" in words or any("onlink" in hop for hop in hops),
            tos=said.get("tos"),
            origin=said.get("from"),
            preference=said.get("pref"),
        )
    )


def _unfinished(text: Text, index: int, words: list[str]) -> list[Problem]:
    """A route that does not say where it goes is damaged; one word alone may be anything."""
    if len(words) > 1 and ("/" in words[0] or words[0] == "default" or words[0] in _KINDS):
        return [unreadable(text, index, "no way")] if text.strict else []
    return stray(text, index, "ip route")


def _hop(words: list[str], said: dict[str, str], shown: str | None) -> NextHop:
    via = said.get("via")
    if via in ("inet", "inet6"):  # a gateway of the other family
        via = "".join(words[words.index("via") + 2 :][:1])
    return NextHop(
        dev=said.get("dev", shown),
        via=via if via and family(via) else None,
        weight=number(said.get("weight")) or 1,
        dead="dead" in words,
        linkdown="linkdown" in words,
    )


def _table(name: str | None) -> str:
    return "main" if name in (None, "all", "") else table_name(str(name))


def _family(text: Text, words: Sequence[str]) -> Literal[4, 6]:
    """That of a ``default``: only IPv6 routes have a preference or an error."""
    if "-6" in text.command or "pref" in words or "error" in words:
        return 6
    gateway = "inet6" not in words and any(family(word) == 6 for word in words)
    return 6 if gateway else 4


def _parse_json(text: Text) -> Parsed:
    found, problems = objects(text, dict[str, Any])
    rows: list[Row] = []
    for index, value in found:
        row = _json_route(text, text.cite(index), value)
        if row is not None:
            rows.append(row)
        elif "dst" in value:
            problems.append(text.problem(index, "no route"))
    return Parsed(rows, problems)


def _json_route(text: Text, cite: Cite, value: dict[str, Any]) -> Route | None:
    destination = _destination([str(value.get("dst"))])
    if destination is None:
        return None
    kind = str(value.get("type", "unicast"))
    hops = value.get("nexthops")
    ways = [_json_hop(hop) for hop in hops] if isinstance(hops, list) else [_json_hop(value)]
    flags = str(value.get("flags")) + str(hops or "")
    return Route(
        cite=cite,
        netns=text.netns,
        destination=destination[0],
        family=destination[1] or _family(text, list(_strings(value))),
        kind=kind,
        hops=() if kind in _NOWHERE else tuple(way for way in ways if way.dev or way.via),
        table=_table(_string(value.get("table")) or following(text.command, ("table",))),
        protocol=_string(value.get("protocol")),
        scope=_string(value.get("scope")),
        metric=number(value.get("metric")),
        source=_string(value.get("prefsrc")),
        onlink="'onlink'" in flags,
        tos=_string(value.get("tos")),
        origin=_string(value.get("from")),
        preference=_string(value.get("pref")),
    )


def _strings(value: dict[str, Any]) -> Iterator[str]:
    """The words by which the family of a ``default`` is told."""
    yield from value
    yield str(value.get("gateway"))
    hops = value.get("nexthops")
    for hop in hops if isinstance(hops, list) else ():
        if isinstance(hop, dict):
            yield str(hop.get("gateway"))


def _json_hop(value: object) -> NextHop:
    if not isinstance(value, dict):
        return NextHop()
    via = value.get("via")
    flags = value.get("flags") or ()
    flags = flags if isinstance(flags, list) else ()
    gateway = value.get("gateway") or (via.get("host") if isinstance(via, dict) else None)
    return NextHop(
        dev=_string(value.get("dev")),
        via=gateway if isinstance(gateway, str) and family(gateway) else None,
        weight=number(value.get("weight")) or 1,
        dead="dead" in flags,
        linkdown="linkdown" in flags,
    )


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
