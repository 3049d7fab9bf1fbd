"""Chains and rules, gathered while a listing is read, and the rows that come of them."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from hopback.snapshot.rows import FilterBackend, FilterChain, FilterFamily, FilterRule, Step
from hopback.sources.parse.base import Text
from hopback.sources.parse.xt.tables import base_of

Policy = Literal["accept", "drop", "return"]


class TableId(NamedTuple):
    """Which table of the host."""

    backend: FilterBackend
    family: FilterFamily
    name: str


class _Rule(NamedTuple):
    line: int
    steps: tuple[Step, ...]
    text: str
    packets: int | None


class Chain:
    """A chain. ``policy`` is None until a listing tells it; ``whole`` as in ``FilterChain``."""

    def __init__(self, table: TableId, name: str, index: int) -> None:
        self.table = table
        self.name = name
        self.index = index
        self.policy: Policy | None = None
        self.whole = True
        self.rules: list[_Rule] = []

    def add(
        self, index: int, steps: tuple[Step, ...], text: str, packets: int | None = None
    ) -> None:
        """The next rule of the chain."""
        self.rules.append(_Rule(index, steps, text, packets))

    def insert(self, place: int, index: int, steps: tuple[Step, ...], text: str) -> None:
        """A rule that becomes number ``place``, from 1."""
        self.rules.insert(max(place - 1, 0), _Rule(index, steps, text, None))


class Chains:
    """The chains of one listing, in the order in which they came."""

    def __init__(self) -> None:
        self._chains: dict[tuple[TableId, str], Chain] = {}

    def declare(self, index: int, table: TableId, name: str, policy: Policy | None) -> Chain:
        """A chain that a line says is there; one said twice is the first one."""
        chain = self._chains.setdefault((table, name), Chain(table, name, index))
        chain.policy = policy or chain.policy
        return chain

    def of_rule(self, index: int, table: TableId, name: str) -> Chain:
        """The chain of a rule; if nothing declared it, its other rules may be missing too."""
        known = self._chains.get((table, name))
        if known is None:
            known = self._chains[table, name] = Chain(table, name, index)
            known.whole = False
        return known

    def knows(self, table: TableId, name: str) -> bool:
        """Whether a line declared the chain, or had a rule of it."""
        return (table, name) in self._chains

    def cut(self, table: TableId | None = None) -> None:
        """Rules are missing: of ``table``, or anywhere."""
        for chain in self._chains.values():
            if table in (None, chain.table):
                chain.whole = False

    def rows(self, text: Text) -> Iterator[FilterChain | FilterRule]:
        """The rows of all chains and rules."""
        for chain in self._chains.values():
            yield _chain_row(chain, text)
            for place, rule in enumerate(chain.rules, 1):
                yield FilterRule(
                    cite=text.cite(rule.line),
                    netns=text.netns,
                    backend=chain.table.backend,
                    family=chain.table.family,
                    table=chain.table.name,
                    chain=chain.name,
                    place=place,
                    steps=rule.steps,
                    text=rule.text,
                    packets=rule.packets,
                )


def _chain_row(chain: Chain, text: Text) -> FilterChain:
    backend, family, table = chain.table
    base = base_of(backend, family, table, chain.name)
    otherwise: Policy = "accept" if base else "return"
    return FilterChain(
        cite=text.cite(chain.index),
        netns=text.netns,
        backend=backend,
        family=family,
        table=table,
        name=chain.name,
        kind=base.kind if base else "filter",
        hook=base.hook if base else None,
        priority=base.priority if base else None,
        policy=chain.policy or otherwise,
        whole=chain.whole and (chain.policy is not None or base is None),
    )
