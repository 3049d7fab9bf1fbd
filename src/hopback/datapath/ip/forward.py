"""A packet that is sent on for others (ip_forward.c:ip_forward, ip6_output.c:ip6_forward; 6.12)."""

from msgspec.structs import replace

from hopback.datapath.effects import Deliver, Drop, Effect, Why
from hopback.datapath.ip.forwarding import forwards
from hopback.datapath.ip.key import key_of
from hopback.datapath.ip.layer import IpLayer, Stop, also, because
from hopback.datapath.ip.output import handed_on, told_by
from hopback.datapath.ip.packet import hops_left, one_hop_less, packet_of
from hopback.datapath.ip.redirect import redirect4, redirect6
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.ip.tell import told_by_ipvs, told_of
from hopback.datapath.netfilter.packet import Passed
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.network.facts import Fact, merge_refs


def forward(layer: IpLayer, up: Deliver, packet: Ipv4 | Ipv6, way: Way) -> tuple[Effect, ...]:
    """What becomes of a packet whose ``way`` leads out again, and what its sender is told.

    IPv6 asks for the size after it has told of a shorter way, IPv4 before.
    """
    refused = _refused(layer, up, packet, way)
    if refused is not None:
        return (refused, *told_of(layer, up, refused))
    aside = redirect6(layer, up, packet, way) if isinstance(packet, Ipv6) else ()
    refused = layer.too_big(packet, way)
    if refused is not None:
        return (*aside, refused, *told_of(layer, up, refused, layer.mtu(way)))
    less = replace(up, frame=one_hop_less(up.frame, packet))
    return (*aside, *redirect4(layer, less, way), *_sent_on(layer, less, way))


def _sent_on(layer: IpLayer, up: Deliver, way: Way) -> tuple[Effect, ...]:
    """Past the filters of FORWARD, and IPVS behind them."""
    into, out, hop = up.dev.name, way.dev, way.nexthop
    passed = layer.call("forward", up.frame, up.skb, indev=into, outdev=out, nexthop=hop)
    if not isinstance(passed, Passed):
        return (passed,)
    why = Why("ip-forward", merge_refs(up.why.refs, way.refs, passed.refs))
    if layer.ipvs is None:
        return _leave(layer, up, passed, way, why)
    decision = layer.ipvs.at("forward", passed.frame, passed.skb, local=False)
    if not isinstance(decision, Passed):
        sent = handed_on(layer, decision, why.refs)
        return (*sent, *told_by_ipvs(layer, up, decision, local=False))
    why = also(told_by(decision, why), decision.refs)
    again = _rerouted(layer, passed, decision, way)
    if not isinstance(again, Way):
        return (because(again, why.refs),)
    return _leave(layer, up, decision, again, also(why, again.refs))


def _leave(layer: IpLayer, up: Deliver, passed: Passed, way: Way, why: Why) -> tuple[Effect, ...]:
    into, out, hop = up.dev.name, way.dev, way.nexthop
    last = layer.call("postrouting", passed.frame, passed.skb, indev=into, outdev=out, nexthop=hop)
    if not isinstance(last, Passed):
        return (because(last, why.refs),)
    sent = layer.finish(last, way, also(why, last.refs))
    return (sent, *told_of(layer, replace(up, frame=last.frame, skb=last.skb), sent))


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
    if not (isinstance(packet, Ipv6) and elsewhere):
        return None
    if packet.src.is_unspecified:
        return Drop(Why("ip-martian"))
    return Drop(Why("ip-link-local")) if packet.src.is_link_local else None
