"""The filters of a host by name, what they refer to, and who uses them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct

from hopback.frames.mac import format_mac
from hopback.network.nwfilter.variables import Variables, variables_of
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import GuestNic, NwBinding, NwFilter, NwReference, NwRule

_INSTANCES_MAX = 10_000
_DEPTH_MAX = 32

# virNWFilterChainSuffix and chain_priorities (src/conf/nwfilter_conf.c)
CHAIN_PRIORITIES = MappingProxyType(
    {
        "root": 0,
        "stp": -810,
        "mac": -800,
        "vlan": -750,
        "ipv4": -700,
        "ipv6": -600,
        "arp": -500,
        "rarp": -400,
    }
)
"""The priority of a chain that states none, by what its name begins with."""

_RULE_PRIORITY = 500


class Filters(Struct, frozen=True):
    """All filters by name, each with its rules and references in order."""

    filters: Mapping[str, NwFilter]
    entries: Mapping[str, tuple[NwRule | NwReference, ...]]


class Instance(NamedTuple):
    """A rule as one interface gets it: its filter, and what its variables stand for."""

    rule: NwRule
    filter: NwFilter
    variables: Variables

    @property
    def priority(self) -> int:
        """The rule's, 500 if it states none."""
        return _RULE_PRIORITY if self.rule.priority is None else self.rule.priority

    @property
    def chain_priority(self) -> int:
        """That of the chain which the rule goes to."""
        if self.filter.priority is not None:
            return self.filter.priority
        return CHAIN_PRIORITIES.get(chain_kind(self.filter.chain) or "", 0)


def chain_kind(chain: str) -> str | None:
    """``ipv4`` of ``ipv4-ip``; None for a name that libvirt would refuse."""
    return next((kind for kind in CHAIN_PRIORITIES if chain.startswith(kind)), None)


def filters_of(snapshot: Snapshot) -> Filters:
    """What is known of each filter; of two listings of one the later whole one is taken."""
    found: dict[str, NwFilter] = {}
    for row in snapshot.nw_filters.rows:
        if row.whole or row.name not in found or not found[row.name].whole:
            found[row.name] = row
    entries: dict[str, list[NwRule | NwReference]] = {}
    listed: list[NwRule | NwReference] = [*snapshot.nw_rules.rows, *snapshot.nw_references.rows]
    for entry in listed:
        own = found.get(entry.filter)
        if own is not None and own.cite.source == entry.cite.source:
            entries.setdefault(entry.filter, []).append(entry)
    ordered = {name: tuple(sorted(e, key=lambda x: x.place)) for name, e in entries.items()}
    return Filters(MappingProxyType(found), MappingProxyType(ordered))


def bindings_of(snapshot: Snapshot) -> tuple[NwBinding, ...]:
    """The interfaces that filters are bound to, from libvirt's bindings or else its guests.

    One row for each tap: that which tells the parameters, and of those the last.
    """
    guests = (_of_guest(nic) for nic in snapshot.guest_nics.rows if nic.target and nic.filter)
    found: dict[tuple[str, str], NwBinding] = {}
    for row in (*guests, *snapshot.nw_bindings.rows):
        at = row.netns, row.device
        if row.parameters is not None or at not in found:
            found[at] = row
    return tuple(found.values())


def _of_guest(nic: GuestNic) -> NwBinding:
    return NwBinding(
        cite=nic.cite,
        netns=nic.netns,
        device=nic.target or "",
        filter=nic.filter or "",
        guest=nic.guest,
        mac=nic.mac,
        parameters=nic.parameters or (),
    )


def inert(filters: Filters, nics: Iterable[GuestNic | NwBinding]) -> tuple[NwFilter, ...]:
    """Filters that are defined and do nothing: no interface refers to them, nor does one in use.

    None is named where that cannot be told: an interface whose filter was not shown, a filter in
    use whose references were not.
    """
    names = [nic.filter for nic in nics]
    used, open_ = _reached(filters, [name for name in names if name])
    if open_ or None in names:
        return ()
    return tuple(row for name, row in filters.filters.items() if name not in used)


def _reached(filters: Filters, names: Sequence[str]) -> tuple[set[str], bool]:
    """The filters that those refer to, themselves included; and whether one was not shown."""
    used: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in used:
            used.add(name)
            entries = filters.entries.get(name, ())
            left += (entry.target for entry in entries if isinstance(entry, NwReference))
    return used, any(not _is_whole(filters, name) for name in used)


def _is_whole(filters: Filters, name: str) -> bool:
    return name in filters.filters and filters.filters[name].whole


def unseen(filters: Filters, binding: NwBinding) -> tuple[str, ...]:
    """The filters of a binding that were not shown, or not whole."""
    used, _ = _reached(filters, [binding.filter])
    return tuple(sorted(name for name in used if not _is_whole(filters, name)))


def instances(filters: Filters, binding: NwBinding, learned: Variables) -> tuple[Instance, ...]:
    """The rules of a binding, references followed depth first (virNWFilterInclude…ToRuleInst).

    ``learned``: variables that the binding does not state, such as the guest's addresses.
    """
    own = variables_of(binding.parameters or ())
    mac = {} if binding.mac is None else {"MAC": (format_mac(binding.mac),)}
    known: Variables = {**learned, **mac, **own}
    found = _walk(filters, binding.filter, known, ())
    return tuple(instance for instance, _ in zip(found, range(_INSTANCES_MAX), strict=False))


def _walk(
    filters: Filters, name: str, variables: Variables, above: tuple[str, ...]
) -> Iterator[Instance]:
    row = filters.filters.get(name)
    if row is None or name in above or len(above) >= _DEPTH_MAX:
        return
    for entry in filters.entries.get(name, ()):
        if isinstance(entry, NwRule):
            yield Instance(entry, row, variables)
        else:
            inner = {**variables_of(entry.parameters), **variables}  # the outer ones win
            yield from _walk(filters, entry.target, inner, (*above, name))
