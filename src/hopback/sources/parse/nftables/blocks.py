"""``nft list …`` as text into a ruleset: tables, chains, sets, each within its braces."""

import re
from collections.abc import Callable
from typing import Any

from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Text
from hopback.sources.parse.listing import CUT, stray
from hopback.sources.parse.nftables.expressions import data, expression
from hopback.sources.parse.nftables.fields import sides
from hopback.sources.parse.nftables.priorities import priority
from hopback.sources.parse.nftables.ruleset import Base, Chain, Declared, Ruleset, Table, family
from hopback.sources.parse.nftables.statements import INNER, statements
from hopback.sources.parse.nftables.tokens import Misread, Tokens, tokens
from hopback.sources.parse.nftables.values import Unknown

_HANDLE = re.compile(r"\s*# handle \d+\s*\Z")
_TABLE = re.compile(r"table (?P<family>ip|ip6|inet|arp|bridge|netdev) (?P<name>[^\s{]+) \{")
_BLOCK = re.compile(r"(?P<kind>chain|set|map|meter) (?P<name>[^\s{]+) \{")
_OTHER = re.compile(r"[a-z][a-z ]* [^\s{]+ \{")
_HOOK = re.compile(
    r"type (?P<kind>\w+) hook (?P<hook>\w+)"
    r"(?: devices? (?:= )?(?P<devices>\{[^}]*\}|\S+))? priority (?P<priority>[^;]*)"
    r"(?:; *policy (?P<policy>\w+))?"
)
_QUOTED = re.compile(r'"[^"]*"?')
_BRIDGED = re.compile(r"\b(?:ether|arp|ibrname|obrname|vlan)\b")
_GUESS_LINES_MAX = 100


def read_text(text: Text, ruleset: Ruleset) -> list[Problem]:
    """Enter what the listing shows; gives problems for lines that are none of a ruleset's.

    A chain without its table (a paste) counts as the bridge family's if its rules look at
    Ethernet, otherwise as inet's.
    """
    reader = _Reader(text, ruleset)
    problems: list[Problem] = []
    for index, line in text.numbered():
        if not reader.line(index, line):
            problems += stray(text, index, "nft list ruleset")
    reader.close()
    return problems


