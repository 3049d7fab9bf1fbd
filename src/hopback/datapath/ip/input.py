"""What a packet that came in is to this host (ip_route_input_slow, ip6_route_input; 6.12)."""

from msgspec.structs import replace

from hopback.datapath.effects import Ask, Blind, Drop, World
from hopback.datapath.ip.choose import is_scoped
from hopback.datapath.ip.forwarding import forwards
from hopback.datapath.ip.host import Host, VrfOf
from hopback.datapath.ip.key import Key, key_of
from hopback.datapath.ip.route import ALL, Found, Refusal, Way, find, in_table, lookup, way_of
from hopback.datapath.ip.settings import is_on, of_both
from hopback.datapath.ip.source import martian, validate
from hopback.datapath.skb import Skb
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.network.facts import Fact, merge_refs


def route_input(host: Host, world: World, packet: Ipv4 | Ipv6, skb: Skb, dev: str) -> Way | Refusal:
    """Where a packet goes that came in by ``dev``, or why it goes nowhere.

    For IPv4 that includes whether the host forwards at all; IPv6 asks later (ip6_forward).
    """
    key = key_of(packet, mark=skb.mark, iif=dev)
    if isinstance(packet, Ipv4):
        return _route4(host, world, packet, key)
    vrf = host.vrfs.get(dev)
    return lookup(host, world, key) if vrf is None else _in_vrf6(host, world, key, vrf)


def _in_vrf6(host: Host, world: World, key: Key, vrf: VrfOf) -> Way | Refusal:
    """vrf_ip6_rcv: what means something on one device only is looked up in the VRF's table first.

    All else has come in by the VRF's own device.
    """
    if key.target.is_multicast:
        return lookup(host, world, key)
    if not is_scoped(key.target):
        return lookup(host, world, replace(key, iif=vrf.dev))
    found = in_table(host, world, key, vrf.table)
    if isinstance(found, Found):
        return way_of(host, world, key, found)
    return lookup(host, world, key) if found is None else found


def _route4(host: Host, world: World, packet: Ipv4, key: Key) -> Way | Refusal:
    odd = martian(host, packet, key.iif)
    if odd is not None:
        return odd
    if packet.dst.is_multicast or packet.dst == ALL or int(packet.src) == int(packet.dst) == 0:
        way: Way | Refusal = Way("broadcast", key.iif, packet.dst)
    else:
        way = _unicast4(host, world, key)
    if not isinstance(way, Way):
        return way
    return validate(host, world, key, way) or way


def _unicast4(host: Host, world: World, key: Key) -> Way | Refusal:
    """What is for others needs a host that forwards, before anybody asks for the next hop."""
    found = find(host, world, key)
    told: Fact[bool] | Drop | Ask = Fact(True, ())
    if isinstance(found, Drop) or (isinstance(found, Found) and found.is_for_others):
        told = forwards(host, world, key.iif, 4)
    if not isinstance(told, Fact):
        return told
    if not isinstance(found, Found):
        return found
    if found.route.kind == "broadcast" and (sent_on := _sends_on_broadcasts(host, key.iif)):
        return Blind("broadcasts that the host sends on (bc_forwarding)", sent_on.refs)
    way = way_of(host, world, key, found)
    return replace(way, refs=merge_refs(told.refs, way.refs)) if isinstance(way, Way) else way


def _sends_on_broadcasts(host: Host, dev: str) -> Fact[int] | None:
    """IN_DEV_BFORWARD: set for all devices and for this one."""
    told = of_both(host.settings, 4, dev, "bc_forwarding")
    return told[1] if all(map(is_on, told)) else None
