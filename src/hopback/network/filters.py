"""Packet filters that are known to be there, whether or not anybody evaluates them."""

from collections.abc import Iterator
from typing import NamedTuple

from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Choice, Field, FilterRule, Match, PacketFilter
from hopback.snapshot.table import Cite

_DEVICE_FIELDS = frozenset(
    {"meta iif", "meta oif", "meta iifname", "meta oifname", "physdev in", "physdev out"}
)


class Hooked(NamedTuple):
    """A base chain that does anything; ``devices`` None if it may touch any device's frames."""

    name: str
    netns: str
    family: str
    devices: frozenset[str] | None
    cite: Cite


def hooked(snapshot: Snapshot) -> Iterator[Hooked]:
    """The base chains that are not empty or do not accept, in the order of the rows."""
    for row in snapshot.filters.rows:
        yield _noticed(row)
    rules: dict[tuple[object, ...], list[FilterRule]] = {}
    for rule in snapshot.filter_rules.rows:
        key = (rule.cite.source, rule.netns, rule.backend, rule.family, rule.table, rule.chain)
        rules.setdefault(key, []).append(rule)
    for chain in snapshot.filter_chains.rows:
        at = (chain.netns, chain.backend, chain.family, chain.table, chain.name)
        own = rules.get((chain.cite.source, *at), [])
        if chain.hook is None or (chain.policy == "accept" and chain.whole and not own):
            continue
        anywhere = chain.policy != "accept" or not chain.whole
        devices = None if anywhere else _devices(own)
        if chain.devices is not None:
            devices = frozenset(chain.devices)
        name = f"{chain.backend} {chain.family} {chain.table} {chain.name}"
        yield Hooked(name, chain.netns, chain.family, devices, chain.cite)


def _noticed(row: PacketFilter) -> Hooked:
    devices = None if row.devices is None else frozenset(row.devices)
    return Hooked(row.name, row.netns, row.family, devices, row.cite)


def _devices(rules: list[FilterRule]) -> frozenset[str] | None:
    """The devices that the rules name; None if one of them names none, or many at once."""
    found: set[str] = set()
    for rule in rules:
        named = {name for step in rule.steps for name in _named(step)}
        if not named or any(name == "" or name.endswith("*") for name in named):
            return None
        found |= named
    return frozenset(found)


def _named(step: object) -> Iterator[str]:
    """The devices that a match is true for, or that a verdict map knows."""
    if isinstance(step, Match) and step.op == "==" and _is_device(step.fields):
        yield from (str(element[0]) for element in step.values)
    elif isinstance(step, Choice) and _is_device(step.fields):
        yield from (str(element[0]) for element, _ in step.entries)


def _is_device(fields: tuple[Field, ...]) -> bool:
    return len(fields) == 1 and fields[0].key in _DEVICE_FIELDS
