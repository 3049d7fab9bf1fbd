"""The order of the stages: which one a frame meets at each place. Only this file knows it."""

from functools import partial

from msgspec.structs import replace

from hopback.datapath import bond, macvlan, underlay, veth, vlan_device, vxlan, wireguard
from hopback.datapath import tunnel as tunnels
from hopback.datapath.bridge import ingress
from hopback.datapath.bridge.hooks import Hooks
from hopback.datapath.bridge.nf import BridgeNf
from hopback.datapath.bridge.state import BridgeState
from hopback.datapath.effects import (
    Blind,
    Cross,
    Deliver,
    Effect,
    Leave,
    Place,
    Question,
    Send,
    Why,
    World,
)
from hopback.datapath.ip.layer import IpLayer
from hopback.datapath.ip.receive import receive
from hopback.datapath.ipvs.hooks import Ipvs
from hopback.datapath.ipvs.packet import Layer
from hopback.datapath.model import Model
from hopback.datapath.netfilter.hooks import Netfilter
from hopback.datapath.netfilter.packet import Passed, Seen
from hopback.datapath.skb import FRESH, Skb
from hopback.datapath.tunnel_receive import opened
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, format_mac, is_group
from hopback.network.facts import DevId
from hopback.network.model import Station
from hopback.network.segments import Reached, Unclear


def step(
    model: Model, world: World, place: Place, frame: Frame, skb: Skb = FRESH
) -> tuple[Effect, ...]:
    """What happens at ``place`` to ``frame``, and ``skb`` beside it."""
    filters = model.netfilter.get(place.dev[:2]) if model.netfilter else None
    if filters is not None and filters.at(place.dev.name):
        passed = filters.call(world, _at_device(place, frame, skb))
        if not isinstance(passed, Passed):
            return (passed,)
        frame, skb = passed.frame, passed.skb
    state = _bridge_at(model, place, frame)
    wrapped = _wrapped(model, world, place, frame, skb)
    if wrapped is not None:
        return wrapped
    if state is None:
        effects = _plain(model, world, place, frame, skb)
    else:
        hooks = _hooks(model, world, state, filters) if filters else None
        effects = _bridged(model, world, place, frame, skb, state, hooks)
    if skb.packet_type is None or place.way == "out":
        effects = tuple(e for effect in effects for e in _above(model, world, effect))
    if not model.hosts:
        return effects
    return tuple(e for effect in effects for e in _up(model, world, place, effect))


def _hooks(model: Model, world: World, state: BridgeState, filters: Netfilter) -> Hooks:
    """The filters as the bridge calls them, with br_netfilter if it has any to hand packets to."""
    if not filters.families & {"ip", "ip6", "arp"}:
        return Hooks(filters, state, world)
    layer = ip_layer(model, world, state.id)
    nf = BridgeNf(filters, model.bridge_nf[state.id], state, world, layer)
    return Hooks(filters, state, world, nf)


def ip_layer(model: Model, world: World, dev: DevId) -> IpLayer | None:
    """The IP layer of the namespace of ``dev``, if its addresses and routes are known."""
    host = model.hosts.get(dev[:2])
    if host is None:
        return None
    director = model.directors.get(dev[:2])
    ipvs = Ipvs(Layer(director, host, model.network, world)) if director else None
    return IpLayer(host, model.network, world, model.netfilter.get(dev[:2]), model.inside, ipvs)


def _up(model: Model, world: World, place: Place, effect: Effect) -> tuple[Effect, ...]:
    """A packet goes up to the IP layer of its namespace, if that is known."""
    if not isinstance(effect, Deliver) or effect.packet_type == "otherhost":
        return (effect,)
    layer = ip_layer(model, world, effect.dev)
    if layer is None or effect.dev not in model.network.devices or not layer.takes(effect.frame):
        return (effect,)
    if effect.dev == place.dev and place.way == "in":
        own = layer.host.addresses
        return tuple(
            opened(model.tunnels, own, taken) if isinstance(taken, Deliver) else taken
            for taken in receive(layer, effect)
        )
    skb = replace(effect.skb, packet_type=effect.packet_type)
    return (Cross(effect.dev, effect.frame, effect.why, skb),)


def _wrapped(
    model: Model, world: World, place: Place, frame: Frame, skb: Skb
) -> tuple[Effect, ...] | None:
    """What leaves by a tunnel of a host whose routes are known; None for any other place."""
    tunnel = model.tunnels.by_id.get(place.dev) if place.way == "out" else None
    layer = ip_layer(model, world, place.dev) if tunnel else None
    if tunnel is None or layer is None:
        return None
    if tunnel.kind == "wireguard":
        return wireguard.transmit(layer, tunnel, frame)
    return tunnels.transmit(layer, tunnel, frame, skb)


