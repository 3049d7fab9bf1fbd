"""Follows a packet from a station to an IP address, and the answer of whoever takes it.

Both go by the same tables, the answer through the connections that the request has made. That is
"a guest to its own floating IP", "a pod to its own Service", "a guest to another".
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.effects import Ask, Blind, Drop, Effect, Place, Question, Send, Why, World
from hopback.datapath.ip.layer import IpLayer
from hopback.datapath.ip.output import send
from hopback.datapath.ip.packet import packet_of
from hopback.datapath.model import Model
from hopback.datapath.path import ip_layer, nic_of
from hopback.datapath.skb import FRESH, Ip, Skb
from hopback.engines.nexthop import next_mac
from hopback.engines.trace import MAX_QUESTIONS, End, Fate, Hop, Trace, trace
from hopback.frames.build import answer_to, echo_request, tcp_syn
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.mac import ZERO
from hopback.network.addresses import addresses_of
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.network.model import Station

FlowEnd = Literal["answered", "another-address", "request-lost", "reply-lost", "out-of-sight"]
"""another-address: the answer comes from one that was not asked, and nobody waits for it.
out-of-sight: a packet went where the tables do not show, or nothing tells whither."""

_UNSEEN: tuple[Fate, ...] = ("blind", "budget", "left")


class Leg(Struct, frozen=True):
    """One packet's way: the end at which it ``arrived``, or else that where it was ``lost``."""

    trace: Trace
    arrived: End | None
    lost: End | None


class Flow(Struct, frozen=True):
    """A request and its answer; None is what was not sent, as nobody answers or tells whither.

    ``answered_by`` is the source of the answer as it reached the station. ``refs`` are the rows
    that say who has which address. ``world`` holds what was taken for granted.
    """

    station: Station
    source: Ip
    target: Ip
    end: FlowEnd = "out-of-sight"
    request: Leg | None = None
    reply: Leg | None = None
    answered_by: Ip | None = None
    refs: tuple[Ref, ...] = ()
    world: Mapping[Question, str] = {}

    @property
    def lost(self) -> End | None:
        """Where the packet ends that does not arrive."""
        return next((leg.lost for leg in (self.request, self.reply) if leg and leg.lost), None)


class _Sent(NamedTuple):
    """A packet on its way, and the rows that say whither."""

    place: Place
    frame: Frame
    skb: Skb = FRESH
    refs: tuple[Ref, ...] = ()


def follow(
    model: Model,
    station: Station,
    target: Ip,
    *,
    source: Ip | None = None,
    port: int | None = None,
    world: World | None = None,
) -> Flow | None:
    """Ping ``target`` from ``station``, or connect to its ``port``, in the world of defaults.

    ``source`` None: the first of the station's addresses that some table has. None if none has
    one of the target's family.
    """
    known = addresses_of(model.network, station)
    own = [a for a in known if a.version == target.version and not a.is_link_local]
    source = source or next(iter(own), None)
    if source is None:
        return None
    ask = tcp_syn(ZERO, ZERO, source, target, port) if port else _ping(source, target)
    flow = Flow(station, source, target, refs=known.get(source, ()), world=dict(world or {}))
    flow, request = _leg(model, flow, nic_of(station), station, ask)
    flow = replace(flow, request=request)
    if request is None or request.arrived is None:
        return replace(flow, end=_missing(request, "request-lost"))
    return _answered(_knowing(model, request), flow, request.arrived)


def _ping(source: Ip, target: Ip) -> Frame:
    return echo_request(ZERO, ZERO, source, target)


def _answered(model: Model, flow: Flow, arrived: End) -> Flow:
    """The answer of whoever took the request, which meets the connections that it made."""
    taken = packet_of(arrived.frame) if arrived.frame else None
    answer = answer_to(taken) if taken else None
    if arrived.dev is None or arrived.frame is None or answer is None:
        return flow
    frame = replace(arrived.frame, payload=answer)
    owner = next((s for s in model.network.stations if nic_of(s) == arrived.dev), None)
    flow, reply = _leg(model, flow, arrived.dev, owner, frame)
    flow = replace(flow, reply=reply)
    heard = reply.arrived if reply else None
    packet = packet_of(heard.frame) if heard and heard.frame else None
    if packet is None:
        return replace(flow, end=_missing(reply, "reply-lost"))
    expected = packet.src == flow.target
    return replace(flow, answered_by=packet.src, end="answered" if expected else "another-address")


