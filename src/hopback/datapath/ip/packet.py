"""What the IP layer reads in a packet and changes in it."""

from msgspec.structs import replace

from hopback.frames import ipv4, ipv6
from hopback.frames.ethernet import Frame
from hopback.frames.integrity import network_checksum
from hopback.frames.ipv4 import DONT_FRAGMENT, Ipv4
from hopback.frames.ipv6 import Ipv6


def packet_of(frame: Frame) -> Ipv4 | Ipv6 | None:
    """The packet of an untagged frame, if it carries a whole one."""
    packet = frame.payload
    return packet if isinstance(packet, Ipv4 | Ipv6) and not frame.tags else None


def is_invalid(frame: Frame) -> bool:
    """Whether its header's checksum is wrong (ip_rcv_core, br_validate_ipv4)."""
    return network_checksum(frame) == "wrong"


def hops_left(packet: Ipv4 | Ipv6) -> int:
    """TTL or hop limit."""
    return packet.ttl if isinstance(packet, Ipv4) else packet.hop_limit


def one_hop_less(frame: Frame, packet: Ipv4 | Ipv6) -> Frame:
    """The frame as a router sends its ``packet`` on."""
    if isinstance(packet, Ipv4):
        checksum = _decreased(packet.checksum)
        return replace(frame, payload=replace(packet, ttl=packet.ttl - 1, checksum=checksum))
    return replace(frame, payload=replace(packet, hop_limit=packet.hop_limit - 1))


def _decreased(checksum: int | None) -> int | None:
    """include/net/ip.h:ip_decrease_ttl: one that a filter has made wrong stays wrong."""
    if checksum is None:
        return None
    total = checksum + 0x0100
    return total + (total >= 0xFFFF) & 0xFFFF


def size_of(packet: Ipv4 | Ipv6) -> int:
    """Its length in bytes, header included."""
    if isinstance(packet, Ipv4):
        return len(ipv4.encode(packet))
    return len(ipv6.encode(packet))


def may_be_cut(packet: Ipv4 | Ipv6) -> bool:
    """Whether a router may send it on in fragments."""
    return isinstance(packet, Ipv4) and not packet.flags & DONT_FRAGMENT
