"""Calling the packet filters of a namespace, and what their answer means for the packet."""

from collections.abc import Callable, Iterable
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.effects import Ask, Blind, Drop, Why, World
from hopback.datapath.netfilter.packet import ChainFamily, Outcome, Passed, Seen
from hopback.datapath.netfilter.ruleset import Ruleset
from hopback.datapath.netfilter.traverse import ANY_PRIORITY, traverse
from hopback.datapath.skb import Connection
from hopback.network.facts import DevId
from hopback.snapshot.rows import Hook

Stop = Drop | Ask | Blind


class Netfilter(Struct, frozen=True):
    """The filters of one namespace, and whom to ask what they make of a packet.

    ``families`` are those in which anything is hooked, ``devices`` those that have chains of their
    own (netdev), None if any may. ``places`` are the hooks at which something looks at packets,
    None if that is not known.
    """

    rules: Ruleset
    families: frozenset[ChainFamily] = frozenset()
    devices: frozenset[str] | None = frozenset()
    places: frozenset[tuple[ChainFamily, Hook]] | None = None
    ask: Callable[[Ruleset, World, Seen, range], Outcome] = traverse

    def call(
        self,
        world: World,
        seen: Seen,
        dev: DevId | None = None,
        priorities: range = ANY_PRIORITY,
    ) -> Passed | Stop:
        """What becomes of the packet at the hook; ``dev`` is where a copy that is dropped went."""
        at = seen.family, seen.hook
        if seen.family not in self.families or (self.places is not None and at not in self.places):
            return Passed(seen.frame, seen.skb)
        outcome = self.ask(self.rules, world, seen, priorities)
        if isinstance(outcome, Passed | Ask | Blind):
            return outcome
        return Drop(Why(outcome.rule, outcome.refs), dev)

    def at(self, dev: str) -> bool:
        """Whether the device may have chains of its own."""
        return self.devices is None or dev in self.devices

    def knowing(self, connection: Connection) -> "Netfilter":
        """The same after a packet of ``connection`` has passed."""
        return replace(self, rules=self.rules.knowing(connection))


def netfilter_of(rules: Ruleset) -> Netfilter:
    """The filters of a namespace as they were read."""
    everywhere = rules.tracked | rules.natted.keys()
    for unseen in rules.unseen:
        everywhere |= _FAMILIES.get(unseen.family, frozenset())
    families = {family for family, _ in rules.hooks} | everywhere
    places = {*rules.hooks, *((family, hook) for family in everywhere for hook in get_args(Hook))}
    devices: set[str] | None = set()
    for (family, _), chains in rules.hooks.items():
        if family == "netdev":
            devices = _joined(devices, (chain.row.devices for chain in chains))
    for unseen in rules.unseen:
        if unseen.family == "netdev":
            devices = _joined(devices, (unseen.devices,))
    own = None if devices is None else frozenset(devices)
    return Netfilter(rules, frozenset(families), own, frozenset(places))


_FAMILIES: dict[str, frozenset[ChainFamily]] = {
    "bridge": frozenset({"bridge"}),
    "ip": frozenset({"ip"}),
    "ip6": frozenset({"ip6"}),
    "inet": frozenset({"ip", "ip6"}),
    "arp": frozenset({"arp"}),
    "netdev": frozenset({"netdev"}),
}


def _joined(known: set[str] | None, more: Iterable[tuple[str, ...] | None]) -> set[str] | None:
    for devices in more:
        known = None if known is None or devices is None else known | set(devices)
    return known