def _plain(model: Model, world: World, place: Place, frame: Frame, skb: Skb) -> tuple[Effect, ...]:
    """The stages that do not look at what travels beside a frame."""
    stage = _enter if place.way == "in" else _leave
    effects = stage(model, world, place.dev, frame)
    return effects if skb is FRESH else tuple(_carried(place, skb, e) for e in effects)


def _at_device(place: Place, frame: Frame, skb: Skb) -> Seen:
    """The device's own hooks: ahead of all that takes frames off it, and after all that sends."""
    name = place.dev.name
    if place.way == "in":
        return Seen("netdev", "ingress", frame, skb, indev=name)
    return Seen("netdev", "egress", frame, skb, outdev=name)


def _bridge_at(model: Model, place: Place, frame: Frame) -> BridgeState | None:
    """The bridge that gets the frame: by its port, or by its own device from the host."""
    if place.way == "out":
        return model.bridges.get(place.dev)
    bridge = model.bridge_of.get(place.dev)
    if bridge is None or vlan_device.taken(model.vlans, place.dev, frame) is not None:
        return None
    return model.bridges[bridge]


def _bridged(
    model: Model,
    world: World,
    place: Place,
    frame: Frame,
    skb: Skb,
    state: BridgeState,
    hooks: Hooks | None,
) -> tuple[Effect, ...]:
    if place.way == "out":
        return ingress.transmit(state, world, frame, skb, hooks)
    effects = ingress.receive(state, world, place.dev, frame, skb, hooks)
    children = model.macvlans.by_lower.get(state.id, ())
    return (*effects, *macvlan.overheard(children, state.id, effects, frame))


def _carried(place: Place, skb: Skb, effect: Effect) -> Effect:
    """The effect with what travels beside the frame.

    net/core/skbuff.c:skb_scrub_packet: a veth pair leaves no more than the mark, another namespace
    nothing.
    """
    if not isinstance(effect, Send | Cross | Deliver) or effect.dev[:2] != place.dev[:2]:
        return effect
    if isinstance(effect, Deliver):
        return replace(effect, packet_type=skb.packet_type or effect.packet_type, skb=skb)
    return replace(effect, skb=Skb(mark=skb.mark) if effect.why.rule == "veth" else skb)


def _above(model: Model, world: World, effect: Effect) -> tuple[Effect, ...]:
    """macvlans look at a frame where the device below would take it for itself."""
    if isinstance(effect, Deliver) and effect.dev in model.macvlans.by_lower:
        return macvlan.receive(model.macvlans.by_lower[effect.dev], world, effect)
    return (effect,)


def _enter(model: Model, world: World, dev: DevId, frame: Frame) -> tuple[Effect, ...]:
    """net/core/dev.c:__netif_receive_skb_core: VLAN devices first, then a bond."""
    taken = vlan_device.taken(model.vlans, dev, frame)
    if taken is not None:
        return (taken,)
    master = model.bond_of.get(dev)
    if master is not None:
        return bond.receive(model.bonds[master], world, dev, frame)
    device = model.network.devices.get(dev)
    if device and device.master and device.master.value and not _in_vrf(model, dev):
        return (Blind(f"{dev.name} is a leg of {device.master.value}", device.master.refs),)
    if dev in model.macvlans.by_id:
        return (macvlan.delivered(model.macvlans.by_id[dev], frame),)
    mac = device.mac.value if device and device.mac else None
    if frame.dst in _below(model, dev):
        mac = frame.dst
    return (_received(dev, frame, mac),)


def _in_vrf(model: Model, dev: DevId) -> bool:
    """A VRF takes no frames off its devices: it only has them routed by its own table."""
    host = model.hosts.get(dev[:2])
    return host is not None and dev.name in host.vrfs


def _below(model: Model, dev: DevId) -> tuple[int | None, ...]:
    """The addresses that the devices below ``dev`` take for their own: it is not asked again.

    net/8021q/vlan_core.c:vlan_do_receive only adds the VLAN device's own address.
    """
    vlan = model.vlans.by_id.get(dev)
    if vlan is None:
        return tuple(leg.mac for leg in model.bonds[dev].legs) if dev in model.bonds else ()
    lower = model.network.devices.get(vlan.lower)
    own = (lower.mac.value,) if lower and lower.mac else ()
    return own + _below(model, vlan.lower)


def _received(dev: DevId, frame: Frame, mac: int | None) -> Deliver:
    """eth_type_trans: a station looks at the destination, never at the source."""
    if frame.dst == BROADCAST:
        return Deliver(dev, frame, "broadcast", Why("station"))
    if is_group(frame.dst):
        return Deliver(dev, frame, "multicast", Why("station"))
    if mac is None or frame.dst == mac:
        return Deliver(dev, frame, "host", Why("station"))
    return Deliver(dev, frame, "otherhost", Why("station"))


