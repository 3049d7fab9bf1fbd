"""A tunnel wraps what it sends, and the host routes the outer packet as one of its own.

net/ipv4/ip_tunnel.c, ip_tunnel_core.c, ip_gre.c, net/ipv6/sit.c, ip6_tunnel.c, ip6_gre.c
(Linux 6.12). The outer packet's identification is 0 here, and its sequence number, which count.
"""

from ipaddress import IPv4Address, IPv6Address

from hopback.datapath.effects import Blind, Drop, Effect, Log, Why
from hopback.datapath.ip.key import Key
from hopback.datapath.ip.layer import IpLayer
from hopback.datapath.ip.output import transmit as send_out
from hopback.datapath.ip.packet import hops_left, packet_of
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.ip.source_address import Source, source_of
from hopback.datapath.skb import Ip, Skb
from hopback.datapath.tunnel_state import CARRIES_FRAMES, TunnelState
from hopback.frames import ethernet
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import DONT_FRAGMENT, Ipv4
from hopback.frames.ipv6 import DESTINATION, Extension, Ipv6
from hopback.frames.mac import ZERO
from hopback.frames.transport import Transport
from hopback.frames.tunnel import GRE, IPIP, IPV6, TEB, Gre, Inner
from hopback.network.facts import merge_refs

_TTL = 64  # IPDEFTTL, where the inner packet has none to take
_ECN, _ECT0, _CE = 0b11, 0b10, 0b11
_INHERITED = 1  # bit 0 of a tunnel's TOS
_NESTED_MAX, _WRAPPED_MAX = 9, 3
_DEEPEST = 80  # packets inside packets that are followed: more than fit Ethernet's MTU
_ENCAP_LIMIT = 4  # IPV6_TLV_TNL_ENCAP_LIMIT


def transmit(layer: IpLayer, tunnel: TunnelState, frame: Frame, skb: Skb) -> tuple[Effect, ...]:
    """What becomes of ``frame`` that leaves by the tunnel (ip_tunnel_xmit, ip6_tnl_xmit)."""
    inner = packet_of(frame)
    if tunnel.blind is not None or tunnel.remote is None:
        return (Blind(*(tunnel.blind or (f"the remote of {tunnel.id.name}", tunnel.refs))),)
    if depth(frame) >= _DEEPEST:
        return (Blind(f"more than {_DEEPEST} packets inside each other", tunnel.refs),)
    if tunnel.kind not in CARRIES_FRAMES and not _carries(tunnel, inner):
        return (Drop(Why("tunnel-family", tunnel.refs)),)
    if tunnel.outer_v6 and tunnel.local not in layer.host.addresses:
        return (Drop(Why("tunnel-no-local", tunnel.refs)),)
    limit = _encap_limit(tunnel, inner)
    if limit is not None and limit < 0:
        return (Drop(Why("tunnel-encap-limit", tunnel.refs)),)
    tos, protocol = _tos(tunnel, inner), _protocol(tunnel, inner)
    key = key_of(tunnel, protocol, tos)
    way = lookup(layer.host, layer.world, key)
    if not isinstance(way, Way):
        return (_noted(way, tunnel),)
    stopped = _stopped(tunnel, way, skb)
    if stopped:
        return stopped
    local = tunnel.local
    source = Source(local) if local else source_of(layer.host, way, tunnel.remote)
    if source is None:
        return (Blind(f"the source address of what {tunnel.id.name} sends", way.refs),)
    outer = _outer(tunnel, source.address, protocol, _payload(tunnel, frame), inner, tos, limit)
    refs = merge_refs(tunnel.refs, way.refs, source.refs)
    refused = layer.too_big(outer, way)
    if isinstance(refused, Drop):
        return (Drop(Why("tunnel-too-big", merge_refs(refs, refused.why.refs))),)
    if refused is not None:
        return (refused,)
    ethertype = ethernet.IPV4 if isinstance(outer, Ipv4) else ethernet.IPV6
    beside = Skb(mark=skb.mark, nested=skb.nested + 1)
    wrapped = Frame(ZERO, ZERO, (), ethertype, outer)
    return (send_out(layer, wrapped, beside, way, Why("tunnel-wrap", refs)),)


def key_of(tunnel: TunnelState, protocol: int | None = None, tos: int = 0) -> Key:
    """What the outer packet is routed by (ip_tunnel_init_flow); the tunnel has a remote."""
    return Key(
        target=tunnel.remote or IPv4Address(0),
        source=tunnel.local,
        mark=tunnel.mark,
        oif=tunnel.lower,
        protocol=protocol,
        tos=tos & ~_ECN,
    )


def depth(frame: Frame) -> int:
    """How many packets carry the innermost one."""
    inside: object = frame
    found = 0
    while True:
        match inside:
            case Frame(payload=payload):
                inside = payload
            case Ipv4(payload=Inner(packet=carried)) | Ipv6(payload=Inner(packet=carried)):
                inside, found = carried, found + 1
            case Ipv4(payload=Gre(payload=carried)) | Ipv6(payload=Gre(payload=carried)):
                inside, found = carried, found + 1
            case _:
                return found


