"""``bridge fdb`` of all ages, text and JSON (iproute2 ``bridge/fdb.c:print_fdb``).

A table of a million entries repeats itself: what follows the MAC is taken apart once and copied
for every line that ends alike.
"""

import re
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import astuple, replace

from hopback.frames.mac import ZERO, Mac, parse_mac
from hopback.snapshot.rows import Fdb, Row
from hopback.snapshot.table import Cite, Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.json_objects import is_json, objects
from hopback.sources.parse.listing import CUT, following, number, stray, unreadable

COMMANDS: tuple[tuple[str, ...], ...] = (("bridge", "fdb"),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*[0-9a-fA-FxX#*]{2}(?::[0-9a-fA-FxX#*]{2}){5} dev \S+ "
    r"(?=.*\b(?:self|master|permanent|static|temp|vlan|dst)\b)"
    r'|\[? ?\{"mac":"[^"]+",(?:"ifname"|"vlan"|"used"|"flags"|"dst")'
)
FILLS: tuple[type[Row], ...] = (Fdb,)

_SECOND = 1_000_000_000
_MAC_LENGTH = 17
_KINDS_MAX = 65536  # of line ends that are remembered

_STATES = frozenset({"permanent", "static", "stale", "temp", "reachable", "dynamic", "local"})
_FLAGS = frozenset(
    {"self", "offload", "offloaded", "extern_learn", "sticky", "router", "use", "locked"}
)
_VALUED = frozenset(
    {"dev", "dst", "via", "vlan", "vni", "src_vni", "port", "used", "link-netnsid", "link-netns"}
    | {"nhid", "id", "state"}
)
_REMARKS = ("#", "//", "<-", "<=", "←", "⇐", "-->", "→")
"""What people put behind a line to say what it means."""
_WORDS = _STATES | _FLAGS | _VALUED | {"master", "activity_notify", "inactive", "blackhole"}


class Rest(NamedTuple):
    """What follows the MAC: an entry to copy, and what is wrong with it."""

    entry: Fdb | None
    wrong: str = ""


class Entry(Struct, frozen=True, gc=False):
    """An object of the JSON list."""

    mac: str
    ifname: str | None = None
    master: str | None = None
    vlan: int = 0
    state: str = ""
    updated: int | None = None
    dst: str | None = None
    vni: int | None = None
    flags: tuple[str, ...] = ()


def parse(text: Text) -> Parsed:
    """Entries; ``fdb show brport NAME`` leaves out the device, which the command then tells."""
    if is_json(text):
        return _parse_json(text)
    shown = following(text.command, ("brport", "dev"))
    rows: list[Row] = []
    problems: list[Problem] = []
    known: dict[str, Rest] = {}
    source, first = text.source, text.first
    for index, line in enumerate(text.lines):
        rest = known.get(line[_MAC_LENGTH:])
        if rest is None:
            rest = take_apart(line[_MAC_LENGTH:], text.netns, shown)
            if rest.entry is not None:
                if len(known) >= _KINDS_MAX:
                    known.clear()
                known[line[_MAC_LENGTH:]] = Rest(rest.entry)
        mac = _fast_mac(line)
        if mac is not None and rest.entry is not None and not rest.wrong:
            rows.append(replace(rest.entry, cite=Cite(source, first + index), mac=mac))
        else:
            _slow(text, index, shown, rows, problems)
    return Parsed(rows, problems)


def _fast_mac(line: str) -> Mac | None:
    """The MAC at the line's very beginning, where a listing that nobody touched has it."""
    digits = line[:_MAC_LENGTH].replace(":", "")
    if line[2:_MAC_LENGTH:3] != ":::::" or not (digits.isalnum() and digits.isascii()):
        return None
    try:
        return Mac(int(digits, 16))
    except ValueError:
        return None


def _slow(
    text: Text, index: int, shown: str | None, rows: list[Row], problems: list[Problem]
) -> None:
    """A line that is indented, odd, damaged or none of the listing's."""
    first, _, tail = text.lines[index].strip().partition(" ")
    rest = take_apart(" " + tail, text.netns, shown)
    if not first or not (tail.startswith("dev ") or (shown and ":" in first)):
        problems += stray(text, index, "bridge fdb")
        return
    if rest.wrong:
        problems.append(unreadable(text, index, rest.wrong))
    try:
        mac = parse_mac(first)
    except ValueError:
        problems.append(unreadable(text, index, "no MAC address"))
        return
    if rest.entry is not None:
        rows.append(replace(rest.entry, cite=text.cite(index), mac=mac))


def take_apart(tail: str, netns: str, shown: str | None = None) -> Rest:
    """What is said after the MAC. A last word that is cut in the middle spoils the line."""
    words = tail.split()
    said: dict[str, str] = {}
    alone: set[str] = set()
    wrong = ""
    rest = iter(words)
    for word in rest:
        if word in _VALUED:
            said[word] = next(rest, "")
        elif word == "master":
            said[word] = _bridge_name(words)
            if said[word]:
                next(rest, None)
        elif word in _WORDS:
            alone.add(word)
        elif CUT.fullmatch(word):
            return Rest(None, "cut")
        elif word.startswith(_REMARKS):
            break
        elif word == words[-1] and any(known.startswith(word) for known in _WORDS):
            return Rest(None, "cut in the middle of a word")
        else:
            wrong = f"unknown word {word!r}"
    dev = said.get("dev") or shown
    vlan = number(said.get("vlan", "0"))
    if not dev or vlan is None or not 0 <= vlan < 4096:
        return Rest(None, "no entry")
    updated = number(said.get("used", "").rpartition("/")[2])
    return Rest(
        Fdb(
            cite=Cite(0, 0),
            netns=netns,
            mac=ZERO,
            dev=dev,
            bridge=said.get("master") or None,
            vlan=vlan,
            local="permanent" in alone or "local" in alone,
            static="static" in alone,
            sticky="sticky" in alone,
            locked="locked" in alone,
            extern_learn="extern_learn" in alone,
            offload="offload" in alone or "offloaded" in alone,
            on_device="self" in alone,
            age=None if updated is None else _age(updated),
            dst=said.get("dst") or None,
            vni=number(said.get("vni")),
        ),
        wrong,
    )


def _bridge_name(words: list[str]) -> str:
    """The word after ``master``; versions before 4.0 print it as a mere flag."""
    after = words[words.index("master") + 1 :][:1]
    return "" if not after or after[0] in _STATES | _FLAGS else after[0]


def _age(seconds: int) -> int | None:
    return seconds * _SECOND if 0 <= seconds < 2**32 else None


def _parse_json(text: Text) -> Parsed:
    found, problems = objects(text, Entry)
    shown = following(text.command, ("brport", "dev"))
    rows: list[Row] = []
    known: dict[tuple[object, ...], Fdb] = {}
    for index, entry in found:
        try:
            mac = _fast_mac(entry.mac) or parse_mac(entry.mac)
        except ValueError:
            problems.append(text.problem(index, f"no MAC address: {entry.mac[:40]!r}"))
            continue
        like = astuple(entry)[1:]
        row = known.get(like)
        if row is None:
            row = _like(entry, text.netns, shown)
            if row is None:
                problems.append(text.problem(index, f"no VLAN: {entry.vlan}"))
                continue
            if len(known) >= _KINDS_MAX:
                known.clear()
            known[like] = row
        rows.append(replace(row, cite=text.cite(index), mac=mac))
    return Parsed(rows, problems)


def _like(entry: Entry, netns: str, shown: str | None) -> Fdb | None:
    if not 0 <= entry.vlan < 4096:
        return None
    flags = entry.flags
    return Fdb(
        cite=Cite(0, 0),
        netns=netns,
        mac=ZERO,
        dev=entry.ifname or shown,
        bridge=entry.master,
        vlan=entry.vlan,
        local=entry.state == "permanent",
        static=entry.state == "static",
        sticky="sticky" in flags,
        locked="locked" in flags,
        extern_learn="extern_learn" in flags,
        offload="offload" in flags,
        on_device="self" in flags,
        age=None if entry.updated is None else _age(entry.updated),
        dst=entry.dst,
        vni=number(entry.vni),
    )
