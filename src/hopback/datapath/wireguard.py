"""WireGuard seals what it sends for the peer that is allowed the destination.

drivers/net/wireguard/device.c:wg_xmit, socket.c:send4, send6 (Linux 6.12). Read in the source: no
kernel that this was tried on has it.
"""

from ipaddress import IPv4Address, ip_address

from hopback.datapath.effects import Blind, Drop, Effect, Log, Why
from hopback.datapath.ip.key import Key
from hopback.datapath.ip.layer import IpLayer
from hopback.datapath.ip.output import transmit as send_out
from hopback.datapath.ip.packet import packet_of
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.ip.source_address import source_of
from hopback.datapath.skb import Ip, Skb
from hopback.datapath.tunnel_state import Peer, TunnelState
from hopback.frames import ethernet, udp
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import ZERO
from hopback.frames.tunnel import Sealed
from hopback.frames.udp import Udp
from hopback.network.facts import merge_refs

_TTL = 64


def transmit(layer: IpLayer, device: TunnelState, frame: Frame) -> tuple[Effect, ...]:
    """What becomes of a packet that leaves by the device."""
    inner = packet_of(frame)
    if device.blind is not None or inner is None:
        return (Blind(*(device.blind or ("a frame that is no packet", device.refs))),)
    peer = peer_for(device, inner.dst)
    if peer is None:
        return (Drop(Why("wireguard-no-peer", device.refs)),)
    if not peer.endpoint:
        if peer.endpoint is None:
            return (Blind(f"the endpoint of a peer of {device.id.name}", peer.refs),)
        return (Drop(Why("wireguard-no-endpoint", peer.refs)),)
    key = key_to(device, peer, ip_address(peer.endpoint))
    way = lookup(layer.host, layer.world, key)
    refs = merge_refs(device.refs, peer.refs)
    if not isinstance(way, Way):
        if isinstance(way, Drop):
            return (Drop(Why(way.why.rule, merge_refs(refs, way.why.refs))),)
        return (way,)
    refs = merge_refs(refs, way.refs)
    if way.kind != "out":
        return (Blind(f"{device.id.name} sends to an address of its own host", refs),)
    if way.dev == device.id.name and not device.kernel.wireguard_nests:
        why = Why("wireguard-own-route", refs)
        text = f"{device.id.name}: Avoiding routing loop to {peer.endpoint}:{peer.port}"
        return Log(text, why), Drop(why)
    source = source_of(layer.host, way, key.target)
    if source is None:
        return (Blind(f"the source address of what {device.id.name} sends", refs),)
    refs = merge_refs(refs, source.refs)
    outer = _sealed(device, peer, source.address, key.target, inner)
    refused = layer.too_big(outer, way)
    if refused is not None:
        return (refused,)
    ethertype = ethernet.IPV4 if isinstance(outer, Ipv4) else ethernet.IPV6
    # A worker sends it later: it is not nested in what the host transmits now.
    beside = Skb(mark=device.mark)
    wrapped = Frame(ZERO, ZERO, (), ethertype, outer)
    return (send_out(layer, wrapped, beside, way, Why("wireguard-wrap", refs)),)


def peer_for(device: TunnelState, target: Ip) -> Peer | None:
    """Who is allowed ``target`` by the longest prefix (wg_allowedips_lookup_dst)."""
    allowing = [(to.prefixlen, p) for p in device.peers for to in p.allowed if target in to]
    return max(allowing, key=lambda found: found[0])[1] if allowing else None


def key_to(device: TunnelState, peer: Peer, endpoint: Ip) -> Key:
    """What the outer packet is routed by."""
    return Key(
        target=endpoint,
        mark=device.mark,
        protocol=udp.PROTOCOL,
        source_port=device.port,
        target_port=peer.port,
    )


def _sealed(
    device: TunnelState, peer: Peer, source: Ip, endpoint: Ip, inner: Ipv4 | Ipv6
) -> Ipv4 | Ipv6:
    datagram = Udp(device.port, peer.port, Sealed(inner))
    if isinstance(source, IPv4Address) and isinstance(endpoint, IPv4Address):
        return Ipv4(source, endpoint, udp.PROTOCOL, datagram, _TTL)
    if isinstance(source, IPv4Address) or isinstance(endpoint, IPv4Address):
        raise TypeError("a source of the other family")
    return Ipv6(source, endpoint, udp.PROTOCOL, datagram, _TTL)
