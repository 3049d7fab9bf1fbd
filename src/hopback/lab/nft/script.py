"""Tables of packet filters as the commands that make them (``nft -f``), one on a line.

What another tool made is loaded as nft's own. So are its ways: legacy ebtables goes on at a RETURN
in a base chain, and its other chains accept or drop at their end (net/bridge/netfilter/ebtables.c).
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hopback.datapath.netfilter.listings import Key, Listed
from hopback.datapath.netfilter.ruleset import priority_of
from hopback.lab.nft.rules import Never, Where, statements
from hopback.lab.nft.words import Unsayable, value
from hopback.snapshot.rows import FilterChain, FilterRule, FilterSet, Step, Verdict

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9/._-]*")


class Unsaid(NamedTuple):
    """A row that cannot be loaded, and why."""

    row: FilterChain | FilterRule
    why: str


class Script(NamedTuple):
    """The commands, and the rows that are not in them."""

    lines: tuple[str, ...]
    unsaid: tuple[Unsaid, ...]


def script(listed: Listed) -> Script:
    """The commands that make all that is ``listed``, in a namespace that has no tables yet."""
    lines: list[str] = []
    unsaid: list[Unsaid] = []
    tables = dict.fromkeys((row.backend, row.family, row.table) for row in listed.chains)
    names = _Names(listed)
    for table in tables:
        lines.append(f"add table {names.table(table)}")
        chains = [row for row in listed.chains if (row.backend, row.family, row.table) == table]
        for chain in chains:
            try:
                lines.append(f"add chain {names.chain(chain)}{_hooked(chain)}")
            except Unsayable as problem:
                unsaid.append(Unsaid(chain, str(problem)))
        gone = {id(one.row) for one in unsaid}
        for chain in (row for row in chains if id(row) not in gone):
            lines += _rules(listed, chain, names, unsaid)
    return Script(tuple(lines), tuple(unsaid))


class _Names:
    """What tables and chains are called: nft has fewer letters than iptables."""

    def __init__(self, listed: Listed) -> None:
        every = (row.name for row in listed.chains)
        self._chains = {n: _fitting(n, f"chain{i}") for i, n in enumerate(dict.fromkeys(every))}
        self._sets: dict[tuple[str, str | None, str], dict[str, FilterSet]] = {}
        for row in listed.sets:
            self._sets.setdefault((row.backend, row.family, row.table), {})[row.name] = row

    def table(self, table: tuple[str, str, str]) -> str:
        backend, family, name = table
        return f"{family} {'legacy-' if backend == 'legacy' else ''}{_fitting(name, 'unnamed')}"

    def chain(self, row: FilterChain) -> str:
        return f"{self.table((row.backend, row.family, row.table))} {self._chains[row.name]}"

    def where(self, row: FilterChain) -> Where:
        sets = self._sets.get((row.backend, row.family, row.table), {})
        return Where(row.family, sets, self._chains)


def _fitting(name: str, otherwise: str) -> str:
    return name if _NAME.fullmatch(name) else otherwise


def _hooked(row: FilterChain) -> str:
    if row.hook is None:
        return ""
    if row.hook == "brouting":
        raise Unsayable("the broute table")
    if not row.whole:
        raise Unsayable("not all of its rules were listed")
    devices = ""
    if row.family == "netdev" or row.hook in ("ingress", "egress"):
        if not row.devices:
            raise Unsayable("no listing of its devices")
        devices = f" devices = {{ {', '.join(value('meta iifname', d) for d in row.devices)} }}"
    policy = "drop" if row.policy == "drop" else "accept"
    how = f"type {row.kind} hook {row.hook}{devices} priority {priority_of(row)}"
    return f" {{ {how}; policy {policy}; }}"


def _rules(
    listed: Listed, chain: FilterChain, names: _Names, unsaid: list[Unsaid]
) -> Iterator[str]:
    key: Key = (chain.backend, chain.family, chain.table, chain.name)
    if not chain.whole and chain.hook is None:
        unsaid.append(Unsaid(chain, "not all of its rules were listed"))
    where = names.where(chain)
    for rule in listed.rules.get(key, ()):
        try:
            words = statements(_as_nft(chain, rule.steps), where)
        except Unsayable as problem:
            unsaid.append(Unsaid(rule, str(problem)))
        except Never:
            continue
        else:
            if words:
                yield f"add rule {names.chain(chain)} {words}"
    if chain.hook is None and chain.policy != "return":
        yield f"add rule {names.chain(chain)} {chain.policy}"


def _as_nft(chain: FilterChain, steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps, where nft takes them for the same."""
    goes_on = chain.backend == "legacy" and chain.family == "bridge" and chain.hook is not None
    if goes_on and steps and steps[-1] == Verdict("return"):
        steps = steps[:-1]
    return tuple(steps)
