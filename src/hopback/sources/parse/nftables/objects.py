"""``nft -j list …`` (libnftables-json(5)) into a ruleset."""

from collections.abc import Iterable, Iterator
from typing import Any

from hopback.snapshot.table import Problem
from hopback.sources.parse.base import At, Text
from hopback.sources.parse.json_objects import objects
from hopback.sources.parse.nftables.fields import sides
from hopback.sources.parse.nftables.ruleset import Base, Chain, Declared, Ruleset, Table, family
from hopback.sources.parse.nftables.statements import INNER, statements
from hopback.sources.parse.nftables.steps import Statement, compact
from hopback.sources.parse.nftables.values import Unknown

_AT_MOST = 1 << 31  # priorities are 32 bits


def read_json(text: Text, ruleset: Ruleset) -> list[Problem]:
    """Enter all objects that are whole; gives one problem if the JSON is cut or something else."""
    found, problems = objects(text, dict[str, Any])
    reader = _Reader(ruleset)
    for at, item in _items(found):
        reader.item(at, item)
    if problems or not found:
        ruleset.cut()
    return problems


def _items(found: list[tuple[At, dict[str, Any]]]) -> Iterator[tuple[At, dict[str, Any]]]:
    """The objects of the array, or, where the array was cut, those found by themselves."""
    for at, whole in found:
        inner = whole.get("nftables")
        if isinstance(inner, list):
            for number, item in enumerate(inner, at.item):
                if isinstance(item, dict):
                    yield At(at.line, number), item
        else:
            yield at, whole


class _Reader:
    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        self._asleep: dict[Table, bool | None] = {}

    def item(self, at: At, item: dict[str, Any]) -> None:
        for name, inner in item.items():
            if not isinstance(inner, dict) or (of := family(inner.get("family"))) is None:
                continue
            if name == "table":
                self._table(Table(of, str(inner.get("name"))), inner)
                continue
            table = Table(of, str(inner.get("table")))
            if name == "chain":
                self._chain(at, table, inner)
            elif name == "rule":
                self._rule(at, table, inner)
            elif name in ("set", "map"):
                self._ruleset.set(_declared(at, table, inner, name == "map"))

    def _table(self, table: Table, inner: dict[str, Any]) -> None:
        flags = _list(inner.get("flags"))
        # nft 1.0.6 prints the table's name in place of its flags: dormant or owner, who knows
        self._asleep[table] = "dormant" in flags or (None if table.name in flags else False)

    def _chain(self, at: At, table: Table, inner: dict[str, Any]) -> None:
        chain = self._ruleset.chain(at, table, str(inner.get("name")))
        asleep = self._asleep.get(table, False)
        chain.whole = chain.whole and asleep is not None
        if "hook" in inner and not asleep:
            dev = inner.get("dev")
            chain.base = Base(
                str(inner.get("type")),
                str(inner["hook"]),
                _priority(inner.get("prio")),
                str(inner.get("policy", "accept")),
                None if dev is None else tuple(map(str, _list(dev))),
            )

    def _rule(self, at: At, table: Table, inner: dict[str, Any]) -> None:
        chain = self._ruleset.find(table, str(inner.get("chain")))
        expressions = inner.get("expr")
        if chain is None:  # the chain's own object was cut off
            chain = self._ruleset.chain(at, table, str(inner.get("chain")))
            chain.whole = False
        found: list[Statement] = []
        for tree in expressions if isinstance(expressions, list) else [expressions]:
            if not isinstance(tree, str):
                found.append(Statement(tree))
            elif leads := INNER.match(tree.partition("\n")[0]):
                found.append(self._inner(at, chain, leads[1], tree))
            else:  # what has no JSON is printed as text
                found += statements(tree)
        self._ruleset.rule(at, chain, found, compact(expressions))

    def _inner(self, at: At, outer: Chain, word: str, text: str) -> Statement:
        """A chain without a name, with its rules as text; how to get there."""
        chain = self._ruleset.unnamed(at, outer)
        for line in _whole_lines(text.splitlines()[1:-1]):
            self._ruleset.rule(at, chain, statements(line), line)
        return Statement({word: {"target": chain.name}})


def _whole_lines(lines: Iterable[str]) -> Iterator[str]:
    """Rules that go over several lines because of a set, each on one."""
    rule: list[str] = []
    for line in lines:
        rule.append(line.strip())
        joined = " ".join(rule)
        if joined.count("{") <= joined.count("}"):
            yield joined
            rule = []
    if rule:
        yield " ".join(rule)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _priority(value: object) -> int | None:
    good = isinstance(value, int) and not isinstance(value, bool) and abs(value) < _AT_MOST
    return value if good and isinstance(value, int) else None


def _declared(at: At, table: Table, inner: dict[str, Any], is_map: bool) -> Declared:
    elements = inner.get("elem", [])
    types, data = _types(inner.get("type")), _types(inner.get("map")) if is_map else None
    readable = isinstance(elements, list) and types is not None and (data or not is_map)
    if any(name not in ("counter", "last") for one in inner.get("stmt") or () for name in one):
        readable = False  # each element has a limit or a quota of its own
    return Declared(
        at,
        table,
        str(inner.get("name")),
        types or (),
        data,
        elements if readable else None,
    )


def _types(value: Any) -> tuple[str, ...] | None:
    """``ipv4_addr``, a list of such, or the expression whose type it is."""
    if isinstance(value, str):
        return tuple(value.split(" . "))
    if isinstance(value, list):
        return tuple(map(str, value))
    try:
        return tuple(side.kind for side in sides(value["typeof"]))
    except (Unknown, KeyError, TypeError):
        return None
