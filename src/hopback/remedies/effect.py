"""Whether a command's effect is there already: what it would make, a snapshot has.

A command that is run twice may do harm (a rule twice), or fail: it is not to be run again.
"""

import shlex
from collections.abc import Iterable, Sequence

from hopback.frames.mac import parse_mac
from hopback.snapshot.model import Snapshot

_ON_OFF = {"on": True, "off": False}


def in_place(commands: Iterable[str], now: Snapshot) -> bool:
    """Whether all of what ``commands`` make is there; False too where that cannot be told."""
    every = [_holds(shlex.split(line), now) for line in commands]
    return bool(every) and all(every)


def _holds(words: Sequence[str], now: Snapshot) -> bool:
    netns, rest = _place(words)
    match rest:
        case ["bridge", "fdb", "replace" | "add" | "append", mac, "dev", port, *more]:
            return _has_entry(now, netns, mac, port, more)
        case ["bridge", "link", "set", "dev", port, flag, "on" | "off" as value]:
            return _has_flag(now, netns, port, flag, value)
    return False


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