def _noted(stop: Effect, tunnel: TunnelState) -> Effect:
    """A drop by a route also cites the tunnel."""
    if isinstance(stop, Drop):
        return Drop(Why(stop.why.rule, merge_refs(tunnel.refs, stop.why.refs)))
    return stop


def _stopped(tunnel: TunnelState, way: Way, skb: Skb) -> tuple[Effect, ...]:
    """Routes that lead back, and packets that the kernel has wrapped too often already."""
    name, refs = tunnel.id.name, merge_refs(tunnel.refs, way.refs)
    if way.kind != "out" and tunnel.outer_v6:
        why = Why("tunnel-own-remote", refs)
        text = f"{name} xmit: Routing loop! Remote address found on this node!"
        return Log(text, why), Drop(why)
    if way.kind != "out":
        return (Blind(f"{name} sends to an address of its own host", refs),)
    if way.dev == name:
        why = Why("tunnel-own-route", refs)
        logged = (Log(f"{name}: Local routing loop detected!", why),) if tunnel.outer_v6 else ()
        return *logged, Drop(why)
    if skb.nested >= (_WRAPPED_MAX if tunnel.kernel.tunnel_nesting else _NESTED_MAX):
        why = Why("tunnel-dead-loop", tunnel.refs)
        return Log(f"Dead loop on virtual device {name}, fix it urgently!", why), Drop(why)
    return ()


def _carries(tunnel: TunnelState, inner: Ipv4 | Ipv6 | None) -> bool:
    """ipip_tunnel_xmit: IPv4 alone (and MPLS); what else one of the others refuses is not told."""
    return isinstance(inner, Ipv4) if tunnel.kind == "ipip" else inner is not None


def _protocol(tunnel: TunnelState, inner: Ipv4 | Ipv6 | None) -> int:
    if "gre" in tunnel.kind:
        return GRE
    return IPIP if isinstance(inner, Ipv4) else IPV6


def _payload(tunnel: TunnelState, frame: Frame) -> Transport:
    """What the outer packet carries: a packet, or behind a GRE header that or a frame."""
    packet = packet_of(frame)
    if "gre" not in tunnel.kind and packet is not None:
        return Inner(packet)
    whole = tunnel.kind in CARRIES_FRAMES
    sequence = 0 if tunnel.numbered else None
    return Gre(
        TEB if whole else frame.ethertype,
        frame if whole or packet is None else packet,
        tunnel.key,
        sequence,
        tunnel.summed,
    )


def _tos(tunnel: TunnelState, inner: Ipv4 | Ipv6 | None) -> int:
    """The outer TOS with the inner congestion marks (ip_tunnel_ecn_encap, ipxip6_tnl_xmit).

    GRE over IPv6 leaves the marks alone (ip6_gre.c:__gre6_xmit).
    """
    own = 0 if inner is None else inner.tos if isinstance(inner, Ipv4) else inner.traffic_class
    tos = own if tunnel.tos & _INHERITED else tunnel.tos
    if tunnel.kind in ("ip6gre", "ip6gretap"):
        return tos
    return tos & ~_ECN | (_ECT0 if own & _ECN == _CE else own & _ECN)


def _outer(
    tunnel: TunnelState,
    source: Ip,
    protocol: int,
    payload: Transport,
    inner: Ipv4 | Ipv6 | None,
    tos: int,
    limit: int | None,
) -> Ipv4 | Ipv6:
    ttl = tunnel.ttl or (_TTL if inner is None else hops_left(inner))
    target = tunnel.remote
    if isinstance(source, IPv4Address) and isinstance(target, IPv4Address):
        flags = DONT_FRAGMENT if tunnel.pmtudisc else 0
        if isinstance(inner, Ipv4) and not tunnel.ignore_df:
            flags |= inner.flags & DONT_FRAGMENT
        return Ipv4(source, target, protocol, payload, ttl, tos, flags=flags)
    options = () if limit is None else (_limit_option(limit),)
    ends = IPv6Address(source), IPv6Address(target or "::")
    return Ipv6(*ends, protocol, payload, ttl, tos, extensions=options)


def _limit_option(limit: int) -> Extension:
    """ip6_tunnel.c:init_tel_txopt: the option and its padding."""
    return Extension(DESTINATION, bytes((_ENCAP_LIMIT, 1, limit, 1, 1, 0)))


def _encap_limit(tunnel: TunnelState, inner: Ipv4 | Ipv6 | None) -> int | None:
    """How many more IPv6 tunnels the packet may enter; None: any, negative: not this one.

    ip6_tunnel.c:ip6_tnl_parse_tlv_enc_lim: what the inner packet says comes first.
    """
    if not tunnel.outer_v6:
        return None
    for extension in inner.extensions if isinstance(inner, Ipv6) else ():
        if isinstance(extension, Extension) and extension.body[:2] == bytes((_ENCAP_LIMIT, 1)):
            return extension.body[2] - 1
    return None if tunnel.encap_limit < 0 else tunnel.encap_limit
