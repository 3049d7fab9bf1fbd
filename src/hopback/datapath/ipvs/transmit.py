"""The ways by which IPVS hands a packet on (net/netfilter/ipvs/ip_vs_xmit.c; Linux 6.12).

What a server gets is sent like a packet of the host's own: from LOCAL_OUT on, and IPVS does not
look at it again. What is for the host itself goes on up the stack where it was.
"""

from msgspec.structs import replace

from hopback.datapath.effects import Why
from hopback.datapath.ipvs.nat import tracked, translate
from hopback.datapath.ipvs.packet import Arrival, Decision, Layer, Out, Refusal, marked
from hopback.datapath.ipvs.state import Chosen
from hopback.datapath.ipvs.tunnel import wrap, wrapper_of
from hopback.datapath.ipvs.way import Mode, Routed, route_to
from hopback.datapath.netfilter.packet import Passed
from hopback.network.facts import Ref, merge_refs


def transmit(ipvs: Layer, seen: Arrival, chosen: Chosen) -> Decision:
    """The packet on its way to the server (cp->packet_xmit)."""
    match chosen.method:
        case "route":
            decision = _plain(ipvs, seen, chosen, "ipvs-route", Mode())
        case "tunnel":
            decision = _tunnelled(ipvs, seen, chosen)
        case "masq":
            decision = _translated(ipvs, seen, chosen)
        case "bypass":
            decision = _plain(ipvs, seen, chosen, "ipvs-bypass", Mode(local=False))
        case _:
            decision = _kept(ipvs, seen)  # ip_vs_null_xmit
    return citing(decision, chosen.refs)


def citing(decision: Decision, refs: tuple[Ref, ...]) -> Decision:
    """The decision, which these rows led to."""
    if isinstance(decision, Passed):
        return replace(decision, refs=merge_refs(refs, decision.refs))
    if isinstance(decision, Out | Refusal) and (why := getattr(decision, "why", None)):
        return replace(decision, why=Why(why.rule, merge_refs(refs, why.refs)))
    return decision


def _plain(ipvs: Layer, seen: Arrival, chosen: Chosen, rule: str, mode: Mode) -> Decision:
    """The packet as it is, to the server's MAC (ip_vs_dr_xmit), or on to where it was going."""
    routed = route_to(ipvs, seen, chosen.address, mode)
    if not isinstance(routed, Routed):
        return routed
    if routed.local:
        return _kept(ipvs, seen, routed.way.refs)
    skb = marked(seen.skb, tracked=tracked(ipvs.director))
    return Out(routed.frame, skb, routed.way, Why(rule, routed.way.refs))


def _kept(ipvs: Layer, seen: Arrival, refs: tuple[Ref, ...] = ()) -> Passed:
    """The host itself is the server: on up its stack, TTL and all as it came."""
    skb = marked(seen.skb, tracked=tracked(ipvs.director))
    return Passed(seen.frame, skb, refs, (Why("ipvs-local", refs),))


def _tunnelled(ipvs: Layer, seen: Arrival, chosen: Chosen) -> Decision:
    """ip_vs_tunnel_xmit, ip_vs_tunnel_xmit_v6."""
    mode = Mode(wrapper=wrapper_of(chosen))
    routed = route_to(ipvs, seen, chosen.address, mode)
    if not isinstance(routed, Routed):
        return routed
    if routed.local:
        return _kept(ipvs, seen, routed.way.refs)
    return wrap(ipvs, seen, chosen, routed)


def _translated(ipvs: Layer, seen: Arrival, chosen: Chosen) -> Decision:
    """ip_vs_nat_xmit: another destination, to the host itself as well."""
    routed = route_to(ipvs, seen, chosen.address, Mode(redirect=True))
    if not isinstance(routed, Routed):
        return routed
    return translate(ipvs, seen, chosen, routed)
