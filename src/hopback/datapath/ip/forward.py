"""A packet that is sent on for others (ip_forward.c:ip_forward, ip6_output.c:ip6_forward; 6.12)."""

from hopback.datapath.effects import Deliver, Drop, Effect, Why
from hopback.datapath.ip.input import forwards
from hopback.datapath.ip.layer import IpLayer, Stop
from hopback.datapath.ip.packet import hops_left, one_hop_less
from hopback.datapath.ip.route import Way
from hopback.datapath.netfilter.packet import Passed
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.network.facts import Fact, merge_refs


def forward(layer: IpLayer, up: Deliver, packet: Ipv4 | Ipv6, way: Way) -> Effect:
    """What becomes of a packet whose ``way`` leads out again."""
    refused = _refused(layer, up, packet, way)
    if refused is not None:
        return refused
    into, out, hop = up.dev.name, way.dev, way.nexthop
    frame = one_hop_less(up.frame, packet)
    passed = layer.call("forward", frame, up.skb, indev=into, outdev=out, nexthop=hop)
    if not isinstance(passed, Passed):
        return passed
    last = layer.call("postrouting", passed.frame, passed.skb, indev=into, outdev=out, nexthop=hop)
    if not isinstance(last, Passed):
        return last
    refs = merge_refs(up.why.refs, way.refs, passed.refs, last.refs)
    return layer.finish(last, way, Why("ip-forward", refs))


def _refused(layer: IpLayer, up: Deliver, packet: Ipv4 | Ipv6, way: Way) -> Stop | None:
    if isinstance(packet, Ipv6):
        told = forwards(layer.host, layer.world, up.dev.name, 6)
        if not isinstance(told, Fact):
            return told
    if up.packet_type != "host":
        return Drop(Why("ip-not-for-host"))
    if hops_left(packet) <= 1:
        return Drop(Why("ip-ttl"))
    elsewhere = way.dev != up.dev.name and not up.skb.dnatted
    if isinstance(packet, Ipv6) and packet.src.is_link_local and elsewhere:
        return Drop(Why("ip-link-local"))
    return layer.too_big(packet, way)
