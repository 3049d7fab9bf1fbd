"""The way to a real server (net/netfilter/ipvs/ip_vs_xmit.c:__ip_vs_get_out_rt; Linux 6.12).

The order is the kernel's: route, whether it may be local, then TTL, then size. So a packet for the
host itself keeps its TTL, even one of 1, and an error about its size quotes the smaller TTL.
"""

from typing import NamedTuple

from msgspec import Struct

from hopback.datapath.effects import Ask, Blind, Drop, Why
from hopback.datapath.ip.key import Key
from hopback.datapath.ip.packet import hops_left, may_be_cut, one_hop_less, packet_of, size_of
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.ip.source_address import source_of
from hopback.datapath.ipvs.packet import Arrival, Layer, Refusal, Told
from hopback.datapath.skb import Ip
from hopback.frames.ethernet import Frame
from hopback.frames.ipv6 import Ipv6
from hopback.network.facts import merge_refs

_LEAST = {4: 68, 6: 1280}
"""What a tunnel has to leave for packets inside, by the family outside (IPV6_MIN_MTU)."""


class Mode(NamedTuple):
    """Where a transmitter may send (IP_VS_RT_MODE_*).

    ``local``: to the host itself; ``redirect``: that even if the packet was not routed there
    before. ``wrapper`` is what a tunnel adds, in bytes.
    """

    local: bool = True
    remote: bool = True
    redirect: bool = False
    wrapper: int = 0


class Routed(Struct, frozen=True):
    """The way, and the frame with the TTL that it leaves with."""

    way: Way
    frame: Frame

    @property
    def local(self) -> bool:
        """Whether it ends in this host."""
        return self.way.kind == "local"


def route_to(ipvs: Layer, seen: Arrival, target: Ip, mode: Mode) -> Routed | Refusal:
    """The way to ``target``, or why there is none."""
    way = _looked_up(ipvs, target, mode)
    if isinstance(way, Drop):
        return Told("neighbour", seen.frame, Why("ipvs-no-route", way.why.refs))
    if isinstance(way, Ask | Blind):
        return way
    if _crosses(seen, mode, local=way.kind == "local"):
        return Drop(Why("ipvs-boundary", way.refs))
    if way.kind == "local":
        return Routed(way, seen.frame)
    frame = seen.frame
    if ipvs.director.kernel.ipvs_ttl:
        if hops_left(seen.packet) <= 1:
            return Told("hops", frame, Why("ipvs-ttl", way.refs))
        frame = one_hop_less(frame, seen.packet)
    return _too_big(ipvs, frame, way, mode) or Routed(way, frame)


def _looked_up(ipvs: Layer, target: Ip, mode: Mode) -> Way | Drop | Ask | Blind:
    """do_output_route4, __ip_vs_route_output_v6: the packet itself has no say in it.

    For a tunnel IPv4 asks once more when it has its source (IP_VS_RT_MODE_CONNECT).
    """
    way = lookup(ipvs.host, ipvs.world, Key(target))
    if not mode.wrapper or target.version == 6 or not isinstance(way, Way):
        return way
    source = source_of(ipvs.host, way, target)
    return lookup(ipvs.host, ipvs.world, Key(target, source.address)) if source else way


def _crosses(seen: Arrival, mode: Mode, *, local: bool) -> bool:
    """crosses_local_route_boundary: what nobody could answer."""
    if local:
        return not mode.local or not (mode.redirect or seen.local)
    return not mode.remote or seen.packet.src.is_loopback


def _too_big(ipvs: Layer, frame: Frame, way: Way, mode: Mode) -> Refusal | None:
    """ensure_mtu_is_adequate. What may be cut is cut later (``ignore_df``)."""
    packet = packet_of(frame)
    device = ipvs.network.devices.get(ipvs.host.id._replace(name=way.dev))
    mtu = device.mtu if device else None
    if mtu is None or packet is None:
        return None
    refs = merge_refs(way.refs, mtu.refs)
    if mode.wrapper and mtu.value - mode.wrapper < _LEAST[way.nexthop.version]:
        return Drop(Why("ipvs-narrow", refs))
    if size_of(packet) + mode.wrapper <= mtu.value:
        return None
    cuts = ipvs.director.setting("pmtu_disc", 1).value == 0 and mode.wrapper
    if isinstance(packet, Ipv6) or not (may_be_cut(packet) or cuts):
        return Told("size", frame, Why("ipvs-too-big", refs), mtu.value - mode.wrapper)
    return Blind("a packet that is sent on in fragments", refs)
