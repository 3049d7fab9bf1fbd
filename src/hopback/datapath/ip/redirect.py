"""A router tells a neighbour of a shorter way: the packet goes out by the device it came in by.

net/ipv4/route.c:__mkroute_input, ip_rt_send_redirect; net/ipv6/ndisc.c:ndisc_send_redirect (6.12).
The packet is sent on all the same.
"""

from ipaddress import IPv6Address

from msgspec.structs import replace

from hopback.datapath.effects import Deliver, Send, Tell, Why
from hopback.datapath.ip.errors import Error
from hopback.datapath.ip.host import Host
from hopback.datapath.ip.key import Key, key_of
from hopback.datapath.ip.layer import IpLayer
from hopback.datapath.ip.output import transmit
from hopback.datapath.ip.packet import packet_of
from hopback.datapath.ip.route import Found, Way, find, lookup
from hopback.datapath.ip.settings import of_both
from hopback.datapath.ip.source import key_back, turns_back
from hopback.datapath.ip.tell import tell
from hopback.datapath.skb import FRESH
from hopback.frames import icmp, ipv6
from hopback.frames.icmp import Icmpv6
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import ZERO, mac_to_bytes
from hopback.frames.raw import Raw
from hopback.network.facts import merge_refs

_RULE = "icmp-redirect"
_HOST = 1  # ICMP_REDIR_HOST
_MESSAGE, _LARGEST = 40, 1280 - 40  # struct rd_msg; IPV6_MIN_MTU without a header
_TARGET_MAC, _HEADER = 2, 4  # options of RFC 4861 4.6


def redirect4(layer: IpLayer, up: Deliver, way: Way) -> tuple[Tell, ...]:
    """What the sender is told of ``way``, if it is a neighbour; ``up`` has one hop less already."""
    packet = packet_of(up.frame)
    if not isinstance(packet, Ipv4) or not turns_back(layer.host, way, up.dev.name):
        return ()
    if not (_is_near(layer, up, packet, way) and _is_shared(layer.host, packet, way)):
        return ()
    return tell(layer, up, Error(_RULE, icmp.REDIRECT, _HOST, int(way.nexthop)))


def _is_near(layer: IpLayer, up: Deliver, packet: Ipv4, way: Way) -> bool:
    """Whether the route back to the sender is by this device and no gateway."""
    host, world = layer.host, layer.world
    key = key_of(packet, mark=up.skb.mark, iif=up.dev.name)
    back = key_back(host, key, way)
    found = find(host, world, back)
    if isinstance(found, Found) and all(hop.dev != way.dev for hop in found.hops):
        found = find(host, world, replace(back, oif=way.dev))
    return isinstance(found, Found) and any(
        hop.dev == way.dev and hop.via is None for hop in found.hops
    )


def _is_shared(host: Host, packet: Ipv4, way: Way) -> bool:
    """IN_DEV_SHARED_MEDIA, on unless it was switched off, or one subnet (inet_addr_onlink)."""
    told = of_both(host.settings, 4, way.dev, "shared_media")
    if any(fact is None or fact.value for fact in told):
        return True
    both = {packet.src, way.nexthop} if way.nexthop != packet.dst else {packet.src}
    subnets = [o.at.network for o in host.owns if o.dev == way.dev and "secondary" not in o.flags]
    return any(all(address in subnet for address in both) for subnet in subnets)


def redirect6(layer: IpLayer, up: Deliver, packet: Ipv6, way: Way) -> tuple[Tell, ...]:
    """The same for IPv6, which no setting forbids: from a link-local address to a neighbour."""
    dev = up.dev.name
    own = next((o for o in layer.host.owns if o.dev == dev and _is_link_local(o.at.ip)), None)
    near = way.nexthop == packet.dst or _is_link_local(way.nexthop)
    if own is None or way.dev != dev or not near or up.packet_type != "host":
        return ()
    key = Key(packet.src, own.at.ip, oif=dev, protocol=icmp.PROTOCOL_V6)
    back = lookup(layer.host, layer.world, key)
    if not isinstance(back, Way) or back.nexthop != packet.src or packet.src.is_unspecified:
        return ()
    message = Icmpv6(icmp.V6_REDIRECT, body=Raw(_body(layer, packet, way)))
    told = Ipv6(IPv6Address(own.at.ip), packet.src, icmp.PROTOCOL_V6, message, hop_limit=255)
    frame = replace(up.frame, dst=ZERO, src=ZERO, payload=told, padding=b"")
    why = Why(_RULE, merge_refs(way.refs, own.refs))
    usual = replace(layer, inside=frozenset())
    sent = transmit(usual, frame, FRESH, back, why)
    return (Tell(sent.dev, sent.frame, sent.why, sent.skb),) if isinstance(sent, Send) else ()


def _body(layer: IpLayer, packet: Ipv6, way: Way) -> bytes:
    """Target and destination, the target's MAC if it is known, and what fits of the packet."""
    known = layer.host.neighbours.get((way.dev, way.nexthop))
    mac = bytes((_TARGET_MAC, 1)) + mac_to_bytes(known.mac) if known else b""
    raw = ipv6.encode(packet)
    size = min(_LARGEST - _MESSAGE - len(mac), len(raw) + 8) & ~7
    header = bytes((_HEADER, size // 8, *bytes(6))) + raw[: size - 8]
    return way.nexthop.packed + packet.dst.packed + mac + header


def _is_link_local(address: object) -> bool:
    return isinstance(address, IPv6Address) and address.is_link_local
