"""What a listing declares, gathered while it is read, and then made rows."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast, get_args

from msgspec import Struct

from hopback.snapshot.rows import (
    Element,
    FilterChain,
    FilterFamily,
    FilterRule,
    FilterSet,
    Hook,
    PacketFilter,
    Row,
    Step,
    Verdict,
)
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import At, Text
from hopback.sources.parse.nftables.changes import is_any
from hopback.sources.parse.nftables.statements import statements
from hopback.sources.parse.nftables.steps import Statement, steps, verdict
from hopback.sources.parse.nftables.types import declared
from hopback.sources.parse.nftables.values import Unknown, element

FAMILIES = frozenset(get_args(FilterFamily))
_HOOKS = frozenset(get_args(Hook))
_KINDS = ("filter", "nat", "route")
_POLICIES = ("accept", "drop")

_NONE: dict[str, int] = {}

Place = int | At
"""Where something begins in the listing."""


class Table(NamedTuple):
    """A table, "" in a paste that shows a chain alone."""

    family: FilterFamily
    name: str


class Base(NamedTuple):
    """What makes a chain a base chain, as it was written."""

    kind: str
    hook: str
    priority: int | None
    policy: str = "accept"
    devices: tuple[str, ...] | None = None


class Chain(Struct):
    """A chain being read; ``whole`` as in the row. ``headless``: its hook may have been cut off."""

    at: Place
    table: Table
    name: str
    base: Base | None = None
    whole: bool = True
    headless: bool = False
    rules: list[FilterRule] = []


class Declared(NamedTuple):
    """A set or map: the types of its keys and data, and its elements as the tree has them.

    ``data`` is None for a set, ``verdict`` alone for a verdict map. ``elements`` is None if they
    could not be read.
    """

    at: Place
    table: Table
    name: str
    types: tuple[str, ...]
    data: tuple[str, ...] | None
    elements: list[Any] | None
    whole: bool = True


class Ruleset:
    """Chains, rules and sets of one listing."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._chains: dict[tuple[Table, str], Chain] = {}
        self._again: set[tuple[Table, str]] = set()
        self._sets: dict[tuple[Table, str], Declared] = {}
        self._pairs: dict[Table, dict[str, int]] = {}
        self._changed: set[tuple[Table, str]] = set()
        self._terse = any(word in ("-t", "--terse") for word in text.command)
        self._rules_shown = text.command[1:3] != ("list", "chains")
        self.problems: list[Problem] = []

    def chain(self, at: Place, table: Table, name: str) -> Chain:
        """Begin a chain; one that comes again takes the place of the former."""
        if (table, name) in self._chains and (table, name) not in self._again:
            self._again.add((table, name))
            message = f"chain {name} is listed again: the last listing is taken"
            self.problems.append(self._text.problem(at, message))
        filtered = self._text.filtered
        whole = self._rules_shown and not filtered
        found = Chain(at, table, name, whole=whole, headless=filtered)
        self._chains[table, name] = found
        return found

    def unnamed(self, at: Place, outer: Chain) -> Chain:
        """Begin the chain that the next rule of ``outer`` leads to (the kernel: ``__chainN``)."""
        return self.chain(at, outer.table, f"__chain.{outer.name}.{len(outer.rules) + 1}")

    def inner(self, at: Place, outer: Chain, word: str, line: str) -> Chain:
        """Begin a chain without a name, and add the rule of ``outer`` that leads to it.

        ``line`` is that rule's up to the opening brace after ``word``, jump or goto.
        """
        chain = self.unnamed(at, outer)
        before = line.removesuffix("{").rstrip().removesuffix(word)
        leads = Statement({word: {"target": chain.name}}, (word, chain.name))
        self.rule(at, outer, [*statements(before), leads], f"{line} … }}")
        return chain

    def find(self, table: Table, name: str) -> Chain | None:
        """The chain of that name."""
        return self._chains.get((table, name))

    def set(self, found: Declared) -> None:
        """Take a set or map."""
        whole = found.whole and not self._text.filtered
        if self._terse and not found.elements:
            whole = False
        self._sets[found.table, found.name] = found._replace(whole=whole)
        self._pairs.setdefault(found.table, {})[found.name] = len(found.data or ())

    def rule(self, at: Place, chain: Chain, statements: Iterable[Statement], text: str) -> None:
        """Take a rule; what it is translated with (named maps) is listed before it."""
        pairs = self._pairs.get(chain.table, _NONE)
        found: list[Step] = []
        packets = None
        for one in statements:
            found += steps(one, pairs, chain.table.family)
            if isinstance(one.tree, dict):
                packets = packets if packets is not None else _packets(one.tree)
                self._changed.update((chain.table, name) for name in _updated(one.tree))
        rule = FilterRule(
            cite=self._text.cite(at),
            netns=self._text.netns,
            family=chain.table.family,
            table=chain.table.name,
            chain=chain.name,
            place=len(chain.rules) + 1,
            steps=tuple(found),
            text=text,
            packets=packets,
        )
        chain.rules.append(rule)

    def cut(self) -> None:
        """Something was taken away, and nobody knows of which chain."""
        for chain in self._chains.values():
            chain.whole = False

    def rows(self) -> list[Row]:
        """All that was declared: chains, sets, rules."""
        chains = [self._chain_row(chain) for chain in self._chains.values()]
        sets = [self._set_row(one, key in self._changed) for key, one in self._sets.items()]
        rules = [rule for one in self._chains.values() for rule in one.rules]
        return [*chains, *sets, *rules, *self._noticed(rules)]

    def _noticed(self, rules: Iterable[FilterRule]) -> Iterator[PacketFilter]:
        """Chains that may be hooked in where nobody can tell; no chain with a hook is jumped to."""
        called = {
            (rule.family, rule.table, step.chain)
            for rule in rules
            for step in rule.steps
            if isinstance(step, Verdict) and step.chain
        }
        for (table, name), chain in self._chains.items():
            hidden = chain.headless and chain.base is None and (*table, name) not in called
            if hidden or (chain.base and chain.base.hook not in _HOOKS):
                words = filter(None, ("nft", *table, name))
                yield PacketFilter(
                    cite=self._text.cite(chain.at),
                    netns=self._text.netns,
                    family=table.family,
                    name=" ".join(words),
                )

    def _chain_row(self, chain: Chain) -> FilterChain:
        hooked: dict[str, Any] = {}
        whole = chain.whole
        if base := chain.base:
            whole = whole and base.hook in _HOOKS and base.priority is not None
            hooked["policy"] = base.policy if base.policy in _POLICIES else "accept"
            hooked["hook"] = base.hook if base.hook in _HOOKS else None
            hooked["kind"] = base.kind if base.kind in _KINDS else "filter"
            hooked["priority"], hooked["devices"] = base.priority, base.devices
        return FilterChain(
            cite=self._text.cite(chain.at),
            netns=self._text.netns,
            family=chain.table.family,
            table=chain.table.name,
            name=chain.name,
            whole=whole,
            **hooked,
        )

    def _set_row(self, found: Declared, changed: bool) -> FilterSet:
        elements: list[Element] = []
        data: list[Any] = []
        whole = found.whole and not changed and found.elements is not None
        try:
            pairs = list(_pairs(found))
            pairs.sort(key=is_any)
            elements, data = [key for key, _ in pairs], [right for _, right in pairs]
        except (Unknown, KeyError, TypeError, ValueError, AttributeError, RecursionError):
            whole = False
        verdicts = found.data == ("verdict",)
        return FilterSet(
            cite=self._text.cite(found.at),
            netns=self._text.netns,
            family=found.table.family,
            table=found.table.name,
            name=found.name,
            elements=tuple(elements),
            verdicts=tuple(data) if verdicts else (),
            values=tuple(data) if found.data is not None and not verdicts else (),
            whole=whole,
        )


def _pairs(found: Declared) -> Iterable[tuple[Element, Verdict | Element | None]]:
    """Elements with what they are mapped to."""
    kinds = [declared(name) for name in found.types]
    of_data = None if found.data is None else [declared(name) for name in found.data]
    for one in found.elements or ():
        if of_data is None:
            yield element(kinds, one), None
        else:
            left, right = one
            is_verdict = of_data == ["verdict"]
            yield element(kinds, left), verdict(right) if is_verdict else element(of_data, right)


def _packets(tree: dict[str, Any]) -> int | None:
    """What a counter has counted."""
    counter = tree.get("counter")
    packets = counter.get("packets") if isinstance(counter, dict) else None
    return packets if isinstance(packets, int) and 0 <= packets < 1 << 63 else None


def _updated(tree: dict[str, Any]) -> Iterator[str]:
    """The set that a statement adds to: what is not in it yet may be when a packet comes."""
    for word in ("set", "map"):
        inner = tree.get(word)
        if isinstance(inner, dict) and inner.get("op") != "delete":
            yield str(inner.get(word)).removeprefix("@")


def family(name: object) -> FilterFamily | None:
    """A family by its name."""
    return cast(FilterFamily, name) if name in FAMILIES else None
