"""What the host itself sends: from its own sockets, or its kernel (ip_local_out; Linux 6.12)."""

from functools import partial

from msgspec.structs import replace

from hopback.datapath.effects import Blind, Drop, Effect, Why
from hopback.datapath.ip.key import key_of
from hopback.datapath.ip.layer import IpLayer, Stop, also, because
from hopback.datapath.ip.packet import packet_of
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.ipvs.hooks import AT_OUTPUT
from hopback.datapath.ipvs.packet import Out, Refusal, Told
from hopback.datapath.netfilter.packet import Passed
from hopback.datapath.netfilter.traverse import ANY_PRIORITY
from hopback.datapath.skb import FRESH, Skb
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.network.facts import Ref, merge_refs

_OWN = Why("ip-output")
_BEFORE_IPVS = range(ANY_PRIORITY.start, AT_OUTPUT)
_AFTER_IPVS = range(AT_OUTPUT, ANY_PRIORITY.stop)


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
    why = also(why, way.refs)
    passed = _at_output(layer, frame, skb, way, why)
    if not isinstance(passed, Passed):
        return passed
    why = also(why, passed.refs)
    if _routing(passed.frame, passed.skb) != _routing(frame, skb):
        again = way_out(layer, passed.frame, passed.skb)
        if not isinstance(again, Way):
            return because(again, why.refs)
        way, why = again, also(why, again.refs)
    if way.kind != "out":
        return Blind("a packet of the host to itself or to all", way.refs)
    last = layer.call("postrouting", passed.frame, passed.skb, outdev=way.dev, nexthop=way.nexthop)
    if not isinstance(last, Passed):
        return because(last, why.refs)
    return layer.finish(last, way, also(why, last.refs))


def _at_output(layer: IpLayer, frame: Frame, skb: Skb, way: Way, why: Why) -> Passed | Effect:
    """LOCAL_OUT: IPVS stands between NAT and the filters, and may send the packet itself."""
    vrf = layer.host.vrfs.get(way.dev)
    if vrf is not None:
        passed = layer.unchanged(Passed(frame, skb), vrf, outdev=vrf.dev)  # vrf_ip_out_direct
        if not isinstance(passed, Passed):
            return because(passed, why.refs)
        why = also(why, passed.refs)
    hook = partial(layer.call, "output", outdev=way.dev, nexthop=way.nexthop)
    before = hook(frame, skb, priorities=_BEFORE_IPVS)
    if not isinstance(before, Passed):
        return because(before, why.refs)
    if layer.ipvs is not None:
        local = way.kind == "local"
        decision = layer.ipvs.at("output", before.frame, before.skb, local=local)
        if not isinstance(decision, Passed):
            return handed_on(layer, decision, merge_refs(why.refs, before.refs))[-1]
        before = replace(decision, refs=merge_refs(before.refs, decision.refs))
    passed = hook(before.frame, before.skb, priorities=_AFTER_IPVS)
    if not isinstance(passed, Passed):
        return because(passed, merge_refs(why.refs, before.refs))
    return replace(passed, refs=merge_refs(before.refs, passed.refs))


def handed_on(layer: IpLayer, decision: Out | Refusal, refs: tuple[Ref, ...]) -> tuple[Effect, ...]:
    """What IPVS does not leave to the host's own stack, by what these rows led to."""
    if isinstance(decision, Told):
        return (Drop(also(decision.why, refs)),)
    if not isinstance(decision, Out):
        return (because(decision, refs),)
    why = also(decision.why, refs)
    return (transmit(layer, decision.frame, decision.skb, decision.way, why),)


def told_by(passed: Passed, why: Why) -> Why:
    """The reason with the rule by which IPVS let the packet pass, if it did more than that."""
    return Why(passed.done[-1].rule, why.refs) if passed.done else why


def way_out(layer: IpLayer, frame: Frame, skb: Skb) -> Way | Stop:
    """Where a program's packet goes, of which nobody knows the user."""
    packet = packet_of(frame)
    if packet is None:
        return Blind("a packet that is none", ())
    way = lookup(layer.host, layer.world, key_of(packet, mark=skb.mark, uid=None))
    if not isinstance(way, Way) or way.kind != "out":
        return way
    return layer.too_big(packet, way) or way


def _routing(frame: Frame, skb: Skb) -> tuple[object, ...]:
    """What a new route is looked up for if it changes."""
    match frame.payload:
        case Ipv4(src=source, dst=target, tos=tos):
            return source, target, tos, skb.mark
        case Ipv6(src=source, dst=target, traffic_class=tos):
            return source, target, tos, skb.mark
    return ()