class _Reader:
    """Follows the braces. What goes over several lines is put together first."""

    def __init__(self, text: Text, ruleset: Ruleset) -> None:
        self._text = text
        self._ruleset = ruleset
        self._table: Table | None = None
        self._asleep = False
        self._chain: Chain | None = None
        self._outer: list[Chain] = []  # those in whose rules the chain stands
        self._set: _Set | None = None
        self._other = 0  # braces open in a block that is passed over
        self._rule: list[str] = []
        self._begin = self._open = 0
        self._indent: int | None = None  # of the first line inside the block

    def line(self, index: int, raw: str) -> bool:
        """Take a line; False if it is none of a ruleset."""
        line = _HANDLE.sub("", raw.strip())
        if line.startswith("#") and not self._rule and not line.startswith("# xt_"):
            return True
        if table := _TABLE.match(line):
            self.close()
            if of := family(table["family"]):
                self._table, self._asleep = Table(of, table["name"]), False
            return True
        if line.endswith("{") and (block := _BLOCK.fullmatch(line)):
            self._begin_block(index, block)
            return True
        if not (self._chain or self._set or self._other):
            return self._in_table(line)
        if self._has_ended(raw, line):
            self.close()
            return False
        self._within(index, line)
        return True

    def close(self) -> None:
        """The end of the listing, or the beginning of something else: what is open was cut."""
        if self._rule and self._chain:
            self._flush()
        self._lack()
        if self._set:
            self._ruleset.set(self._set.declared())
        self._chain = self._set = None
        self._outer, self._other, self._rule, self._open = [], 0, [], 0

    def _has_ended(self, raw: str, line: str) -> bool:
        """Whether prose follows a block that was cut: nft indents what is inside a block."""
        indent = len(raw) - len(raw.lstrip())
        if self._indent is None:
            self._indent = indent
        return indent < self._indent and line != "}" and not CUT.fullmatch(line)

    def _begin_block(self, index: int, block: re.Match[str]) -> None:
        self.close()
        self._indent = None
        kind, name = block["kind"], block["name"]
        if kind == "chain":
            table = self._table or Table("bridge" if self._is_bridged(index) else "inet", "")
            self._chain = self._ruleset.chain(index, table, name)
        else:
            self._set = _Set(index, self._table or Table("inet", ""), name)

    def _in_table(self, line: str) -> bool:
        if self._table is None:
            return line == "}"
        if line.startswith("flags ") and "dormant" in line:
            self._asleep = True
        elif line == "}":
            self._table = None
        elif _OTHER.fullmatch(line):
            self._other, self._indent = 1, None
        elif not line.startswith(("flags ", "comment ")) and not CUT.search(line):
            return False
        return True

    def _within(self, index: int, line: str) -> None:
        """A line inside a block; balanced braces end what it belongs to."""
        plain = _QUOTED.sub("", line) if '"' in line else line
        if not self._rule and (line == "}" or (self._outer and line.startswith("} comment "))):
            self._end()
            return
        if self._other:
            self._other += plain.count("{") - plain.count("}")
            return
        if CUT.search(plain):
            self._lack()
            if CUT.fullmatch(line):
                return
        if not self._rule:
            self._begin = index
        self._rule.append(line)
        self._open += plain.count("{") - plain.count("}")
        if self._open <= 0:
            self._flush()
        elif self._open == 1 and self._chain and (inner := INNER.search(line)):
            self._begin_inner(self._chain, inner[1])

    def _begin_inner(self, chain: Chain, word: str) -> None:
        """``tcp dport 53 jump {``: a chain without a name, whose rules follow."""
        line = " ".join(self._rule)
        self._rule, self._open = [], 0
        self._outer.append(chain)
        self._chain = self._ruleset.inner(self._begin, chain, word, line)

    def _lack(self) -> None:
        for chain in (*self._outer, self._chain):
            if chain:
                chain.whole = False
                chain.headless = chain.headless or not chain.rules
        if self._set:
            self._set.whole = False

    def _end(self) -> None:
        if self._outer:
            self._chain = self._outer.pop()
            return
        if self._set:
            self._ruleset.set(self._set.declared())
        self._chain = self._set = None
        self._other = 0

    def _flush(self) -> None:
        line = " ".join(self._rule)
        self._rule, self._open = [], 0
        if self._set:
            self._set.line(line)
        elif self._chain and (match := _HOOK.match(line)):
            self._hooked(self._chain, match)
        elif self._chain and not line.startswith("comment "):
            self._ruleset.rule(self._begin, self._chain, statements(line), line)

    def _hooked(self, chain: Chain, match: re.Match[str]) -> None:
        devices = None
        if match["devices"]:
            devices = tuple(
                word.strip('"') for word in tokens(match["devices"]) if word not in "{},"
            )
        chain.at = self._begin
        if not self._asleep:
            chain.base = Base(
                match["kind"],
                match["hook"],
                priority(chain.table.family, match["priority"]),
                match["policy"] or "accept",
                devices,
            )

    def _is_bridged(self, index: int) -> bool:
        for line in self._text.lines[index + 1 : index + _GUESS_LINES_MAX]:
            if line.strip() == "}":
                break
            if _BRIDGED.search(line):
                return True
        return False


class _Set:
    """A set or map being read."""

    def __init__(self, index: int, table: Table, name: str) -> None:
        self.whole = True
        self._index = index
        self._table = table
        self._name = name
        self._types: tuple[str, ...] = ()
        self._data: tuple[str, ...] | None = None
        self._elements: list[Any] | None = []

    def line(self, line: str) -> None:
        """One of its lines, put together."""
        t = Tokens(tokens(line))
        try:
            if t.take("type"):
                self._declare(t, _names)
            elif t.take("typeof"):
                self._declare(t, _kinds)
            elif t.take_both("elements", "="):
                self._elements = data(t)["set"]
        except (Misread, Unknown, ValueError, RecursionError):
            self._elements = None

    def declared(self) -> Declared:
        """What it is."""
        readable = self._elements is not None and self._types
        return Declared(
            self._index,
            self._table,
            self._name,
            self._types,
            self._data,
            self._elements if readable else None,
            self.whole,
        )

    def _declare(self, t: Tokens, read: Callable[[Tokens], tuple[str, ...]]) -> None:
        self._types = read(t)
        if t.take(":"):
            t.take("interval")
            self._data = ("verdict",) if t.take("verdict") else read(t)


def _names(t: Tokens) -> tuple[str, ...]:
    found = [t.one()]
    while t.take("."):
        found.append(t.one())
    return tuple(found)


def _kinds(t: Tokens) -> tuple[str, ...]:
    """The types of the fields of an expression."""
    return tuple(side.kind for side in sides(expression(t)))
