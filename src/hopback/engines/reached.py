"""The rules of packet filters that frames can come to which some devices never see."""

from collections.abc import Hashable, Iterator

from hopback.datapath.model import Model
from hopback.datapath.netfilter.listings import Listed
from hopback.snapshot.rows import Choice, FilterFamily, FilterRule, Match, Verdict

_DEVICES = frozenset({"meta iifname", "meta oifname", "physdev in", "physdev out"})


def absent_ports(model: Model, host: str, netns: str) -> frozenset[str]:
    """The bridge ports that are listed there and that ``model`` has left out (``narrowed``)."""
    there = (b for id_, b in model.network.bridges.items() if id_[:2] == (host, netns))
    kept = {port for state in model.bridges.values() for port in state.ports}
    return frozenset(id_.name for bridge in there for id_ in bridge.ports if id_ not in kept)


def rules_reached(
    listed: Listed, absent: frozenset[str]
) -> Iterator[tuple[FilterFamily | None, tuple[Hashable, ...], FilterRule]]:
    """Family, table and rule: what base chains lead to, but what asks for an absent device alone.

    A verdict map is taken to lead to all the chains that some map of its table names.
    """
    mapped: dict[tuple[Hashable, ...], list[str]] = {}
    for row in listed.sets:
        table = (row.backend, row.family, row.table)
        mapped.setdefault(table, []).extend(v.chain for v in row.verdicts if v.chain)
    todo = [(c.backend, c.family, c.table, c.name) for c in listed.chains if c.hook]
    seen = set(todo)
    while todo:
        key = todo.pop()
        table = key[:3]
        for rule in listed.rules.get(key, ()):
            if any(_asks_for(step, absent) for step in rule.steps):
                continue
            yield rule.family, table, rule
            for name in _targets(rule, mapped.get(table, [])):
                following = (*table, name)
                if following not in seen:
                    seen.add(following)
                    todo.append(following)


def _asks_for(step: object, absent: frozenset[str]) -> bool:
    return (
        isinstance(step, Match)
        and step.op == "=="
        and not step.set
        and len(step.fields) == 1
        and step.fields[0].key in _DEVICES
        and bool(step.values)
        and all(value in absent for (value,) in step.values)
    )


def _targets(rule: FilterRule, mapped: list[str]) -> Iterator[str]:
    for step in rule.steps:
        if isinstance(step, Verdict) and step.chain:
            yield step.chain
        elif isinstance(step, Choice):
            yield from (verdict.chain for _, verdict in step.entries if verdict.chain)
            yield from mapped if step.map else ()
