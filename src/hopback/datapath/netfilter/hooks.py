"""Calling the packet filters of a namespace, and what their answer means for the packet."""

from collections.abc import Callable

from msgspec import Struct

from hopback.datapath.effects import Ask, Blind, Drop, Why, World
from hopback.datapath.netfilter.packet import ChainFamily, Outcome, Passed, Seen, Stopped
from hopback.network.facts import DevId

Stop = Drop | Ask | Blind


class Netfilter(Struct, frozen=True):
    """What is hooked in one namespace: ``traverse`` has it all look at a packet.

    ``families`` are those in which anything is hooked, ``devices`` those that have chains of their
    own (netdev).
    """

    traverse: Callable[[World, Seen], Outcome]
    families: frozenset[ChainFamily] = frozenset()
    devices: frozenset[str] = frozenset()

    def call(self, world: World, seen: Seen, dev: DevId | None = None) -> Passed | Stop:
        """What becomes of the packet at the hook; ``dev`` is where a copy that is dropped went."""
        if seen.family not in self.families:
            return Passed(seen.frame, seen.skb)
        outcome = self.traverse(world, seen)
        if isinstance(outcome, Stopped):
            return Drop(Why(outcome.rule, outcome.refs), dev)
        return outcome