def _leave(model: Model, world: World, dev: DevId, frame: Frame) -> tuple[Effect, ...]:
    vlan = model.vlans.by_id.get(dev)
    if vlan is not None:
        return (vlan_device.tagged(vlan, frame),)
    if dev in model.bonds:
        return bond.transmit(model.bonds[dev], world, frame)
    if dev in model.macvlans.by_id:
        return macvlan.transmit(model.macvlans, world, model.macvlans.by_id[dev], frame)
    if dev in model.vxlans.by_id:
        return _tunnelled(model, world, dev, frame)
    device = model.network.devices.get(dev)
    if device and device.peer:
        return (veth.transmit(model.network.devices, device.peer, frame),)
    stations = model.stations.get(dev, ())
    if stations:
        return tuple(_to_station(model, world, s, frame) for s in stations)
    plug = model.segments.plugs.get(dev)
    if plug is not None:
        return (Cross(plug.dev, frame, Why("plugged", plug.refs)),)
    return _beyond(model, world, dev, frame)


def _to_station(model: Model, world: World, station: Station, frame: Frame) -> Effect:
    """To a guest; into it if it is given as a host too, and knows what to do with the packet."""
    guest = model.segments.guests.get((station.port, station.mac))
    layer = ip_layer(model, world, guest.dev) if guest and frame.dst == station.mac else None
    if guest is not None and layer is not None and layer.takes(frame):
        return Cross(guest.dev, frame, Why("plugged", guest.refs))
    return _received(nic_of(station), frame, station.mac)


def _tunnelled(model: Model, world: World, dev: DevId, frame: Frame) -> tuple[Effect, ...]:
    state = model.vxlans.by_id[dev]
    layer = ip_layer(model, world, DevId(*state.underlay, "")) if state.underlay else None
    leads = partial(underlay.refusal, layer, model) if layer else underlay.anywhere
    effects = vxlan.transmit(model.vxlans, state, world, frame, leads)
    left = any(isinstance(effect, Leave) for effect in effects)
    if left and world.get(uplink_question(dev)) == "returns":
        return (*effects, Cross(dev, frame, Why("beyond-returns")))
    return effects


def _beyond(model: Model, world: World, dev: DevId, frame: Frame) -> tuple[Effect, ...]:
    """Out of what we see; perhaps it comes back, by the same cable or by a bond's others."""
    left = _on_the_segment(model, dev, frame)
    returns = world.get(uplink_question(outlet(model, dev))) == "returns"
    again = (Cross(dev, frame, Why("beyond-returns")),) if returns else ()
    master = model.bond_of.get(dev)
    if master is None:
        return (*left, *again)
    return (*left, *again, *bond.beyond(model.bonds[master], world, dev, frame))


def _on_the_segment(model: Model, dev: DevId, frame: Frame) -> tuple[Effect, ...]:
    """To the other hosts that are given, as far as one can tell; the rest is beyond."""
    left = Leave(dev, Why("beyond"))
    if is_group(frame.dst):
        heard = (_crossed(model, frame, found) for found in model.segments.group(dev))
        return (left, *heard)
    found = model.segments.unicast(dev, frame.dst)
    if isinstance(found, Unclear):
        return (Leave(dev, Why("segment-unclear", found.refs)),)
    return (left if found is None else _crossed(model, frame, found),)


def _crossed(model: Model, frame: Frame, found: Reached) -> Cross:
    place, frame = entrance(model, found.dev, frame)
    return Cross(place.dev, frame, Why("segment", found.refs))


def entrance(model: Model, dev: DevId, frame: Frame) -> tuple[Place, Frame]:
    """Where a frame that is to come in by ``dev`` first enters the host, and how it looks there.

    Of a bond's legs it is the first that takes frames; if none does, the first.
    """
    vlan = model.vlans.by_id.get(dev)
    if vlan is not None:
        down = vlan_device.tagged(vlan, frame)
        return entrance(model, down.dev, down.frame)
    if dev in model.bonds:
        return entrance(model, bond.taking_leg(model.bonds[dev]), frame)
    return Place(dev, "in"), frame


def nic_of(station: Station) -> DevId:
    """The station's own device; for a guest whose inside we do not see, one named by its MAC."""
    if station.device is not None:
        return station.device
    return station.port._replace(name=f"NIC {format_mac(station.mac)}")


def outlet(model: Model, dev: DevId) -> DevId:
    """What ``uplink_question`` is about: the device below VLAN devices, and a bond as a whole."""
    while (vlan := model.vlans.by_id.get(dev)) is not None:
        dev = vlan.lower
    return model.bond_of.get(dev, dev)


def uplink_question(dev: DevId) -> Question:
    """What lies beyond the ``outlet`` does with a frame it gets; unasked, it keeps it."""
    text = "does what lies beyond it return the frames it gets?"
    return Question(dev, text, ("keeps", "returns"), "keeps")