def _missing(leg: Leg | None, lost: FlowEnd) -> FlowEnd:
    unseen = leg is None or (leg.lost is not None and leg.lost.fate in _UNSEEN)
    return "out-of-sight" if unseen else lost


def _leg(
    model: Model, flow: Flow, nic: DevId, station: Station | None, frame: Frame
) -> tuple[Flow, Leg | None]:
    """``frame``, whose MACs are still open, from the device ``nic``; the flow with what it took."""
    layer = ip_layer(model, flow.world, nic) if nic in model.network.devices else None
    if layer is not None and layer.takes(frame):
        effect, world = _own(layer, frame)
        flow = replace(flow, world=world)
        if not isinstance(effect, Send):
            return flow, _refused(nic, frame, effect)
        sent: _Sent | None = _Sent(Place(effect.dev, "out"), effect.frame, effect.skb)
    else:
        sent = _unseen(model, station, frame) if station else None
    if sent is None:
        return flow, None
    journey = trace(model, sent.place, sent.frame, sender=nic, world=flow.world, skb=sent.skb)[0]
    refs = merge_refs(flow.refs, sent.refs)
    return replace(flow, refs=refs, world=journey.world), _taken(model, journey)


def _own(layer: IpLayer, frame: Frame) -> tuple[Effect, World]:
    """The packet as its host's IP layer sends it, questions answered by their defaults."""
    for _ in range(MAX_QUESTIONS):
        effect = send(layer, frame)
        if not isinstance(effect, Ask):
            return effect, layer.world
        default = {effect.question: effect.question.default}
        layer = replace(layer, world={**layer.world, **default})
    return effect, layer.world


def _unseen(model: Model, station: Station, frame: Frame) -> _Sent | None:
    """The packet as a station sends it whose inside we do not see."""
    packet = packet_of(frame)
    found = next_mac(model, station, packet.src, packet.dst) if packet else None
    if found is None:
        return None
    sent = replace(frame, src=station.mac, dst=found[0])
    return _Sent(Place(station.port, "in"), sent, refs=found[1])


def _refused(nic: DevId, frame: Frame, effect: Effect) -> Leg:
    """A packet that its own host does not let out."""
    why = effect.why if isinstance(effect, Drop) else Why("blind")
    what = effect.what if isinstance(effect, Blind) else ""
    end = End("lost" if isinstance(effect, Drop) else "blind", 0, why, nic, what)
    return Leg(Trace((Hop(Place(nic, "out"), frame),), (end,)), None, end)


def _taken(model: Model, journey: Trace) -> Leg:
    """Who took the packet: a device that it was for, and whose own address it is for."""
    for end in journey.ends:
        if end.fate in ("delivered", "returned"):
            refused = _own_source(model, end)
            return Leg(journey, None, refused) if refused else Leg(journey, end, None)
    order: tuple[Fate, ...] = ("blind", "lost", "budget", "cycle", "ignored", "left")
    ends = (end for fate in order for end in journey.ends if end.fate == fate)
    return Leg(journey, None, next(ends, None))


def _own_source(model: Model, end: End) -> End | None:
    """A station whose inside we do not see drops what claims to come from itself, as Linux does."""
    station = next((s for s in model.network.stations if nic_of(s) == end.dev), None)
    packet = packet_of(end.frame) if end.frame else None
    if station is None or not isinstance(packet, Ipv4):
        return None
    own = addresses_of(model.network, station)
    if packet.src != packet.dst and packet.src not in own:
        return None
    return End("lost", end.hop, Why("ip-martian", own.get(packet.src, ())), end.dev)


def _knowing(model: Model, request: Leg) -> Model:
    """The model after the request: each namespace has the connections with which it left there."""
    if request.arrived is None:
        return model
    made: dict[tuple[str, str], Skb] = {}
    path = request.trace.path(request.arrived.hop)
    last = [(request.arrived.dev, request.arrived.skb)] if request.arrived.dev else []
    for dev, skb in [(hop.place.dev, hop.skb) for hop in path] + last:
        if skb.connection is not None or skb.balanced is not None:
            made[dev[:2]] = skb
    filters, directors = dict(model.netfilter), dict(model.directors)
    for space, skb in made.items():
        if skb.connection is not None and space in filters:
            filters[space] = filters[space].knowing(skb.connection)
        if skb.balanced is not None and space in directors:
            directors[space] = directors[space].knowing(skb.balanced)
    return replace(model, netfilter=filters, directors=directors)
