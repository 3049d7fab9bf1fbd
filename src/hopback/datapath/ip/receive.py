"""A packet goes up the IP layer: to the host itself, or on by another device.

net/ipv4/ip_input.c; net/ipv6/ip6_input.c (Linux 6.12).
"""

from msgspec.structs import replace

from hopback.datapath.effects import Deliver, Drop, Effect, Why
from hopback.datapath.ip.forward import forward
from hopback.datapath.ip.input import route_input
from hopback.datapath.ip.layer import IpLayer, Stop, also, because
from hopback.datapath.ip.output import handed_on, told_by
from hopback.datapath.ip.packet import is_invalid, packet_of
from hopback.datapath.ip.route import Way
from hopback.datapath.ip.source import martian6
from hopback.datapath.ip.tell import told_by_ipvs, told_of
from hopback.datapath.ipvs.hooks import AT_INPUT
from hopback.datapath.netfilter.packet import Passed
from hopback.datapath.netfilter.traverse import ANY_PRIORITY
from hopback.frames.ipv6 import Ipv6
from hopback.network.facts import merge_refs

_BEFORE_IPVS = range(ANY_PRIORITY.start, AT_INPUT)
_AFTER_IPVS = range(AT_INPUT, ANY_PRIORITY.stop)


def receive(layer: IpLayer, up: Deliver) -> tuple[Effect, ...]:
    """What becomes of a packet that came up on ``up.dev`` (ip_rcv, ipv6_rcv)."""
    if up.packet_type == "otherhost" or not layer.takes(up.frame):
        return (up,)
    if is_invalid(up.frame):
        return (Drop(Why("ip-invalid")),)
    odd = martian6(up.frame.payload) if isinstance(up.frame.payload, Ipv6) else None
    if odd is not None:
        return (odd,)
    entered = _prerouting(layer, up)
    if not isinstance(entered, Passed):
        return (entered,)
    up = replace(up, frame=entered.frame, skb=entered.skb, why=also(up.why, entered.refs))
    packet = packet_of(up.frame)
    if packet is None:
        return (up,)
    way = route_input(layer.host, layer.world, packet, up.skb, up.dev.name)
    if not isinstance(way, Way):
        refused = because(way, entered.refs)
        return (refused, *told_of(layer, up, refused))
    if way.kind == "out":
        return forward(layer, up, packet, way)
    return _local(layer, up, way)


def _prerouting(layer: IpLayer, up: Deliver) -> Passed | Stop:
    """br_netfilter_hooks.c:ip_sabotage_in: not once more after a bridge has called it."""
    if up.skb.physin:
        return Passed(up.frame, up.skb)
    passed = layer.call("prerouting", up.frame, up.skb, indev=up.dev.name)
    vrf = layer.host.vrfs.get(up.dev.name)
    packet = packet_of(up.frame)
    if not isinstance(passed, Passed) or vrf is None or (packet and packet.dst.is_multicast):
        return passed
    # vrf_ip_rcv: once more, by the VRF device
    again = layer.call("prerouting", passed.frame, passed.skb, indev=vrf.dev)
    if not isinstance(again, Passed):
        return because(again, passed.refs)
    return replace(again, refs=merge_refs(passed.refs, again.refs))


def _local(layer: IpLayer, up: Deliver, way: Way) -> tuple[Effect, ...]:
    """ip_local_deliver: IPVS stands between the filters and NAT."""
    name = up.dev.name
    before = layer.call("input", up.frame, up.skb, indev=name, priorities=_BEFORE_IPVS)
    if not isinstance(before, Passed):
        return (before,)
    why = up.why
    if layer.ipvs is not None and up.packet_type == "host":
        decision = layer.ipvs.at("input", before.frame, before.skb, local=True)
        if not isinstance(decision, Passed):
            sent = handed_on(layer, decision, merge_refs(way.refs, before.refs))
            return (*sent, *told_by_ipvs(layer, up, decision, local=True))
        why = told_by(decision, why)
        before = replace(decision, refs=merge_refs(before.refs, decision.refs))
    passed = layer.call("input", before.frame, before.skb, indev=name, priorities=_AFTER_IPVS)
    if not isinstance(passed, Passed):
        return (because(passed, before.refs),)
    skb = replace(passed.skb, physin="", dnatted=False, packet_type=None)
    why = also(why, way.refs + before.refs + passed.refs)
    return (Deliver(up.dev, passed.frame, up.packet_type, why, skb),)
