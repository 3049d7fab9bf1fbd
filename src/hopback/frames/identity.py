"""When two frames are the same.

``identity`` is for a cycle: the same packet once more at the same place, where a router may have
taken from its TTL. ``payload_identity`` is for a return: what a station sent comes back to it,
perhaps through NAT, another VLAN or other MACs.
"""

from collections.abc import Hashable

from msgspec.structs import replace

from hopback.frames import dhcp, transport
from hopback.frames.arp import Arp
from hopback.frames.codec import encode
from hopback.frames.dhcp import Dhcp
from hopback.frames.ethernet import Frame
from hopback.frames.icmp import (
    ECHO_REPLY,
    ECHO_REQUEST,
    V6_ECHO_REPLY,
    V6_ECHO_REQUEST,
    Icmp,
    Icmpv6,
)
from hopback.frames.ipv4 import MORE_FRAGMENTS, Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.raw import Encapsulated, Malformed, Raw, Rest
from hopback.frames.tcp import ACK, FIN, PSH, RST, SYN, URG, Tcp
from hopback.frames.transport import Transport
from hopback.frames.tunnel import Gre, Inner, Sealed
from hopback.frames.udp import Udp

_TCP_FLAGS = FIN | SYN | RST | PSH | ACK | URG  # ECN marks change on the way
_V4_ECHO = (ECHO_REQUEST, ECHO_REPLY)
_V6_ECHO = (V6_ECHO_REQUEST, V6_ECHO_REPLY)


def identity(frame: Frame) -> bytes:
    """All of the frame but TTL or hop limit, checksums and padding (which devices add and cut)."""
    return encode(_lasting(frame))


def _lasting(frame: Frame) -> Frame:
    payload = frame.payload
    if isinstance(payload, Ipv4 | Ipv6):
        payload = _lasting_packet(payload)
    return replace(frame, payload=payload, padding=b"")


def _lasting_packet(packet: Ipv4 | Ipv6) -> Ipv4 | Ipv6:
    """What stays of a packet on its way; also of one that travels in it: a router may open it."""
    message = _unsummed(packet.payload)
    match message:
        case Inner(Ipv4() | Ipv6() as inside):
            message = replace(message, packet=_lasting_packet(inside))
        case Gre(_, Ipv4() | Ipv6() as inside):
            message = replace(message, payload=_lasting_packet(inside), sequence=None)
        case Gre(_, Frame() as inside):
            message = replace(message, payload=_lasting(inside), sequence=None)
        case Udp(payload=Sealed(inside)):
            message = replace(message, payload=Sealed(_lasting_packet(inside)))
    if isinstance(packet, Ipv4):
        return replace(packet, payload=message, ttl=0, checksum=0)
    return replace(packet, payload=message, hop_limit=0)


def payload_identity(frame: Frame) -> Hashable:
    """What the frame says, whoever carries it: no MACs, tags, outer headers, addresses, ports, TTL
    or checksums.

    ARP keeps what it claims (sender's MAC and address, target's address), since the same question
    from another MAC is another station's. ND keeps its options for the same reason.
    """
    payload = frame.payload
    match payload:
        case Arp(op, sender_mac, sender_ip, _, target_ip):
            return frame.ethertype, op, sender_mac, sender_ip, target_ip
        case Ipv4() | Ipv6():
            return _packet_identity(payload)
        case _:
            return frame.ethertype, payload.raw


def _packet_identity(packet: Ipv4 | Ipv6) -> Hashable:
    match packet:
        case Ipv4() if packet.is_fragment:
            more = bool(packet.flags & MORE_FRAGMENTS)
            return "fragment", packet.ident, packet.offset, more, _bytes(packet.payload)
        case Ipv6() if part := packet.fragment:
            return "fragment", part.ident, part.offset, part.more, _bytes(packet.payload)
        case _:
            return _message_identity(packet.protocol, packet.payload)


def _message_identity(protocol: int, message: Transport) -> Hashable:
    match message:
        case Inner(Ipv4() | Ipv6() as inside) | Gre(_, Ipv4() | Ipv6() as inside):
            return _packet_identity(inside)
        case Gre(_, Frame() as inside):
            return payload_identity(inside)
        case Udp(payload=Sealed(inside)):
            return _packet_identity(inside)
        case Udp():
            return "udp", _udp_bytes(message.payload)
        case Tcp():
            flags = message.flags & _TCP_FLAGS
            return "tcp", message.seq, message.ack, flags, message.payload.raw
        case Icmp() | Icmpv6():
            return type(message).__name__, message.kind, message.code, *_icmp_content(message)
        case _:
            return protocol, _bytes(message)


def _icmp_content(message: Icmp | Icmpv6) -> tuple[int, bytes]:
    """Without an echo's identifier: to NAT it is a port."""
    echo = _V6_ECHO if isinstance(message, Icmpv6) else _V4_ECHO
    number = message.sequence if message.kind in echo else message.rest
    return number, message.body.raw


def _udp_bytes(payload: Dhcp | Encapsulated | Rest) -> bytes:
    return dhcp.encode(payload) if isinstance(payload, Dhcp) else payload.raw


def _bytes(message: Transport) -> bytes:
    return transport.encode(_unsummed(message), b"")


def _unsummed(message: Transport) -> Transport:
    if isinstance(message, Raw | Malformed | Inner):
        return message
    return replace(message, checksum=0)
