"""What the host itself sends: from its own sockets, or its kernel (ip_local_out; Linux 6.12)."""

from hopback.datapath.effects import Blind, Effect, Why
from hopback.datapath.ip.key import key_of
from hopback.datapath.ip.layer import IpLayer, Stop, also, because
from hopback.datapath.ip.packet import packet_of
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.netfilter.packet import Passed
from hopback.datapath.skb import FRESH, Skb
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6

_OWN = Why("ip-output")


def send(layer: IpLayer, frame: Frame, skb: Skb = FRESH) -> Effect:
    """A packet of some program's, in a frame whose MACs are still open.

    Where it goes is decided before its filters see it. What the host sends to itself is not
    followed.
    """
    way = way_out(layer, frame, skb)
    return transmit(layer, frame, skb, way) if isinstance(way, Way) else way


def transmit(layer: IpLayer, frame: Frame, skb: Skb, way: Way, why: Why = _OWN) -> Effect:
    """A packet of the host's own whose ``way`` out is chosen: its filters, then its neighbour.

    That is what becomes of what a program sends, of ICMP errors, of what tunnels and IPVS send on
    (NF_INET_LOCAL_OUT, dst_output). ``why`` is the reason of what leaves. Filters that give it
    another address, TOS or mark have it routed anew (ip_route_me_harder).
    """
    if way.kind != "out":
        return Blind("a packet of the host to itself or to all", way.refs)
    why = also(why, way.refs)
    passed = layer.call("output", frame, skb, outdev=way.dev, nexthop=way.nexthop)
    if not isinstance(passed, Passed):
        return because(passed, why.refs)
    why = also(why, passed.refs)
    if _routing(passed.frame, passed.skb) != _routing(frame, skb):
        again = way_out(layer, passed.frame, passed.skb)
        if not isinstance(again, Way):
            return because(again, why.refs)
        way, why = again, also(why, again.refs)
    last = layer.call("postrouting", passed.frame, passed.skb, outdev=way.dev, nexthop=way.nexthop)
    if not isinstance(last, Passed):
        return because(last, why.refs)
    return layer.finish(last, way, also(why, last.refs))


def way_out(layer: IpLayer, frame: Frame, skb: Skb) -> Way | Stop:
    """Where a program's packet goes, of which nobody knows the user."""
    packet = packet_of(frame)
    if packet is None:
        return Blind("a packet that is none", ())
    way = lookup(layer.host, layer.world, key_of(packet, mark=skb.mark, uid=None))
    if isinstance(way, Way) and way.kind != "out":
        return Blind("a packet of the host to itself or to all", way.refs)
    return (layer.too_big(packet, way) if isinstance(way, Way) else None) or way


def _routing(frame: Frame, skb: Skb) -> tuple[object, ...]:
    """What a new route is looked up for if it changes."""
    match frame.payload:
        case Ipv4(src=source, dst=target, tos=tos):
            return source, target, tos, skb.mark
        case Ipv6(src=source, dst=target, traffic_class=tos):
            return source, target, tos, skb.mark
    return ()
