"""``bridge mdb``, old and new text and JSON (iproute2 ``bridge/mdb.c``)."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from hopback.snapshot.rows import Mdb, RouterPort, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import At, Parsed, Text
from hopback.sources.parse.json_objects import is_json, objects
from hopback.sources.parse.listing import family, number, pairs, stray, unreadable

COMMANDS: tuple[tuple[str, ...], ...] = (("bridge", "mdb"),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*(?:\d+: )?dev \S+ port \S+ grp \S+|\s*\d+: \S+ {2}\S+ {2}[0-9a-f.:]+ {2}(?:temp|permanent)"
    r'|\[ ?\{"mdb":'
)
FILLS: tuple[type[Row], ...] = (Mdb,)  # router ports are listed with -d only

# iproute2 4.17 to 5.4: "12: br0  vnet0  239.1.1.1  temp"
_COLUMNS = re.compile(
    r"\s*\d+: (?P<bridge>\S+)\s+(?P<port>\S+)\s+(?P<group>[0-9a-fA-F.:]+)\s+(?P<rest>.*)"
)
_ROUTERS = re.compile(r"\s*router ports? on (?P<bridge>[^\s:]+): *(?P<ports>.*)")
# With -s each port has a line, and its timer and type follow it: "eth0  254.90 temp".
_ROUTER_DETAIL = re.compile(r"\d+\.\d\d|temp|permanent|disabled|temp_query")
_TIMER_LINE = re.compile(r"\s*(?:port )?\S+\s+\d+\.\d\d\s+(?:temp|permanent)")
_MAC_COLONS = 5


def parse(text: Text) -> Parsed:
    """Group members and router ports."""
    if is_json(text):
        return _parse_json(text)
    rows: list[Row] = []
    problems: list[Problem] = []
    for index, line in text.numbered():
        said = _said(line)
        if routers := _ROUTERS.match(line):
            rows += _router_rows(text, index, routers["bridge"], routers["ports"].split())
        elif said is None:
            if not _TIMER_LINE.match(line):
                problems += stray(text, index, "bridge mdb")
        elif (row := _row(text, index, said)) is not None:
            rows.append(row)
        else:
            problems.append(unreadable(text, index, "no group member"))
    return Parsed(rows, problems)


def _said(line: str) -> dict[str, Any] | None:
    words = line.split()
    if "grp" in words and words[0] in ("dev", "bridge"):
        found: dict[str, Any] = pairs(words)
        return {**found, "state": "permanent" if "permanent" in words else "temp"}
    if match := _COLUMNS.match(line):
        rest = match["rest"].split()
        return {
            **pairs(rest),
            "dev": match["bridge"],
            "port": match["port"],
            "grp": match["group"],
            "state": "permanent" if "permanent" in rest else "temp",
        }
    return None


def _row(text: Text, index: int | At, said: dict[str, Any]) -> Mdb | None:
    bridge, port, group = said.get("dev"), said.get("port"), said.get("grp")
    vlan = number(said.get("vid", 0))
    if not (isinstance(bridge, str) and isinstance(port, str) and isinstance(group, str)):
        return None
    if vlan is None or not 0 <= vlan < 4096 or not _is_group(group):
        return None
    permanent = said.get("state") == "permanent"
    return Mdb(
        cite=text.cite(index),
        netns=text.netns,
        bridge=bridge,
        dev=port,
        group=group,
        vlan=vlan,
        permanent=permanent,
        source=_sender(said.get("src")),
    )


def _sender(source: object) -> str | None:
    """Old versions print "src" only when they know of one; new ones never print an empty one."""
    return source if isinstance(source, str) and family(source) is not None else None


def _router_rows(
    text: Text, index: int | At, bridge: str, words: Sequence[str]
) -> Iterator[RouterPort]:
    for word in words:
        if not _ROUTER_DETAIL.fullmatch(word):
            yield RouterPort(cite=text.cite(index), netns=text.netns, bridge=bridge, dev=word)


def _is_group(group: str) -> bool:
    """An IP address, or a MAC for a group of another family."""
    return family(group) is not None or group.count(":") == _MAC_COLONS


def _parse_json(text: Text) -> Parsed:
    found, problems = objects(text, dict[str, Any])
    rows: list[Row] = []
    for index, value in found:
        for said in _members(value):
            row = _row(text, index, said)
            if row is None:
                problems.append(text.problem(index, "no group member"))
            else:
                rows.append(row)
        rows += _json_routers(text, index, value.get("router"))
    return Parsed(rows, problems)


def _json_routers(text: Text, index: int | At, listed: object) -> Iterator[RouterPort]:
    """``{"br0": [{"port": "eth0"}, …]}``."""
    for bridge, ports in listed.items() if isinstance(listed, dict) else ():
        told = ports if isinstance(ports, list) else ()
        names = [p["port"] for p in told if isinstance(p, dict) and isinstance(p.get("port"), str)]
        yield from _router_rows(text, index, str(bridge), names)


def _members(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The members in ``{"mdb": […]}``, and those that were saved from a cut listing."""
    listed = value.get("mdb")
    if isinstance(listed, list):
        yield from (said for said in listed if isinstance(said, dict))
    elif "grp" in value:
        yield value
