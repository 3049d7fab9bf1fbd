"""The packet filters of a namespace: which chains a hook calls, in which order, and their sets."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_interface
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.netfilter.addresses import Addresses, Own
from hopback.datapath.netfilter.known import connections_of
from hopback.datapath.netfilter.listings import Listed, chosen
from hopback.datapath.netfilter.packet import ChainFamily
from hopback.datapath.skb import Connection, Tuple
from hopback.network.facts import DevId, Ref
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import (
    Choice,
    Element,
    FilterBackend,
    FilterChain,
    FilterFamily,
    FilterRule,
    FilterSet,
    Hook,
    Mangle,
    Match,
    Nat,
    Opaque,
    Span,
    Step,
)

_LEGACY_IP = {"raw": -300, "mangle": -150, "filter": 0, "security": 50}
_LEGACY_NAT = {"prerouting": -100, "output": -100, "input": 100, "postrouting": 100}
_LEGACY_BRIDGE = {
    ("nat", "prerouting"): -300,
    ("nat", "output"): 100,
    ("nat", "postrouting"): 300,
    ("filter", "input"): -200,
    ("filter", "forward"): -200,
    ("filter", "output"): 200,
}
"""include/uapi/linux/netfilter_bridge.h:nf_br_hook_priorities, netfilter_ipv4.h."""


class Key(NamedTuple):
    """What names a chain or a set."""

    backend: FilterBackend
    family: FilterFamily | None
    table: str
    name: str


Place = tuple[int, int]


class Chain(Struct, frozen=True):
    """A chain with its rules; ``text`` names it for people.

    ``place`` is ``(priority, -number)``, its number being that among all chains in the order in
    which they were made: of chains of one priority the last made is called first
    (net/netfilter/core.c:nf_hook_entries_grow).
    """

    row: FilterChain
    rules: tuple[FilterRule, ...]
    place: Place
    ref: Ref

    @property
    def text(self) -> str:
        """Family, table and name."""
        return f"{self.row.family} {self.row.table} {self.row.name}"


class Lookup(Struct, frozen=True):
    """A set or map: its single elements by value, and those with ranges in order."""

    row: FilterSet
    exact: Mapping[Element, int]
    ranged: tuple[tuple[Element, int], ...]
    ref: Ref


class Unseen(Struct, frozen=True):
    """A filter of which no more is known than that it is there. ``devices`` None: it hits any."""

    family: str
    devices: tuple[str, ...] | None
    what: str
    ref: Ref


class Ruleset(Struct, frozen=True):
    """The packet filters of the namespace ``where`` (a device without a name).

    ``hooks``: the base chains that each hook calls, in the kernel's order. ``tracked``: the
    families whose packets get connections, since some rule asks for them. ``natted``: those with
    NAT, and the number of the chain that brought it.
    """

    where: DevId
    hooks: Mapping[tuple[ChainFamily, Hook], tuple[Chain, ...]] = MappingProxyType({})
    chains: Mapping[Key, Chain] = MappingProxyType({})
    sets: Mapping[Key, Lookup] = MappingProxyType({})
    unseen: tuple[Unseen, ...] = ()
    tracked: frozenset[ChainFamily] = frozenset()
    natted: Mapping[ChainFamily, int] = MappingProxyType({})
    connections: Mapping[Tuple, Connection] = MappingProxyType({})
    addresses: Addresses = Addresses()

    def knowing(self, connection: Connection) -> "Ruleset":
        """The same after ``connection`` was entered into the table (nf_conntrack_confirm)."""
        before = self.connections.get(connection.original)
        old = () if before is None else (before.original, before.reply)
        kept = {key: value for key, value in self.connections.items() if key not in old}
        kept |= {connection.original: connection, connection.reply: connection}
        return replace(self, connections=MappingProxyType(kept))


def rulesets_of(snapshot: Snapshot) -> Mapping[str, Ruleset]:
    """The filters of each namespace in which any were seen, by its name."""
    tables = (snapshot.filter_chains, snapshot.filters, snapshot.connections)
    spaces = dict.fromkeys(row.netns for table in tables for row in table.rows)
    return MappingProxyType(
        {netns: ruleset_of(snapshot, netns, chosen(snapshot, netns)) for netns in spaces}
    )


def ruleset_of(snapshot: Snapshot, netns: str, listed: Listed) -> Ruleset:
    """The filters of ``netns`` if they are just those ``listed``."""
    chains = {
        _key(row): _chain(snapshot.host, row, listed, number)
        for number, row in enumerate(listed.chains)
    }
    hooks: dict[tuple[ChainFamily, Hook], list[Chain]] = {}
    for chain in chains.values():
        for at in _places(chain.row):
            hooks.setdefault(at, []).append(chain)
    rows = [(row, rule) for row in listed.chains for rule in listed.rules.get(_key(row), ())]
    return Ruleset(
        where=DevId(snapshot.host, netns, ""),
        hooks=MappingProxyType(
            {at: tuple(sorted(found, key=lambda c: c.place)) for at, found in hooks.items()}
        ),
        chains=MappingProxyType(chains),
        sets=MappingProxyType(
            {_key(row): _lookup(row, Ref(snapshot.host, row.cite)) for row in listed.sets}
        ),
        unseen=tuple(_unseen(snapshot, netns, listed)),
        tracked=frozenset(
            family
            for row, rule in rows
            if any(map(_asks_for_connection, rule.steps))
            for family in _families(row)
        ),
        natted=MappingProxyType(_natted(chains.values())),
        connections=connections_of(snapshot, netns),
        addresses=_addresses(snapshot, netns),
    )


def _key(row: FilterChain | FilterSet) -> Key:
    return Key(row.backend, row.family, row.table, row.name)


def _families(row: FilterChain) -> tuple[ChainFamily, ...]:
    if row.family == "inet":
        return ("ip", "ip6")
    return (row.family,)


def _places(row: FilterChain) -> Iterator[tuple[ChainFamily, Hook]]:
    """The hooks that call the chain; ingress of inet is that of netdev, for IP packets."""
    if row.hook is None:
        return
    if row.family == "inet" and row.hook == "ingress":
        yield "netdev", "ingress"
        return
    for family in _families(row):
        yield family, row.hook


def _chain(host: str, row: FilterChain, listed: Listed, number: int) -> Chain:
    rules = listed.rules.get(_key(row), ())
    return Chain(row, rules, (priority_of(row), -number), Ref(host, row.cite))


def _natted(chains: Iterable[Chain]) -> dict[ChainFamily, int]:
    """The first chain of NAT brings it to a family (nf_nat_core.c:nf_nat_register_fn)."""
    found: dict[ChainFamily, int] = {}
    for chain in chains:
        if chain.row.kind == "nat":
            for family in _families(chain.row):
                found.setdefault(family, -chain.place[1])
    return found


def priority_of(row: FilterChain) -> int:
    if row.priority is not None:
        return row.priority
    if row.family == "bridge":
        return _LEGACY_BRIDGE.get((row.table, row.hook or ""), 0)
    if row.table == "nat":
        return _LEGACY_NAT.get(row.hook or "", 0)
    return _LEGACY_IP.get(row.table, 0)


def _lookup(row: FilterSet, ref: Ref) -> Lookup:
    numbered = [(element, number) for number, element in enumerate(row.elements)]
    ranged = sorted(
        ((e, number) for e, number in numbered if any(map(_is_range, e))),
        key=lambda entry: "*" in entry[0],
    )
    exact = {e: number for e, number in reversed(numbered) if not any(map(_is_range, e))}
    return Lookup(row, MappingProxyType(exact), tuple(ranged), ref)


def _is_range(value: int | str | Span) -> bool:
    return isinstance(value, Span) or (isinstance(value, str) and value.endswith("*"))


def _asks_for_connection(step: Step) -> bool:
    """Whether it makes the kernel follow connections (nf_ct_netns_get).

    A chain of NAT alone does not; what was not understood may.
    """
    match step:
        case Match(fields=fields) | Choice(fields=fields):
            return any(field.key.startswith("ct ") for field in fields)
        case Mangle(key=key, source=source):
            return key.startswith("ct ") or source.startswith("ct ")
        case _:
            return isinstance(step, Nat | Opaque)


def _unseen(snapshot: Snapshot, netns: str, listed: Listed) -> Iterator[Unseen]:
    """Filters that were noticed, and are none of the chains that were read."""
    read = {(row.family, row.table, row.name) for row in listed.chains}
    for row in snapshot.filters.rows:
        table, _, name = row.name.rpartition(" ")
        known = (row.family, table.rpartition(" ")[2], name) in read
        if row.netns == netns and not known:
            ref = Ref(snapshot.host, row.cite)
            yield Unseen(row.family, row.devices, f"packet filter {row.name}", ref)


def _addresses(snapshot: Snapshot, netns: str) -> Addresses:
    found: dict[str, list[Own]] = {}
    for row in snapshot.addresses.rows:
        if row.netns != netns:
            continue
        with suppress(ValueError):  # a row keeps what was listed as text
            at = ip_interface(f"{row.address}/{row.prefix_len}")
            odd = {"secondary", "tentative", "dadfailed", "deprecated"} & set(row.flags)
            usable = row.scope in (None, "global") and not odd
            own = Own(at, usable, (Ref(snapshot.host, row.cite),))
            found.setdefault(row.dev, []).append(own)
    by_device = {name: tuple(each) for name, each in found.items()}
    return Addresses(MappingProxyType(by_device), snapshot.addresses.complete(netns))
