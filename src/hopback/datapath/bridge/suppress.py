"""ARP and ND that a bridge answers, or keeps from ports (net/bridge/br_arp_nd_proxy.c, 6.12).

As soon as one port suppresses neighbours, what asks nobody in particular (an announcement, a probe,
duplicate address detection) is not flooded to such ports; and what the host's own neighbour table
and the forwarding table both know is answered in the station's name.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from msgspec.structs import replace

from hopback.datapath.bridge.state import BridgeState, FdbEntry, Ip, NeighbourEntry, PortConfig
from hopback.datapath.bridge.vlan import Admitted
from hopback.datapath.effects import Ask, Blind, Deliver, Question, Send, Why, World
from hopback.frames import arp
from hopback.frames.arp import Arp
from hopback.frames.build import arp_reply, na
from hopback.frames.ethernet import Frame, Vlan
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import is_group
from hopback.frames.nd import Na, Ns
from hopback.frames.raw import Malformed
from hopback.network.facts import Ref, merge_refs

_RARP = (3, 4)  # ARPOP_RREQUEST, ARPOP_RREPLY
_NOBODY, _ANY = IPv4Address(0), IPv6Address(0)


class Answer(NamedTuple):
    """``marked``: not to be flooded to suppressing ports (``proxyarp_replied``), by these rows.

    ``resent`` is a reply to the host's own question, which the host sends through the bridge.
    """

    marked: bool = False
    refs: tuple[Ref, ...] = ()
    replies: tuple[Send | Deliver, ...] = ()
    resent: Frame | None = None


_NOTHING = Answer()


def answer(
    state: BridgeState, world: World, port: PortConfig | None, inside: Admitted
) -> Answer | Ask | Blind:
    """What becomes of an ARP or ND frame before it is looked up; of any other, nothing."""
    frame = inside.frame
    message = frame.payload
    if len(frame.tags) > 1:
        return _NOTHING
    enabled = suppressing(state)
    if isinstance(message, Arp) and (port is not None or enabled is not None):
        return _arp(state, world, port, inside, message, enabled)
    if enabled is not None and isinstance(message, Ipv6) and not message.extensions:
        return _nd(state, world, port, inside, message)
    return _NOTHING


def suppressing(state: BridgeState) -> tuple[Ref, ...] | None:
    """The rows by which some port suppresses neighbours; None if none does."""
    found = [p for p in state.ports.values() if p.neigh_suppress]
    return merge_refs(*(p.why("neigh_suppress") for p in found)) if found else None


def _arp(
    state: BridgeState,
    world: World,
    port: PortConfig | None,
    inside: Admitted,
    message: Arp,
    enabled: tuple[Ref, ...] | None,
) -> Answer | Ask | Blind:
    """``br_do_proxy_suppress_arp``."""
    target, sender = message.target_ip, message.sender_ip
    if target.is_loopback or target.is_multicast:
        return _NOTHING
    if enabled is not None:
        if port is not None and port.neigh_suppress:
            return _NOTHING
        if message.op == arp.REQUEST and _is_left_alone(state, inside):
            return _NOTHING
        if message.op not in _RARP and sender in (_NOBODY, target):
            return Answer(marked=True, refs=enabled)
    proxying = any(p.proxyarp or p.proxyarp_wifi for p in state.ports.values())
    if message.op != arp.REQUEST or not (enabled is not None or proxying):
        return _NOTHING
    known = _known(state, world, target, inside.vid, enabled)
    if not isinstance(known, _Known):
        return known
    replying = known.of("proxyarp_wifi", state) or known.of("neigh_suppress", state)
    replying = replying or (port is not None and port.proxyarp)
    if not replying:
        return Answer(enabled is not None, known.refs)
    reply = arp_reply(known.entry.mac, target, message.sender_mac, sender)
    if port is None and not inside.vid:
        return Answer(True, known.refs, resent=reply)
    return Answer(True, known.refs, (_reply(state, port, inside, reply, known),))


def _nd(
    state: BridgeState, world: World, port: PortConfig | None, inside: Admitted, packet: Ipv6
) -> Answer | Ask | Blind:
    """``br_do_suppress_nd``."""
    message = packet.payload
    if not isinstance(message, Ns | Na) or message.code:
        return _NOTHING
    if port is not None and port.neigh_suppress:
        return _NOTHING
    enabled = suppressing(state) or ()
    if isinstance(message, Na):
        return _NOTHING if message.solicited else Answer(marked=True, refs=enabled)
    if _is_left_alone(state, inside):
        return _NOTHING
    if packet.src in (_ANY, packet.dst):
        return Answer(marked=True, refs=enabled)
    known = _known(state, world, message.target, inside.vid, enabled)
    if not isinstance(known, _Known):
        return known
    if not known.of("neigh_suppress", state) or isinstance(message.tail, Malformed):
        return Answer(True, known.refs)
    asker = (packet.src, message.source_lladdr or inside.frame.src)
    reply = na(known.entry.mac, message.target, asker, router=known.entry.router)
    assert isinstance(reply.payload, Ipv6)  # noqa: S101  (as built)
    priority = packet.traffic_class & 0xF0  # the four bits of the question that the kernel copies
    reply = replace(reply, payload=replace(reply.payload, traffic_class=priority))
    return Answer(True, known.refs, (_reply(state, port, inside, reply, known),))


def _is_left_alone(state: BridgeState, inside: Admitted) -> bool:
    """A question to one station is a test whether it is still there: newer kernels let it pass."""
    return state.kernel.unicast_question_passes and not is_group(inside.frame.dst)


class _Known(NamedTuple):
    """A neighbour that the host and the forwarding table both know."""

    entry: NeighbourEntry
    place: FdbEntry
    refs: tuple[Ref, ...]

    def of(self, flag: str, state: BridgeState) -> bool:
        """Whether the port it is behind has this flag."""
        port = state.ports.get(self.place.port) if self.place.port else None
        return port is not None and bool(getattr(port, flag))


def _known(
    state: BridgeState, world: World, target: Ip, vid: int, enabled: tuple[Ref, ...] | None
) -> _Known | Answer | Ask | Blind:
    host = state.hosts.get(vid)
    if host is None and vid:
        return _NOTHING  # the host has no device in this VLAN
    own: Mapping[Ip, tuple[Ref, ...]] = host.addresses if host else {}
    if enabled is not None and target in own:
        return Answer(marked=True, refs=merge_refs(enabled, own[target]))
    entry = host.neighbours.get(target) if host else None
    if entry is None:
        return _unknown(state, world, target)
    place = state.fdb.get((entry.mac, vid))
    if place is None:
        return _NOTHING
    return _Known(entry, place, merge_refs(enabled or (), entry.refs, place.refs))


def _unknown(state: BridgeState, world: World, target: Ip) -> Answer | Ask | Blind:
    if state.hosts_listed:
        return _NOTHING
    text = f"does the host know {target}, which the neighbour table given lacks?"
    question = Question(state.id, text, ("no", "yes"), "no")
    if question not in world:
        return Ask(question)
    if world[question] == "yes":
        return Blind("a neighbour entry that the listing given lacks", ())
    return _NOTHING


def _reply(
    state: BridgeState, port: PortConfig | None, inside: Admitted, reply: Frame, known: _Known
) -> Send | Deliver:
    """Out of the port the question came by, past all that an egress port checks."""
    why = Why("proxied", known.refs)
    tags: tuple[Vlan, ...] = inside.frame.tags[:1]
    vlans = state.vlans if port is None else port.vlans
    if not inside.vid or inside.vid == vlans.pvid:
        tags = ()
    frame = Frame(reply.dst, reply.src, tags, reply.ethertype, reply.payload)
    if port is None:
        return Deliver(state.id, frame, "host", why)
    return Send(port.id, frame, why)
