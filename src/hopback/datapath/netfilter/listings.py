"""Which listing of a table to believe: ``nft list``, its JSON and iptables-save may tell of one."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import FilterChain, FilterRule, FilterSet, Opaque

Key = tuple[str, str | None, str, str]
_Table = tuple[str, str | None, str]


class Listed(Struct, frozen=True):
    """The rows to go by: each table from one listing, the rules by their chain in order."""

    chains: tuple[FilterChain, ...]
    rules: Mapping[Key, tuple[FilterRule, ...]]
    sets: tuple[FilterSet, ...]


def chosen(snapshot: Snapshot, netns: str) -> Listed:
    """Of each table of ``netns`` the listing that shows most, the later of equal ones.

    First counts that no chain lacks rules or its policy (``| grep``, ebtables-nft's ``-L``), then
    how many chains there are (``iptables -L FORWARD``), then how few steps are opaque: nft shows
    rules of iptables-nft and ebtables-nft only in part, and their own tools show all.
    """
    chains = [row for row in snapshot.filter_chains.rows if row.netns == netns]
    rules = [row for row in snapshot.filter_rules.rows if row.netns == netns]
    sets = [row for row in snapshot.filter_sets.rows if row.netns == netns]
    whole = {e.source for e in snapshot.filter_chains.extents if e.complete and e.netns == netns}
    best = _best(chains, rules, whole)
    for table in _twice(chains, rules, best):
        del best[table]
    kept = [row for row in rules if best.get(_table(row)) == row.cite.source]
    by_chain: dict[Key, list[FilterRule]] = {}
    for rule in sorted(kept, key=lambda rule: rule.place):
        by_chain.setdefault((*_table(rule), rule.chain), []).append(rule)
    return Listed(
        tuple(row for row in chains if best.get(_table(row)) == row.cite.source),
        {key: tuple(found) for key, found in by_chain.items()},
        tuple(
            _latest(
                row for row in sets if best.get(_table(row), row.cite.source) == row.cite.source
            )
        ),
    )


def _table(row: FilterChain | FilterRule | FilterSet) -> _Table:
    return row.backend, row.family, row.table


def _best(
    chains: Iterable[FilterChain], rules: Iterable[FilterRule], whole: set[int]
) -> dict[_Table, int]:
    """The source to take each table from."""
    opaque: dict[tuple[_Table, int], int] = {}
    for rule in rules:
        at = (_table(rule), rule.cite.source)
        opaque[at] = opaque.get(at, 0) + sum(isinstance(step, Opaque) for step in rule.steps)
    listed: dict[_Table, dict[int, list[FilterChain]]] = {}
    for row in chains:
        listed.setdefault(_table(row), {}).setdefault(row.cite.source, []).append(row)
    best: dict[_Table, int] = {}
    for table, sources in listed.items():
        ranks = {
            source: (
                not all(row.whole for row in own),
                -len(own),
                opaque.get((table, source), 0),
                source not in whole,
                -source,
            )
            for source, own in sources.items()
        }
        best[table] = min(ranks, key=ranks.__getitem__)
    return best


def _twice(
    chains: Iterable[FilterChain], rules: Iterable[FilterRule], best: Mapping[_Table, int]
) -> Iterator[_Table]:
    """Tables of x_tables that nft lists too, being its own: then their chains are as long.

    iptables-save does not always say which of the two it was.
    """
    shapes: dict[_Table, dict[str, int]] = {}
    for row in chains:
        if best[_table(row)] == row.cite.source:
            shapes.setdefault(_table(row), {})[row.name] = 0
    for rule in rules:
        shape = shapes.get(_table(rule), {})
        if rule.chain in shape and best[_table(rule)] == rule.cite.source:
            shape[rule.chain] += 1
    opaque = {
        _table(rule)
        for rule in rules
        if best.get(_table(rule)) == rule.cite.source
        and any(isinstance(step, Opaque) for step in rule.steps)
    }
    for table, shape in shapes.items():
        other: _Table = ("nft", *table[1:])
        if table[0] == "legacy" and shapes.get(other) == shape:
            yield other if other in opaque else table


def _latest(rows: Iterable[FilterSet]) -> Iterable[FilterSet]:
    """The last row of each set: one of ipset may be listed twice."""
    return {(_table(row), row.name): row for row in rows}.values()
