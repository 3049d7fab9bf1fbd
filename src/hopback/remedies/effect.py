"""Whether a fix is in place: what its commands would make, a snapshot has.

Only asked where the fault is not found (any more), to tell a host that was mended from one that has
changed: a table that is there is not compared rule for rule.
"""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from hopback.findings import FixFile
from hopback.frames.mac import parse_mac
from hopback.snapshot.model import Snapshot
from hopback.snapshot.table import Missing

_ON_OFF = {"on": True, "off": False}
_TABLE = re.compile(r"^\s*(?:(?:add|create)\s+)?table\s+(\w+)\s+([\w./-]+)", re.MULTILINE)


def in_place(commands: Iterable[str], files: Iterable[FixFile], now: Snapshot) -> bool | None:
    """Whether all that ``commands`` make, reading ``files``, is there; None if it cannot be told.

    Commands as ``Fix`` has them.
    """
    contents = {file.path: file.content for file in files}
    every = {_holds(shlex.split(line), contents, now) for line in commands}
    if False in every:
        return False
    return True if every == {True} else None


def _holds(words: Sequence[str], contents: Mapping[str, str], now: Snapshot) -> bool | None:
    netns, rest = _place(words)
    match rest:
        case ["bridge", "fdb", "replace" | "add" | "append", mac, "dev", port, *more]:
            return _has_entry(now, netns, mac, port, more)
        case ["bridge", "link", "set", "dev", port, flag, "on" | "off" as value]:
            return _has_flag(now, netns, port, flag, value)
        case ["ip", "route", "add" | "del" as verb, *route]:
            return _has_route(now, netns, route) is (verb == "add")
        case ["ip", *_, "rule", "add", "pref", priority, "iif", dev, "to", prefix, action]:
            selector = f"from all to {prefix} iif {dev}"
            return any(
                (r.netns, r.priority, r.selector, r.action)
                == (netns, int(priority), selector, action)
                for r in now.rules.rows
            )
        case ["nft", "-f", path]:
            return _has_tables(now, netns, contents.get(path, ""))
    return None


def _place(words: Sequence[str]) -> tuple[str, list[str]]:
    """The namespace in which a command works, and its words without it."""
    match list(words):
        case ["ip", "netns", "exec", netns, *rest]:
            return netns, rest
        case [tool, "-n", netns, *rest]:
            return netns, [tool, *rest]
        case rest:
            return "", rest


def _has_entry(now: Snapshot, netns: str, mac: str, port: str, more: Sequence[str]) -> bool:
    vlan = int(more[more.index("vlan") + 1]) if "vlan" in more else 0
    return any(
        (row.netns, row.mac, row.dev, row.vlan) == (netns, parse_mac(mac), port, vlan)
        and not row.on_device
        and row.static >= ("static" in more)
        and row.sticky >= ("sticky" in more)
        for row in now.fdb.rows
    )


def _has_flag(now: Snapshot, netns: str, port: str, flag: str, value: str) -> bool:
    return any(
        (row.netns, row.name) == (netns, port) and getattr(row, flag, None) is _ON_OFF[value]
        for row in now.ports.rows
    )


def _has_route(now: Snapshot, netns: str, words: Sequence[str]) -> bool:
    """``words`` are those of ``ip route``: a kind perhaps, a prefix, a next hop, a table."""
    kind = "blackhole" if words[0] == "blackhole" else "unicast"
    prefix = words[kind == "blackhole"]
    said = dict(pairwise(words))
    via, table = said.get("via"), said.get("table", "main")
    return any(
        (row.netns, row.kind, row.destination, row.table) == (netns, kind, prefix, table)
        and (via is None or via in {hop.via for hop in row.hops})
        for row in now.routes.rows
    )


def _has_tables(now: Snapshot, netns: str, ruleset: str) -> bool | None:
    wanted = set(_TABLE.findall(ruleset))
    there = {(c.family, c.table) for c in now.filter_chains.rows if c.netns == netns}
    if isinstance(now.filter_chains, Missing) or not wanted:
        return None
    return wanted <= there
