"""A host opens what was wrapped for it, and the inner packet comes in by the tunnel's device.

net/ipv4/ip_tunnel.c:ip_tunnel_rcv, ip_gre.c, net/ipv6/sit.c, ip6_tunnel.c;
drivers/net/wireguard/receive.c (Linux 6.12).
"""

from collections.abc import Mapping
from ipaddress import IPv4Address

from hopback.datapath.effects import Cross, Deliver, Drop, Effect, Why
from hopback.datapath.ip.host import Own
from hopback.datapath.ip.packet import packet_of
from hopback.datapath.skb import Ip, Skb
from hopback.datapath.tunnel_state import Tunnels, TunnelState
from hopback.frames import ethernet
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import ZERO
from hopback.frames.tunnel import Gre, Inner, Sealed
from hopback.frames.udp import Udp
from hopback.network.facts import merge_refs
from hopback.snapshot.rows import TunnelKind


def opened(tunnels: Tunnels, own: Mapping[Ip, Own], up: Deliver) -> Effect:
    """What is in a packet that the host took for itself; ``up`` if no tunnel takes it.

    ``own`` are the host's addresses.
    """
    outer = packet_of(up.frame)
    if outer is None:
        return up
    match outer.payload:
        case Inner(packet=Ipv4() | Ipv6() as inner):
            tunnel = _taking(tunnels, up, outer, _ip_kinds(outer, inner), None)
            if tunnel is not None and tunnel.outer_v6 and outer.src in own:
                refs = merge_refs(tunnel.refs, own[outer.src].refs)
                return Drop(Why("tunnel-own-source", refs))
            return up if tunnel is None else _in(tunnel, up, _frame(inner))
        case Gre() as gre:
            return _gre(tunnels, up, outer, gre)
        case Udp(dport=port, payload=Sealed(packet=inner)):
            return _unsealed(tunnels, up, port, inner)
        case _:
            return up


def _taking(
    tunnels: Tunnels,
    up: Deliver,
    outer: Ipv4 | Ipv6,
    kinds: tuple[TunnelKind, ...],
    key: int | None,
) -> TunnelState | None:
    return tunnels.taking(up.dev[:2], kinds, outer.src, outer.dst, key)


def _ip_kinds(outer: Ipv4 | Ipv6, inner: Ipv4 | Ipv6) -> tuple[TunnelKind, ...]:
    if isinstance(outer, Ipv6):
        return ("ip6tnl",)
    return ("ipip", "sit") if isinstance(inner, Ipv4) else ("sit",)


def _gre(tunnels: Tunnels, up: Deliver, outer: Ipv4 | Ipv6, gre: Gre) -> Effect:
    v6, whole = isinstance(outer, Ipv6), isinstance(gre.payload, Frame)
    kind: TunnelKind = "ip6gre" if v6 else "gre"
    if whole:
        kind = "ip6gretap" if v6 else "gretap"
    tunnel = _taking(tunnels, up, outer, (kind,), gre.key)
    if tunnel is None:
        return up
    numbered = gre.sequence is not None
    if gre.summed != tunnel.accepts_summed or (tunnel.accepts_numbered and not numbered):
        return Drop(Why("tunnel-refused", tunnel.refs))
    if isinstance(gre.payload, Frame):
        return _in(tunnel, up, gre.payload)
    inner = gre.payload
    return _in(tunnel, up, _frame(inner)) if isinstance(inner, Ipv4 | Ipv6) else up


def _unsealed(tunnels: Tunnels, up: Deliver, port: int, inner: Ipv4 | Ipv6) -> Effect:
    """wg_packet_consume_data_done: a peer may send only what it is allowed to.

    Which peer sealed the packet its key tells, and no table; here it is any that may send this.
    """
    devices = [t for t in tunnels.by_netns.get(up.dev[:2], ()) if t.kind == "wireguard"]
    device = next((t for t in devices if t.port == port), None)
    if device is None:
        return up
    allowing = [p for p in device.peers if any(inner.src in to for to in p.allowed)]
    if not allowing:
        return Drop(Why("wireguard-source", device.refs))
    return _in(device, up, _frame(inner), Why("wireguard-open", allowing[0].refs))


def _frame(inner: Ipv4 | Ipv6) -> Frame:
    """A packet on a device without MACs."""
    ethertype = ethernet.IPV4 if isinstance(inner.src, IPv4Address) else ethernet.IPV6
    return Frame(ZERO, ZERO, (), ethertype, inner)


def _in(tunnel: TunnelState, up: Deliver, frame: Frame, why: Why | None = None) -> Cross:
    """skb_scrub_packet: the mark stays, and in older kernels that IPVS is not to look again."""
    reason = why or Why("tunnel-open")
    refs = merge_refs(up.why.refs, tunnel.refs, reason.refs)
    skb = Skb(mark=up.skb.mark, ipvs=up.skb.ipvs and not tunnel.kernel.tunnels_forget_ipvs)
    return Cross(tunnel.id, frame, Why(reason.rule, refs), skb)
