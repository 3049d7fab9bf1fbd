"""Multicast snooping (net/bridge/br_multicast.c, Linux 6.12): who gets a group's frames.

It prunes only where a querier keeps the members reporting, each family for itself; without one
everything floods. A group's members are taken as listed: reports teach nothing here.
"""

from collections.abc import Mapping
from typing import NamedTuple

from hopback.datapath.bridge.membership import Snooped, snoop
from hopback.datapath.bridge.state import BridgeState, Family, Member
from hopback.datapath.bridge.vlan import Admitted
from hopback.datapath.effects import Ask, Blind, Drop, Question, Why, World
from hopback.network.facts import DevId, Ref, merge_refs

_PROTOCOL: Mapping[Family, str] = {4: "IGMP", 6: "MLD"}


class Pruned(NamedTuple):
    """The ports that get a copy, with the rows that say so; whether the host gets one.

    ``refs`` are the rows by which nobody else does.
    """

    ports: Mapping[DevId, tuple[Ref, ...]]
    host: bool
    refs: tuple[Ref, ...]


def decide(
    state: BridgeState, world: World, inside: Admitted
) -> Pruned | Drop | Ask | Blind | None:
    """Who gets the group frame ``inside``; None: everybody, it is flooded.

    The decision of ``br_handle_frame_finish``: (a group known, or a frame for routers alone) and a
    querier.
    """
    if not state.mcast_snooping:
        return None
    seen = snoop(inside.frame)
    if seen.kind == "malformed":
        return Drop(Why("snooping-malformed"))
    key = (seen.group, inside.vid)
    members = state.snooping.groups.get(key) if seen.kind == "data" else None
    if members is None and not _for_routers(state, seen):
        return None
    querier = _querier(state, world, seen.family)
    if not isinstance(querier, tuple):
        return querier
    if not state.snooping.listed:
        return Blind("a multicast querier, and no listing of the groups (bridge mdb show)", querier)
    if seen.kind == "data" and key in state.snooping.by_source:
        return Blind("a group with members for certain sources alone", querier)
    return _pruned(state, seen, members or (), querier)


def _for_routers(state: BridgeState, seen: Snooped) -> bool:
    """Whether a frame of no known group is for router ports alone (``mrouters_only``)."""
    if seen.kind == "report":
        return True
    if seen.kind == "message" or seen.family is None or seen.local:
        return False
    return seen.family == 4 or state.kernel.nd_snooped


def _querier(
    state: BridgeState, world: World, family: Family | None
) -> tuple[Ref, ...] | Ask | Blind | None:
    """The rows that tell of the family's querier; None if there is none.

    ``br_private.h:br_multicast_querier_exists``; a group of MACs needs none.
    """
    if family is None or not state.kernel.mcast_needs_querier:
        return ()
    told = state.snooping.queriers.get(family)
    if told is not None:
        return told[1] if told[0] else None
    question = querier_question(state, family)
    if question not in world:
        return Ask(question)
    return () if world[question] == "yes" else None


def querier_question(state: BridgeState, family: Family) -> Question:
    """Asked where no table tells whether the family has a querier."""
    text = f"has it heard a multicast querier for IPv{family} ({_PROTOCOL[family]})?"
    likely = "yes" if family in state.snooping.likely else "no"
    return Question(state.id, text, ("no", "yes"), likely)


def _pruned(
    state: BridgeState, seen: Snooped, members: tuple[Member, ...], querier: tuple[Ref, ...]
) -> Pruned | Blind:
    """Members and router ports (``br_forward.c:br_multicast_flood``)."""
    routers = state.snooping.routers.get(seen.family or 4, {})
    ports = dict(routers)
    for member in members:
        if member.port is None:
            continue
        port = state.ports.get(member.port)
        if port is not None and port.mcast_to_unicast and member.learned:
            refs = member.refs + port.why("mcast_to_unicast")
            return Blind("copies to each member's own address (mcast_to_unicast)", refs)
        ports[member.port] = merge_refs(ports.get(member.port, ()), member.refs)
    host = state.snooping.host_is_router or any(m.port is None for m in members)
    return Pruned(ports, host, querier)
