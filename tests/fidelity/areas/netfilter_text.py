"""Rulesets as text that nft takes, and smaller ones."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from hopback.lab.netns.namespace import Namespace
from tests.fidelity.shrink import changed_at, fewer
from tests.kernel.nftables import Nftables, NftError


@dataclass(frozen=True)
class ChainText:
    """A chain; ``head`` hooks it in. Its rules are a line each."""

    name: str
    head: str = ""
    rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableText:
    """A table; ``objects`` are its sets and maps, by name."""

    family: str
    name: str
    objects: tuple[tuple[str, str], ...] = ()
    chains: tuple[ChainText, ...] = ()


Tables = tuple[TableText, ...]


def printed(tables: Tables) -> str:
    """What nft is given."""
    lines: list[str] = []
    for table in tables:
        lines.append(f"table {table.family} {table.name} {{")
        lines += [f"{kind_name} {{\n{body}\n}}" for kind_name, body in table.objects]
        for chain in table.chains:  # a jump needs a chain that is there
            lines.append(f"chain {chain.name} {{\n{chain.head}\n}}")
        lines += [f"chain {c.name} {{\n" + "\n".join(c.rules) + "\n}" for c in table.chains]
        lines.append("}")
    return "\n".join(lines) + "\n"


@cache
def _scratch() -> Nftables:
    """A namespace of its own to ask nft in, for as long as the process lives."""
    return Nftables(Namespace.anonymous())


@lru_cache(maxsize=4)
def listed(ruleset: str) -> str:
    """How nft lists a ruleset as JSON."""
    _scratch().load(ruleset)
    return _scratch().listing()


def accepted(tables: Tables) -> Tables:
    """The tables without the rules that nft refuses: not all that can be said makes sense."""
    if _is_accepted(tables):
        return tables
    kept: Tables = tuple(
        replace(table, chains=tuple(replace(chain, rules=()) for chain in table.chains))
        for table in tables
    )
    for at, table in enumerate(tables):
        for index, chain in enumerate(table.chains):
            for rule in chain.rules:
                before = kept[at].chains[index]
                after = replace(before, rules=(*before.rules, rule))
                chains = changed_at(kept[at].chains, index, after)
                longer = changed_at(kept, at, replace(kept[at], chains=chains))
                kept = longer if _is_accepted(longer) else kept
    return kept


def _is_accepted(tables: Tables) -> bool:
    try:
        listed(printed(tables))
    except NftError:
        return False
    return True


def smaller_tables(tables: Tables) -> Iterator[Tables]:
    """Fewer tables, chains and rules, of those that nft takes."""
    yield from filter(_is_accepted, _smaller(tables))


def _smaller(tables: Tables) -> Iterator[Tables]:
    yield from fewer(tables)
    for at, table in enumerate(tables):
        for chains in fewer(table.chains):
            yield changed_at(tables, at, replace(table, chains=chains))
        for index, chain in enumerate(table.chains):
            for rules in fewer(chain.rules):
                chains = changed_at(table.chains, index, replace(chain, rules=rules))
                yield changed_at(tables, at, replace(table, chains=chains))
            for number, rule in enumerate(chain.rules):
                for words in _shorter(rule):
                    rules = changed_at(chain.rules, number, words)
                    chains = changed_at(table.chains, index, replace(chain, rules=rules))
                    yield changed_at(tables, at, replace(table, chains=chains))
        kept = tuple(o for o in table.objects if f"@{o[0].split()[1]} " in _rules(table))
        if kept != table.objects:
            yield changed_at(tables, at, replace(table, objects=kept))


def _shorter(rule: str) -> Iterator[str]:
    """Without one of its parts, which two blanks divide."""
    parts = tuple(rule.split("  "))
    for kept in fewer(parts):
        if len(kept) == len(parts) - 1 and kept:
            yield "  ".join(kept)


def _rules(table: TableText) -> str:
    return " ".join(rule for chain in table.chains for rule in chain.rules) + " "
