"""Requests to a server's own address, and its answers back from the virtual one.

net/netfilter/ipvs/ip_vs_xmit.c:ip_vs_nat_xmit, ip_vs_proto_tcp.c, ip_vs_proto_udp.c,
ip_vs_nfct.c:ip_vs_update_conntrack; Linux 6.12.
"""

from msgspec.structs import replace

from hopback.datapath.effects import Blind, Drop, Why
from hopback.datapath.ip.packet import packet_of
from hopback.datapath.ipvs.packet import CUT, Arrival, Decision, Layer, Out, ends_of, is_cut, marked
from hopback.datapath.ipvs.state import PROTOCOLS, Chosen, Director
from hopback.datapath.ipvs.way import Routed
from hopback.datapath.netfilter.headers import headers_of
from hopback.datapath.netfilter.nat import readdressed
from hopback.datapath.netfilter.packet import Passed
from hopback.datapath.skb import End, Ip, Skb, Tuple
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame


def tracked(director: Director) -> bool:
    """Whether conntrack keeps what IPVS sends on (IP_VS_CONN_F_NFCT)."""
    return bool(director.setting("conntrack").value)


def translate(ipvs: Layer, seen: Arrival, chosen: Chosen, routed: Routed) -> Decision:
    """The packet with the server's address and port."""
    if routed.local and chosen.address.is_loopback and seen.hook == "input":
        return Drop(Why("ipvs-boundary", routed.way.refs))
    if is_cut(seen.packet):
        return CUT
    frame = moved(routed.frame, "target", chosen.address, chosen.port)
    if frame is None:
        return Blind("the checksum of SCTP after a change of port", chosen.refs)
    skb = marked(_altered(ipvs.director, seen.skb, chosen), tracked=tracked(ipvs.director))
    why = Why("ipvs-nat", routed.way.refs)
    if routed.local:
        return Passed(frame, skb, routed.way.refs, (why,))
    return Out(frame, skb, routed.way, why)


def _altered(director: Director, skb: Skb, chosen: Chosen) -> Skb:
    """Conntrack learns from whom the answer will come (ip_vs_update_conntrack)."""
    connection = skb.connection
    if not tracked(director) or connection is None or skb.reply or connection.replied:
        return skb
    reply = connection.reply._replace(source=chosen.address, source_port=chosen.port)
    return replace(skb, connection=replace(connection, reply=reply))


def moved(frame: Frame, end: End, address: Ip, port: int) -> Frame | None:
    """The frame with another source or target; None where its checksum cannot follow."""
    raw = encode(frame)
    headers = headers_of(raw, routed=True)
    like = Tuple(headers.l4proto or 0, address, address, port, port)
    if headers.l4proto == PROTOCOLS["sctp"]:
        packet = packet_of(frame)
        at = ends_of(packet) if packet else None
        if at is None or port != (at.source_port if end == "source" else at.target_port):
            return None
    return decode(readdressed(raw, headers, like, end))
