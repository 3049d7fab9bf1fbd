"""Packets beside requests and answers: errors about them, cut ones, and what is in tunnels."""

from ipaddress import IPv4Address, IPv6Address
from random import Random

from msgspec.structs import replace

from hopback.frames import icmp, ipv4, ipv6
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.raw import Raw
from hopback.frames.tunnel import IPIP, Inner

_ERRORS4 = ((icmp.UNREACHABLE, 3), (icmp.UNREACHABLE, 4), (icmp.TIME_EXCEEDED, 0), (4, 0), (12, 0))
_ERRORS6 = ((icmp.V6_UNREACHABLE, 4), (icmp.V6_TOO_BIG, 0), (icmp.V6_TIME_EXCEEDED, 0))
_MTU = 1280
_QUOTED = 548


def error_about(chance: Random, packet: Ipv4 | Ipv6, source: str) -> Ipv4 | Ipv6:
    """An error that ``source`` sends to who sent the packet."""
    hops = chance.choice((64, 64, 64, 1))
    if isinstance(packet, Ipv4):
        kind, code = chance.choice(_ERRORS4)
        quoted = Raw(ipv4.encode(packet)[:_QUOTED])
        error = Icmp(kind, code, _MTU if code == 4 else 0, quoted)
        return Ipv4(IPv4Address(source), packet.src, icmp.PROTOCOL, error, hops)
    kind, code = chance.choice(_ERRORS6)
    word = _MTU if kind == icmp.V6_TOO_BIG else 0
    error6 = Icmpv6(kind, code, word, Raw(ipv6.encode(packet)[:_QUOTED]))
    return Ipv6(IPv6Address(source), packet.src, icmp.PROTOCOL_V6, error6, hops)


def cut(chance: Random, packet: Ipv4 | Ipv6) -> Ipv4 | Ipv6:
    """A packet that ends in its transport header."""
    size = chance.choice((0, 3, 4, 7, 8, 19))
    if isinstance(packet, Ipv4):
        whole = ipv4.encode(packet)[20:]
        return replace(packet, payload=Raw(whole[:size]))
    return replace(packet, payload=Raw(ipv6.encode(packet)[40:][:size]))


def wrapped(packet: Ipv4, source: str, target: str) -> Ipv4:
    """The packet inside another."""
    return Ipv4(IPv4Address(source), IPv4Address(target), IPIP, Inner(packet))
