"""The chains and rules that libvirt makes for the interfaces which filters are bound to.

``ebiptablesApplyNewRules``: rules for ebtables go to the table nat, into a chain for each direction
and interface, and from there into a chain for each kind of packet.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, count
from typing import Literal

from msgspec import Struct

from hopback.network.nwfilter.ethernet import ETHERNET, ethernet_steps
from hopback.network.nwfilter.filters import Filters, Instance, chain_kind, instances, unseen
from hopback.network.nwfilter.routed import ROUTED, family_of, routed_steps
from hopback.network.nwfilter.variables import Variables, combinations, missing
from hopback.snapshot.rows import (
    Field,
    FilterBackend,
    FilterChain,
    FilterFamily,
    FilterRule,
    Hook,
    Match,
    NwBinding,
    Opaque,
    Step,
    Verdict,
)
from hopback.snapshot.table import Cite

Side = Literal["I", "O"]

_STP_GROUP = 0x0180_C200_0000
_TYPES = {"ipv4": 0x0800, "ipv6": 0x86DD, "arp": 0x0806, "rarp": 0x8035, "vlan": 0x8100}
_DIRECTIONS: dict[Side, tuple[str, ...]] = {"I": ("out", "inout"), "O": ("in", "inout")}
_BASES: dict[Side, tuple[str, Hook, int, str]] = {
    "I": ("PREROUTING", "prerouting", -300, "meta iifname"),
    "O": ("POSTROUTING", "postrouting", 300, "meta oifname"),
}
_SHARED = ("libvirt-in", "libvirt-out", "libvirt-in-post", "libvirt-host-in")


class Installed(Struct, frozen=True):
    """What there has to be, as rows that cite the rules of the filters.

    ``missing``: filters that are referred to and were not shown; their rules are not among these.
    ``unknown``: variables that nothing states. $IP is then learned from the guest's traffic, and
    the steps that ask for it are unsure; without any other libvirt starts no guest.
    """

    chains: tuple[FilterChain, ...]
    rules: tuple[FilterRule, ...]
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def installed(
    filters: Filters,
    *bindings: NwBinding,
    learned: Variables | None = None,
    backend: FilterBackend = "nft",
) -> Installed:
    """What libvirt makes for ``bindings``, in a host that has no other rules.

    ``learned``: values of variables that no binding states. Chains end with accept, with ebtables
    of both backends (measured for ebtables-nft 1.8.9: a chain of the user's ends with that rule).
    """
    maker = _Maker(backend)
    absent: dict[str, None] = {}
    unknown: dict[str, None] = {}
    for binding in bindings:
        found = instances(filters, binding, learned or {})
        absent |= dict.fromkeys(unseen(filters, binding))
        unknown |= dict.fromkeys(
            name for one in found for name in missing(one.rule.items, one.variables)
        )
        maker.add(binding, found)
    return Installed(*maker.rows(), tuple(absent), tuple(unknown))


class _Maker:
    """Chains and rules in the making; places are given at the end."""

    def __init__(self, backend: FilterBackend) -> None:
        self._backend = backend
        self._chains: dict[tuple[FilterFamily, str], FilterChain] = {}
        self._rules: dict[tuple[FilterFamily, str], list[tuple[Cite, tuple[Step, ...]]]] = {}

    def rows(self) -> tuple[tuple[FilterChain, ...], tuple[FilterRule, ...]]:
        """All chains, and all rules with their places."""
        rules = (
            FilterRule(
                cite=cite,
                netns=row.netns,
                backend=self._backend,
                family=family,
                table=row.table,
                chain=name,
                place=place,
                steps=steps,
                text=f"{row.table} {name} {place}",
            )
            for (family, name), row in self._chains.items()
            for place, (cite, steps) in zip(count(1), self._rules.get((family, name), ()))
        )
        return tuple(self._chains.values()), tuple(rules)

    def add(self, binding: NwBinding, found: Iterable[Instance]) -> None:
        """Add what one interface gets."""
        ordered = sorted(found, key=lambda one: (one.filter.chain != "root", one.priority))
        ethernet = [one for one in ordered if one.rule.protocol in ETHERNET]
        sides: tuple[Side, ...] = ("I", "O")
        for side in sides:
            own = [one for one in ethernet if one.rule.direction in _DIRECTIONS[side]]
            if own:
                self._ethernet(binding, side, own)
        for family in ("ip", "ip6"):
            routed = [
                one
                for one in ordered
                if one.rule.protocol in ROUTED and family_of(one.rule.protocol) == family
            ]
            if routed:
                self._routed(binding, family, routed)

    def _chain(self, binding: NwBinding, family: FilterFamily, name: str) -> None:
        """A chain of libvirt's own."""
        bridged = family == "bridge"
        row = FilterChain(
            cite=binding.cite,
            netns=binding.netns,
            backend=self._backend,
            family=family,
            table="nat" if bridged else "filter",
            name=name,
            policy="accept" if bridged else "return",
        )
        self._chains.setdefault((family, name), row)

    def _base(
        self, binding: NwBinding, family: FilterFamily, name: str, hook: Hook, priority: int
    ) -> None:
        row = FilterChain(
            cite=binding.cite,
            netns=binding.netns,
            backend=self._backend,
            family=family,
            table="nat" if family == "bridge" else "filter",
            name=name,
            hook=hook,
            priority=priority,
            policy="accept",
        )
        self._chains.setdefault((family, name), row)

    def _rule(self, family: FilterFamily, chain_name: str, cite: Cite, *steps: Step) -> None:
        self._rules.setdefault((family, chain_name), []).append((cite, steps))

    def _ethernet(self, binding: NwBinding, side: Side, own: list[Instance]) -> None:
        """One direction: rules and the jumps to chains by priority, all rules of root first."""
        base, hook, priority, field = _BASES[side]
        root = f"libvirt-{side}-{binding.device}"
        self._base(binding, "bridge", base, hook, priority)
        self._rule("bridge", base, binding.cite, _is(field, binding.device), _jump(root))
        self._chain(binding, "bridge", root)
        waiting = sorted(_chains_of(own), key=lambda one: one.chain_priority)
        for one in own:
            outer = one.filter.chain == "root"
            at = one.priority if outer else max(one.priority, one.chain_priority)
            while waiting and waiting[0].chain_priority <= at:
                self._subchain(binding, side, waiting.pop(0))
            name = root if outer else f"{side}-{binding.device}-{one.filter.chain}"
            for items in combinations(one.rule.items, one.variables):
                reverse = side == "I" and one.rule.direction == "inout"
                rule = one.rule
                steps = ethernet_steps(rule.protocol, items, rule.action, reverse)
                self._rule("bridge", name, rule.cite, *steps)
        for left in waiting:
            self._subchain(binding, side, left)

    def _subchain(self, binding: NwBinding, side: Side, one: Instance) -> None:
        """A chain for a kind of packets, and the jump to it (``ebtablesCreateTmpSubChainFW``)."""
        name = f"{side}-{binding.device}-{one.filter.chain}"
        self._chain(binding, "bridge", name)
        kind = chain_kind(one.filter.chain) or ""
        matches: tuple[Step, ...] = (Opaque(f"chain {one.filter.chain}"),)
        if kind == "mac":
            matches = ()
        elif kind == "stp":
            matches = (_is("ether daddr", _STP_GROUP),)
        elif kind in _TYPES:
            matches = (_is("ether type", _TYPES[kind]),)
        root = f"libvirt-{side}-{binding.device}"
        self._rule("bridge", root, one.filter.cite, *matches, _jump(name))

    def _routed(self, binding: NwBinding, family: FilterFamily, own: list[Instance]) -> None:
        device, cite = binding.device, binding.cite
        fresh = (family, "libvirt-in") not in self._chains
        self._base(binding, family, "FORWARD", "forward", 0)
        self._base(binding, family, "INPUT", "input", 0)
        for name in _SHARED:
            self._chain(binding, family, name)
            if fresh:
                hooked = "INPUT" if name == "libvirt-host-in" else "FORWARD"
                self._rule(family, hooked, cite, _jump(name))
        came, goes = _is("physdev in", device), _is("physdev out", device)
        bridged = Match((Field("physdev out"),), (("",),), "!=")
        self._rule(family, "libvirt-out", cite, goes, bridged, Verdict("goto", f"FO-{device}"))
        self._rule(family, "libvirt-in", cite, came, Verdict("goto", f"FI-{device}"))
        self._rule(family, "libvirt-host-in", cite, came, Verdict("goto", f"HI-{device}"))
        self._rule(family, "libvirt-in-post", cite, came, Verdict("accept"))
        for prefix in ("FI", "FO", "HI"):
            self._chain(binding, family, f"{prefix}-{device}")
        for one in own:
            for items in combinations(one.rule.items, one.variables):
                for prefix, steps in routed_steps(one.rule, items):
                    self._rule(family, f"{prefix}-{device}", one.rule.cite, *steps)


def _chains_of(own: Iterable[Instance]) -> Iterator[Instance]:
    """A rule of each chain that is needed, in the order in which they first came."""
    named = {one.filter.chain: one for one in chain(own) if one.filter.chain != "root"}
    return iter(named.values())


def _is(key: str, value: int | str) -> Match:
    return Match((Field(key),), ((value,),))


def _jump(name: str) -> Verdict:
    return Verdict("jump", name)
