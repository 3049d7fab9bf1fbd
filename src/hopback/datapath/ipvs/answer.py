"""A server's answer at a director (net/netfilter/ipvs/ip_vs_core.c:ip_vs_out_hook; Linux 6.12).

Only NAT changes it: with the other methods a server answers from the virtual address itself.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from hopback.datapath.effects import Ask, Blind, Why
from hopback.datapath.ipvs.connection import continued
from hopback.datapath.ipvs.nat import moved, tracked
from hopback.datapath.ipvs.packet import (
    CUT,
    Arrival,
    Decision,
    Layer,
    Told,
    ends_of,
    is_cut,
    marked,
    tcp_flags,
)
from hopback.datapath.ipvs.related import is_error, quoted, related_answer
from hopback.datapath.ipvs.state import PROTOCOLS, Chosen, Director, Service
from hopback.datapath.netfilter.conntrack import inverse
from hopback.datapath.netfilter.packet import Passed
from hopback.datapath.skb import Tuple
from hopback.frames.ipv6 import Ipv6
from hopback.frames.tcp import RST
from hopback.network.facts import Ref, merge_refs

_NEW = "none"


def answer(layer: Layer, seen: Arrival) -> Decision:
    """What IPVS makes of a packet that may come from one of its servers."""
    passed = Passed(seen.frame, seen.skb)
    if is_error(seen.packet):
        return _error(layer, seen)
    at = ends_of(seen.packet)
    if at is None:
        return passed
    director = layer.director
    begun = director.answers.get(at)
    if begun is not None and (translated := _translated(layer, seen, begun)) is not None:
        return translated
    known = director.connections.get(inverse(at))
    if known is not None:  # from the virtual address already
        return replace(passed, skb=marked(seen.skb, tracked=tracked(director)), refs=known.refs)
    return _unknown(layer, seen, at)


def _translated(layer: Layer, seen: Arrival, begun: Tuple) -> Decision | None:
    """The answer to a known connection, if that goes by NAT."""
    refs = _masqueraded(layer.director, begun)
    if refs is None or isinstance(refs, Blind):
        return refs
    return _back(layer.director, seen, begun, refs)


def _masqueraded(director: Director, begun: Tuple) -> tuple[Ref, ...] | Blind | None:
    """The rows by which a connection goes by NAT; None if it does not.

    Nobody asks whether its server is still there.
    """
    known = director.connections[begun]
    if known.translated is not None:
        return known.refs if known.translated else None
    chosen = continued(director, begun, known)
    if not isinstance(chosen, Chosen):
        return Blind("the method of an IPVS connection, which no listing tells", known.refs)
    return chosen.refs if chosen.method == "masq" else None


def _error(layer: Layer, seen: Arrival) -> Decision:
    """A server's error about a request (ip_vs_out_icmp).

    For IPv6 the source has it sent on, but Linux 6.1 as a user-mode kernel finds its checksum
    wrong and drops it.
    """
    quote = quoted(seen.frame)
    begun = layer.director.answers.get(inverse(quote.ends)) if quote else None
    refs = _masqueraded(layer.director, begun) if begun else None
    if quote is None or begun is None or refs is None:
        return Passed(seen.frame, seen.skb)
    if isinstance(refs, Blind):
        return refs
    if isinstance(seen.packet, Ipv6):
        return Blind("an ICMPv6 error of a real server behind NAT", refs)
    return related_answer(layer, seen, quote, begun)


def _back(director: Director, seen: Arrival, begun: Tuple, refs: tuple[Ref, ...]) -> Decision:
    """The packet from the virtual address and port (handle_response)."""
    if is_cut(seen.packet):
        return CUT
    frame = moved(seen.frame, "source", begun.target, begun.target_port)
    if frame is None:
        return Blind("the checksum of SCTP after a change of port", refs)
    skb = marked(seen.skb, tracked=tracked(director))
    return Passed(frame, skb, refs, (Why("ipvs-reply", refs),))


def _unknown(layer: Layer, seen: Arrival, at: Tuple) -> Decision:
    """A packet of no connection that is listed: whether it has one may have to be asked."""
    passed = Passed(seen.frame, seen.skb)
    director = layer.director
    mine = () if seen.hook == "input" else _served(director, at)
    if not mine:
        return passed
    refs = merge_refs(*(service.refs for service in mine))
    if not director.followed:
        asked = _asked(layer, at, mine)
        if isinstance(asked, Ask):
            return asked
        if asked is not None and asked.address is not None:
            port = asked.port or at.source_port
            begun = Tuple(at.protocol, at.target, asked.address, at.target_port, port)
            return _back(director, seen, begun, asked.refs)
        if asked is not None:
            return Blind("the virtual address of a connection by a mark", asked.refs)
    told = director.setting("nat_icmp_send")
    ends = (tcp_flags(seen.packet) or 0) & RST
    if told.value and not ends and _is_real_server(mine, at):
        return Told("port", seen.frame, Why("ipvs-no-connection", merge_refs(told.refs, refs)))
    return passed


def _served(director: Director, at: Tuple) -> tuple[Service, ...]:
    """The services that NAT to the packet's source, whether by that port or by all."""
    return tuple(
        service
        for service in director.behind.get(at.source, ())
        if PROTOCOLS.get(service.protocol, at.protocol) == at.protocol
        for server in service.servers
        if server.method == "masq"
        and server.address == at.source
        and server.port in (at.source_port, 0)
    )


def _is_real_server(services: Iterable[Service], at: Tuple) -> bool:
    """ip_vs_has_real_service: by that very port."""
    servers = (server for service in services for server in service.servers)
    return any(
        (s.address, s.port, s.method) == (at.source, at.source_port, "masq") for s in servers
    )


def _asked(layer: Layer, at: Tuple, mine: tuple[Service, ...]) -> Service | Ask | None:
    """Nobody listed the connections: the service whose answer this is, None if it is of none."""
    text = f"whose answer is a packet from {at.source} to {at.target} port {at.target_port}?"
    names = tuple(str(service) for service in mine)
    told = layer.director.asked(layer.world, text, (*names, _NEW), names[0])
    if isinstance(told, Ask):
        return told
    return next((service for service in mine if str(service) == told), None)
