"""What IPVS puts around a packet for a server behind a tunnel.

net/netfilter/ipvs/ip_vs_xmit.c:ip_vs_tunnel_xmit, ipvs_gue_encap, ipvs_gre_encap; Linux 6.12.
The outer header has the TTL of the inner one, which is one less than it came with.
"""

from ipaddress import IPv4Address, IPv6Address

from msgspec.structs import replace

from hopback.datapath.effects import Blind, Why
from hopback.datapath.ip.host import Host
from hopback.datapath.ip.packet import hops_left, packet_of
from hopback.datapath.ip.route import Way
from hopback.datapath.ip.source_address import Source, source_of
from hopback.datapath.ipvs.packet import Arrival, Decision, Layer, Out
from hopback.datapath.ipvs.state import Chosen
from hopback.datapath.ipvs.way import Routed
from hopback.datapath.skb import Ip, Skb
from hopback.frames import ethernet, udp
from hopback.frames.ipv4 import DONT_FRAGMENT, Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.raw import Raw
from hopback.frames.transport import Transport
from hopback.frames.tunnel import GRE, IPIP, IPV6, Gre, Inner
from hopback.frames.udp import Udp
from hopback.network.facts import merge_refs

_OUTER = {4: 20, 6: 40}
_INNER = {"ipip": 0, "gre": 4, "gue": 12}
_ECN, _ECT0 = 0b11, 0b10
_PORT = 32768


def wrapper_of(chosen: Chosen) -> int:
    """What the tunnel adds to a packet, in bytes."""
    kind = chosen.server.tunnel if chosen.server else "ipip"
    return _OUTER[chosen.address.version] + _INNER.get(kind, 0)


def wrap(ipvs: Layer, seen: Arrival, chosen: Chosen, routed: Routed) -> Decision:
    """The packet in another, from an address of this host to the server's."""
    found = _source(ipvs.host, routed.way, chosen.address)
    inner = packet_of(routed.frame)
    if found is None or inner is None:
        return Blind(f"the source address of a tunnel to {chosen.address}", routed.way.refs)
    source, refs = found.address, merge_refs(routed.way.refs, found.refs)
    protocol, payload = _encapsulated(inner, chosen)
    tos = inner.tos if isinstance(inner, Ipv4) else inner.traffic_class
    tos = tos & ~_ECN | _ECT0 if tos & _ECN == _ECN else tos  # INET_ECN_encapsulate
    ttl = hops_left(inner)
    if isinstance(source, IPv4Address) and isinstance(chosen.address, IPv4Address):
        flags = inner.flags & DONT_FRAGMENT if isinstance(inner, Ipv4) else 0
        if not ipvs.director.setting("pmtu_disc", 1).value:
            flags = 0
        outer = Ipv4(source, chosen.address, protocol, payload, ttl, tos, flags=flags)
        frame = replace(routed.frame, ethertype=ethernet.IPV4, payload=outer, padding=b"")
    else:
        server = IPv6Address(chosen.address)
        packet = Ipv6(IPv6Address(source), server, protocol, payload, ttl, tos)
        frame = replace(routed.frame, ethertype=ethernet.IPV6, payload=packet, padding=b"")
    return Out(frame, _fresh(seen.skb), routed.way, Why("ipvs-tunnel", refs))


def _fresh(skb: Skb) -> Skb:
    """To conntrack the outer packet is a new one (ip_vs_tunnel_xmit_prepare: nf_reset_ct)."""
    return Skb(mark=skb.mark, ipvs=True)


def _encapsulated(inner: Ipv4 | Ipv6, chosen: Chosen) -> tuple[int, Transport]:
    """What the outer header carries, and its protocol number.

    The source port of GUE is a hash that the kernel seeds anew at each boot: here always the same.
    """
    is_v4 = isinstance(inner, Ipv4)
    protocol = IPIP if is_v4 else IPV6
    kind = chosen.server.tunnel if chosen.server else "ipip"
    if kind == "gre":
        return GRE, Gre(ethernet.IPV4 if is_v4 else ethernet.IPV6, inner)
    if kind == "gue":
        port = chosen.server.tunnel_port if chosen.server else 0
        gue = bytes((0, protocol, 0, 0)) + ethernet.encode_payload(inner)
        return udp.PROTOCOL, Udp(_PORT, port, Raw(gue), checksum=0)
    return protocol, Inner(inner)


def _source(host: Host, way: Way, target: Ip) -> Source | None:
    """For IPv6 what the route gives does not count (__ip_vs_route_output_v6)."""
    return source_of(host, replace(way, source=None) if target.version == 6 else way, target)
