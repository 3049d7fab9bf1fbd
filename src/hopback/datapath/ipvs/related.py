"""ICMP errors about what IPVS has sent on (ip_vs_in_icmp, ip_vs_out_icmp, ip_vs_icmp_xmit; 6.12).

A client's error about an answer goes to the server that gave it, a server's error about a request
to the client. NAT rewrites the error and what it quotes.
"""

from typing import NamedTuple

from msgspec.structs import replace

from hopback.datapath.effects import Blind, Drop, Why
from hopback.datapath.ip.packet import packet_of
from hopback.datapath.ipvs.nat import tracked
from hopback.datapath.ipvs.packet import Arrival, Decision, Layer, Out, marked
from hopback.datapath.ipvs.state import PROTOCOLS, Chosen
from hopback.datapath.ipvs.transmit import citing, transmit
from hopback.datapath.ipvs.way import Mode, Routed, route_to
from hopback.datapath.netfilter.conntrack import inverse, quote_of, tuple_of
from hopback.datapath.netfilter.headers import headers_of
from hopback.datapath.netfilter.packet import Passed
from hopback.datapath.skb import End, Ip, Tuple
from hopback.frames import icmp
from hopback.frames.checksum import fill
from hopback.frames.codec import encode
from hopback.frames.ethernet import Frame
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.raw import Raw

_SOURCE_QUENCH = 4
_ERRORS = frozenset((icmp.UNREACHABLE, _SOURCE_QUENCH, icmp.TIME_EXCEEDED))
_V6_QUERIES = 128
_TUNNELS = frozenset((4, 41, 47, 17))


class Quoted(NamedTuple):
    """What an error quotes: its addresses and ports, and where in the quote the ports are."""

    ends: Tuple
    ports: int


def is_error(packet: Ipv4 | Ipv6) -> bool:
    """Whether it is an error that IPVS knows."""
    message = packet.payload
    if isinstance(message, Icmp):
        return message.kind in _ERRORS
    return isinstance(message, Icmpv6) and message.kind < _V6_QUERIES


def quoted(frame: Frame) -> Quoted | None:
    """The packet that an error quotes, if it is of a protocol that IPVS balances."""
    raw = encode(frame)
    found = quote_of(raw, headers_of(raw, routed=True))
    if found is None or found[1].l4proto not in PROTOCOLS.values():
        return None
    ends, inside = tuple_of(*found), found[0][found[1].transport :]
    if ends.protocol == PROTOCOLS["sctp"]:
        ports = int.from_bytes(inside[:2], "big"), int.from_bytes(inside[2:4], "big")
        ends = Tuple(ends.protocol, ends.source, ends.target, *ports)
    return Quoted(ends, found[1].transport - 14)


def related_request(layer: Layer, seen: Arrival, chosen: Chosen, quote: Quoted) -> Decision:
    """A client's error, to the server of the connection (ip_vs_icmp_xmit)."""
    if chosen.method != "masq":
        return transmit(layer, seen, chosen)
    inside = seen.hook != "forward"
    routed = route_to(layer, seen, chosen.address, Mode(local=inside, redirect=inside))
    if not isinstance(routed, Routed):
        return citing(routed, chosen.refs)
    if routed.local and chosen.address.is_loopback and seen.hook == "input":
        return citing(Drop(Why("ipvs-boundary", routed.way.refs)), chosen.refs)
    frame = _moved(routed.frame, "target", quote, chosen.address, chosen.port)
    why = Why("ipvs-related", routed.way.refs)
    skb = marked(seen.skb, tracked=tracked(layer.director))
    if routed.local:
        return citing(Passed(frame, skb, routed.way.refs, (why,)), chosen.refs)
    return citing(Out(frame, skb, routed.way, why), chosen.refs)


def related_answer(layer: Layer, seen: Arrival, quote: Quoted, begun: Tuple) -> Decision:
    """A server's error about a request, to the client, from the virtual address."""
    frame = _moved(seen.frame, "source", quote, begun.target, begun.target_port)
    known = layer.director.connections[begun]
    skb = marked(seen.skb, tracked=tracked(layer.director))
    return Passed(frame, skb, known.refs, (Why("ipvs-related", known.refs),))


def _moved(frame: Frame, end: End, quote: Quoted, address: Ip, port: int) -> Frame:
    """The error with that source or target, and the opposite end of its quote (ip_vs_nat_icmp)."""
    packet = packet_of(frame)
    if packet is None or not isinstance(packet.payload, Icmp | Icmpv6):
        return frame
    message = packet.payload
    body = _requoted(message.body.raw, end, quote, address, port)
    told = replace(message, body=Raw(body), checksum=None)
    changed = {"src" if end == "source" else "dst": address}
    if isinstance(packet, Ipv4):
        return replace(frame, payload=replace(packet, **changed, payload=told, checksum=None))
    return replace(frame, payload=replace(packet, **changed, payload=told))


def _requoted(body: bytes, end: End, quote: Quoted, address: Ip, port: int) -> bytes:
    """The quote with the address and port of the end that the error comes from, or goes to."""
    is_v4, inner_source = address.version == 4, end == "target"
    at = (12 if is_v4 else 8) + (0 if inner_source else len(address.packed))
    ports = quote.ports + (0 if inner_source else 2)
    body = body[:at] + address.packed + body[at + len(address.packed) :]
    body = body[:ports] + port.to_bytes(2, "big") + body[ports + 2 :]
    if not is_v4:
        return body
    size = (body[0] & 0x0F) * 4
    header = body[:10] + bytes(2) + body[12:size]
    return fill(header, 10, None) + body[size:]


def in_tunnel(layer: Layer, frame: Frame) -> Blind | None:
    """An error about what a tunnel of IPVS carries is told on to the client: not modelled."""
    raw = encode(frame)
    found = quote_of(raw, headers_of(raw, routed=True))
    if found is None or found[1].l4proto not in _TUNNELS:
        return None
    target = inverse(tuple_of(*found)).source
    for service in layer.director.services:
        for server in service.servers:
            if server.method == "tunnel" and server.address == target:
                return Blind("an ICMP error about a tunnel of IPVS", server.refs)
    return None
