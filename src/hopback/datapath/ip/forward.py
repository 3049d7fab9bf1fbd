"""A packet that is sent on for others (ip_forward.c:ip_forward, ip6_output.c:ip6_forward; 6.12)."""

from hopback.datapath.effects import Deliver, Drop, Effect, Why
from hopback.datapath.ip.input import forwards
from hopback.datapath.ip.key import key_of
from hopback.datapath.ip.layer import IpLayer, Stop, also, because
from hopback.datapath.ip.output import handed_on, told_by
from hopback.datapath.ip.packet import hops_left, one_hop_less, packet_of
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.netfilter.packet import Passed
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.network.facts import Fact, merge_refs


def forward(layer: IpLayer, up: Deliver, packet: Ipv4 | Ipv6, way: Way) -> tuple[Effect, ...]:
    """What becomes of a packet whose ``way`` leads out again."""
    refused = _refused(layer, up, packet, way)
    if refused is not None:
        return (refused,)
    into, out, hop = up.dev.name, way.dev, way.nexthop
    frame = one_hop_less(up.frame, packet)
    passed = layer.call("forward", frame, up.skb, indev=into, outdev=out, nexthop=hop)
    if not isinstance(passed, Passed):
        return (passed,)
    why = Why("ip-forward", merge_refs(up.why.refs, way.refs, passed.refs))
    if layer.ipvs is None:
        return (_leave(layer, up, passed, way, why),)
    decision = layer.ipvs.at("forward", passed.frame, passed.skb, local=False)
    if not isinstance(decision, Passed):
        return handed_on(layer, decision, why.refs)
    why = also(told_by(decision, why), decision.refs)
    again = _rerouted(layer, passed, decision, way)
    if not isinstance(again, Way):
        return (because(again, why.refs),)
    return (_leave(layer, up, decision, again, also(why, again.refs)),)


def _leave(layer: IpLayer, up: Deliver, passed: Passed, way: Way, why: Why) -> Effect:
    into, out, hop = up.dev.name, way.dev, way.nexthop
    last = layer.call("postrouting", passed.frame, passed.skb, indev=into, outdev=out, nexthop=hop)
    if not isinstance(last, Passed):
        return because(last, why.refs)
    return layer.finish(last, way, also(why, last.refs))


def _rerouted(layer: IpLayer, before: Passed, after: Passed, way: Way) -> Way | Stop:
    """An answer that IPVS gave its own address goes as if it came from here (snat_reroute).

    ip_vs_core.c:ip_vs_route_me_harder.
    """
    packet, was = packet_of(after.frame), packet_of(before.frame)
    if layer.ipvs is None or packet is None or was is None or packet.src == was.src:
        return way
    if not layer.ipvs.layer.director.setting("snat_reroute", 1).value:
        return way
    return lookup(layer.host, layer.world, key_of(packet, mark=after.skb.mark))


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
