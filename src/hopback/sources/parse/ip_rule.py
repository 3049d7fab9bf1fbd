"""``ip rule``, text and JSON (iproute2 ``ip/iprule.c:print_rule``)."""

import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from hopback.snapshot.rows import Row, Rule
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import At, Parsed, Text
from hopback.sources.parse.json_objects import is_json, objects
from hopback.sources.parse.listing import CUT, number, stray, unreadable

COMMANDS: tuple[tuple[str, ...], ...] = (("ip", "rule"),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*\d+:\s+(?:not )?from \S+ (?=.*\b(?:lookup|goto|blackhole|unreachable|prohibit|nop)\b)"
    r'|\[ ?\{"priority":\d+,"(?:not|src)":'
)
FILLS: tuple[type[Row], ...] = (Rule,)

_RULE = re.compile(r"\s*(?P<priority>\d{1,10}):\s+(?P<rest>(?:not |from ).*)")
_ACTIONS = frozenset(
    {"lookup", "goto", "blackhole", "unreachable", "prohibit", "nop", "nat", "map-to", "masquerade"}
)


class Said(NamedTuple):
    """A rule before its family is known."""

    at: int | At
    priority: int
    selector: list[str]
    action: list[str]


def parse(text: Text) -> Parsed:
    """Rules. A selector is all before the action, which is all after it but ``proto``."""
    said, problems = _said_in_json(text) if is_json(text) else _said_in_text(text)
    # A listing is of one family; -6 tells it, or an address in one of the rules.
    version: Literal[4, 6] = 4
    if "-6" in text.command or any(":" in word for rule in said for word in rule.selector):
        version = 6
    return Parsed(
        [
            Rule(
                cite=text.cite(rule.at),
                netns=text.netns,
                priority=rule.priority,
                family=version,
                selector=" ".join(rule.selector),
                action=" ".join(rule.action),
            )
            for rule in said
        ],
        problems,
    )


def _said_in_text(text: Text) -> tuple[list[Said], list[Problem]]:
    rules: list[Said] = []
    problems: list[Problem] = []
    for index, line in text.numbered():
        match = _RULE.match(line)
        rule = _rule(index, match) if match else None
        if match is None:
            problems += stray(text, index, "ip rule")
        elif rule is None:
            problems.append(unreadable(text, index, "no action"))
        else:
            rules.append(rule)
    return rules, problems


def _rule(index: int, match: re.Match[str]) -> Said | None:
    words = match["rest"].split()
    place = next((at for at, word in enumerate(words) if word in _ACTIONS), None)
    if place is None or any(CUT.fullmatch(word) for word in words):
        return None
    selector, action = words[:place], words[place:]
    if "proto" in action:
        at = action.index("proto")
        del action[at : at + 2]
    if action in (["lookup"], ["goto"]):
        return None
    return Said(index, int(match["priority"]), selector, action)


def _said_in_json(text: Text) -> tuple[list[Said], list[Problem]]:
    found, problems = objects(text, dict[str, Any])
    rules: list[Said] = []
    for index, value in found:
        priority, action = number(value.get("priority")), list(_action(value))
        if priority is None or not action:
            problems.append(text.problem(index, "no rule"))
        else:
            rules.append(Said(index, priority, list(_selector(value)), action))
    return rules, problems


def _selector(value: dict[str, Any]) -> Iterator[str]:
    """The selectors in the words and the order of the text."""
    if "not" in value:
        yield "not"
    for name, length, word in (("src", "srclen", "from"), ("dst", "dstlen", "to")):
        if name in value:
            prefix = f"/{value[length]}" if length in value else ""
            yield from (word, f"{value[name]}{prefix}")
    if "tos" in value:
        yield from ("tos", str(value["tos"]))
    if "fwmark" in value:
        mask = f"/{value['fwmask']}" if "fwmask" in value else ""
        yield from ("fwmark", f"{value['fwmark']}{mask}")
    for name in ("iif", "oif"):
        if name in value:
            yield from (name, str(value[name]))
    if "uid_start" in value:
        yield from ("uidrange", f"{value['uid_start']}-{value.get('uid_end')}")
    if "ipproto" in value:
        yield from ("ipproto", str(value["ipproto"]))
    for name in ("sport", "dport"):
        if name in value:
            yield from (name, str(value[name]))
        elif f"{name}_start" in value:
            yield from (name, f"{value[f'{name}_start']}-{value.get(f'{name}_end')}")
    if "tun_id" in value:
        yield from ("tun_id", str(value["tun_id"]))


def _action(value: dict[str, Any]) -> Iterator[str]:
    if "l3mdev" in value:
        yield from ("lookup", "[l3mdev-table]")
    elif "table" in value:
        yield from ("lookup", str(value["table"]))
    for name, word in (
        ("suppress_prefixlen", "suppress_prefixlength"),
        ("suppress_ifgroup", "suppress_ifgroup"),
        ("goto", "goto"),
    ):
        if name in value:
            yield from (word, str(value[name]))
    if isinstance(value.get("action"), str):
        yield value["action"]
    for name in ("masquerade", "nop"):
        if name in value:
            yield name
