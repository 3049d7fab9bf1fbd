"""``ip route get``: what a host does with one packet (iproute2 ``ip/iproute.c:iproute_get``)."""

import re
from collections.abc import Iterator
from typing import Any

from hopback.snapshot.rows import RouteAnswer, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import At, Parsed, Text
from hopback.sources.parse.json_objects import is_json, objects
from hopback.sources.parse.listing import family, following, pairs, stray

COMMANDS: tuple[tuple[str, ...], ...] = (("ip", "route", "get"),)
_ADDRESS = r"[0-9a-f.:]+"
SHAPE: re.Pattern[str] | None = re.compile(
    rf"\s*(?:unicast |local |broadcast |multicast )?{_ADDRESS}"
    rf"(?: from {_ADDRESS} (?:via |dev )| (?:via {_ADDRESS} )?dev \S+ .*\buid \d)"
    rf'|\[ ?\{{(?:"type":"\w+",)?"dst":"{_ADDRESS}",(?:"from":"|[^}}]*"uid":\d)'
)
FILLS: tuple[type[Row], ...] = (RouteAnswer,)

_KINDS = frozenset({"unicast", "local", "broadcast", "multicast", "anycast"})
_REFUSED = re.compile(
    r"(?:RTNETLINK answers|Error): .*(?:Invalid argument|unreachable|No route|ermission denied"
    r"|not permitted|Invalid cross-device link)"
)
_IIF = re.compile(r"\biif (\S+)")


def parse(text: Text) -> Parsed:
    """One answer for each packet; the line after it may tell the device that it came in by."""
    if is_json(text):
        return _parse_json(text)
    rows: list[Row] = []
    problems: list[Problem] = []
    for index, line in text.numbered():
        words = line.split()
        kind = words.pop(0) if words[0] in _KINDS and len(words) > 1 else "unicast"
        if family(words[0]):
            after = text.lines[index + 1] if index + 1 < len(text.lines) else ""
            said = pairs(words)
            iif = _IIF.search(line) or (_IIF.search(after) if after[:1].isspace() else None)
            said |= {"iif": iif[1]} if iif else {}
            rows.append(_answer(text, index, words[0], kind, said))
        elif _REFUSED.match(line) and (target := following(text.command, ("get",))):
            asked = pairs(text.command)
            rows.append(_answer(text, index, target, "refused", {"from": asked.get("from")}))
        elif words[0] != "cache":
            problems += stray(text, index, "ip route get")
    return Parsed(rows, problems)


def _answer(
    text: Text, index: int | At, target: str, kind: str, said: dict[str, Any]
) -> RouteAnswer:
    source = said.get("from")
    return RouteAnswer(
        cite=text.cite(index),
        netns=text.netns,
        target=target,
        kind=kind,
        source=source if isinstance(source, str) and source != "::" else None,
        iif=said.get("iif"),
        via=said.get("via"),
        dev=said.get("dev"),
    )


def _parse_json(text: Text) -> Parsed:
    found, problems = objects(text, dict[str, Any])
    return Parsed(list(_json_rows(text, found)), problems)


def _json_rows(text: Text, found: list[tuple[At, dict[str, Any]]]) -> Iterator[RouteAnswer]:
    for index, value in found:
        target = value.get("dst")
        if isinstance(target, str) and family(target):
            texts = {key: one for key, one in value.items() if isinstance(one, str)}
            kind = texts.get("type", "unicast")
            yield _answer(text, index, target, kind, {**texts, "via": texts.get("gateway")})
