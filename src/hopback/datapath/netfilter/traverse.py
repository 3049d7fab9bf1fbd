"""All that is hooked in at one place looks at a packet, in the kernel's order.

net/netfilter/core.c:nf_hook_slow, include/uapi/linux/netfilter_ipv4.h:nf_ip_hook_priorities.
"""

from collections.abc import Callable, Iterator
from copy import copy

from msgspec.structs import replace

from hopback.datapath.effects import Blind, Why, World
from hopback.datapath.netfilter.chains import Walk
from hopback.datapath.netfilter.conntrack import track
from hopback.datapath.netfilter.fields import Packet, state_of
from hopback.datapath.netfilter.nat import bind_as_is, end_of, translate
from hopback.datapath.netfilter.open import Open
from hopback.datapath.netfilter.packet import Outcome, Passed, Seen, Stopped
from hopback.datapath.netfilter.ruleset import Chain, Place, Ruleset, Unseen
from hopback.datapath.netfilter.steps import Steps
from hopback.datapath.skb import End, Skb
from hopback.network.facts import Ref, merge_refs
from hopback.snapshot.rows import FilterRule

ANY_PRIORITY = range(-(2**31), 2**31)

_CONNTRACK, _NAT_TARGET, _NAT_SOURCE = -200, -100, 100  # NF_IP_PRI_*


def traverse(rules: Ruleset, world: World, seen: Seen, priorities: range = ANY_PRIORITY) -> Outcome:
    """What becomes of the packet at the hook, chains, connections and NAT included.

    ``priorities`` limits it to what is hooked in there: in a bridge, br_netfilter is one among the
    hooked. A packet that passes and has a new connection makes that known by leaving
    (``Ruleset.knowing``); until then only the packet has it.
    """
    try:
        return _Call(rules, world, seen).through(priorities)
    except Open as unknown:
        return unknown.effect


class _Call:
    """One packet at one hook."""

    def __init__(self, rules: Ruleset, world: World, seen: Seen) -> None:
        self._rules = rules
        self._world = world
        self._seen = seen
        self._packet = Packet(seen, rules.addresses)
        self._refs: tuple[Ref, ...] = ()
        self._done: list[Why] = []

    def through(self, priorities: range) -> Outcome:
        for unseen in self._rules.unseen:
            if _may_hit(unseen, self._seen):
                raise Open(Blind(unseen.what, (unseen.ref,)))
        for place, stage in sorted(self._stages(), key=lambda stage: stage[0]):
            stopped = stage() if place[0] in priorities else None
            if stopped is not None:
                return stopped
        refs = merge_refs(self._refs, *(why.refs for why in self._done))
        return Passed(self._packet.frame(), self._packet.skb, refs, tuple(self._done))

    def _stages(self) -> Iterator[tuple[Place, Callable[[], Stopped | None]]]:
        """What is hooked in, by priority; all chains of NAT are called in one place."""
        family, hook = self._seen.family, self._seen.hook
        chains = self._rules.hooks.get((family, hook), ())
        if family in self._rules.tracked and hook in ("prerouting", "output"):
            yield (_CONNTRACK, 0), self._track
        if family in self._rules.natted and hook != "forward":
            at = _NAT_SOURCE if end_of(hook) == "source" else _NAT_TARGET
            natting = tuple(chain for chain in chains if chain.row.kind == "nat")
            yield (at, -self._rules.natted[family]), lambda: self._translate(natting)
        for chain in chains:
            if chain.row.kind != "nat" or family not in self._rules.natted:
                yield chain.place, _bound(self._filter, chain)

    def _track(self) -> None:
        track(self._packet, self._rules)

    def _filter(self, chain: Chain) -> Stopped | None:
        """One base chain; what of its rules decided how the packet leaves it is noted."""
        devices = chain.row.devices
        if devices is not None and not {self._seen.indev, self._seen.outdev} & set(devices):
            return None
        before = copy(self._packet)
        steps = Steps(self._rules, self._world, self._packet)
        walk = Walk(self._rules, self._packet, steps)
        stopped = walk.through(chain)
        decided = (
            refs
            for rule, refs in dict(walk.turns).items()
            if self._decides(rule, chain, copy(before), stopped)
        )
        if stopped is not None:
            return replace(stopped, refs=merge_refs(stopped.refs, *decided))
        self._done += steps.done
        self._refs = merge_refs(self._refs, *decided)
        return None

    def _decides(
        self, rule: FilterRule, chain: Chain, packet: Packet, stopped: Stopped | None
    ) -> bool:
        """Whether anything would be different without the rule."""
        steps = Steps(self._rules, self._world, packet)
        walk = Walk(self._rules, packet, steps, without=rule)
        try:
            without = walk.through(chain)
        except Open:
            return True
        now = self._packet
        if stopped is not None or without is not None:
            return without != stopped
        return (packet.raw, packet.skb) != (now.raw, now.skb)

    def _translate(self, chains: tuple[Chain, ...]) -> Stopped | None:
        """nf_nat_core.c:nf_nat_inet_fn: rules only for what begins, then as the connection says."""
        packet, end = self._packet, end_of(self._seen.hook)
        for chain in chains:
            if not _is_unbound(packet.skb, end):
                break
            stopped = self._filter(chain)
            if stopped is not None:
                return stopped
        connection = packet.skb.connection
        if connection is not None and _is_unbound(packet.skb, end):
            packet.skb = replace(packet.skb, connection=bind_as_is(self._rules, connection, end))
        if _has_moved(packet.skb, self._seen):
            refs = connection.refs if connection else ()
            return Stopped("drop", "NAT", merge_refs(refs), "nat-other-device")
        self._done += translate(packet)
        return None


def _is_unbound(skb: Skb, end: End) -> bool:
    """Whether the packet begins a connection whose end is not settled yet."""
    connection = skb.connection
    return connection is not None and end not in connection.bound and state_of(skb) == "new"


def _has_moved(skb: Skb, seen: Seen) -> bool:
    """nf_nat_oif_changed: what was masqueraded for one device would leave by another."""
    connection = skb.connection
    if connection is None or seen.hook != "postrouting" or skb.reply or skb.related:
        return False
    return connection.masqueraded not in ("", seen.outdev)


def _bound(call: Callable[[Chain], Stopped | None], chain: Chain) -> Callable[[], Stopped | None]:
    return lambda: call(chain)


def _may_hit(unseen: Unseen, seen: Seen) -> bool:
    families = ("ip", "ip6") if unseen.family == "inet" else (unseen.family,)
    devices = {seen.indev, seen.outdev, seen.physin, seen.physout, seen.bridge_in, seen.bridge_out}
    at_any = unseen.devices is None or bool(devices & set(unseen.devices))
    return seen.family in families and at_any
