"""What is wrong with a frame: its cut or contradictory parts, and its checksums.

A capture on the sending host shows TCP and UDP checksums that the device has yet to complete
(``CHECKSUM_PARTIAL``): only the pseudo-header is summed. That is no damage, and has its own word.
"""

from typing import Literal

from msgspec import Struct
from msgspec.structs import astuple, replace

from hopback.frames import ipv4, ipv6, transport
from hopback.frames.checksum import ones_sum, pseudo_header
from hopback.frames.ethernet import Frame
from hopback.frames.icmp import Icmp
from hopback.frames.igmp import Igmp, IgmpV3Query, IgmpV3Report
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.raw import Encapsulated, Malformed, Raw
from hopback.frames.tcp import Tcp
from hopback.frames.tunnel import Gre
from hopback.frames.udp import Udp

ChecksumState = Literal["right", "wrong", "partial", "absent", "unknown"]


def flaws(part: object) -> tuple[str, ...]:
    """The reasons of all that is ``Malformed`` in a frame or a part of one, outermost first."""
    if isinstance(part, Malformed):
        return (part.reason,)
    if isinstance(part, Struct):
        part = astuple(part)
    return tuple(r for inner in part for r in flaws(inner)) if isinstance(part, tuple) else ()


def network_checksum(frame: Frame) -> ChecksumState:
    """The IPv4 header's checksum; ``absent`` in all that is not IPv4."""
    packet = frame.payload
    if not isinstance(packet, Ipv4):
        return "absent"
    if packet.checksum is None:
        return "right"
    header = ipv4.encode(packet)[: 20 + len(packet.options)]
    return "right" if ones_sum(header) == 0xFFFF else "wrong"


def transport_checksum(frame: Frame) -> ChecksumState:
    """The checksum of the UDP, TCP, ICMP, IGMP or GRE message.

    ``absent`` where there is none (UDP may go without), ``unknown`` where it covers bytes or
    addresses that are not here: fragments, cut packets, routing headers with stops still to come.
    """
    packet = frame.payload
    if not isinstance(packet, Ipv4 | Ipv6):
        return "absent"
    message = packet.payload
    if isinstance(message, Raw | Malformed) or _is_incomplete(packet):
        return "unknown"
    if isinstance(message, Encapsulated):
        return _gre_checksum(message)
    if message.checksum is None:
        return "right"
    if isinstance(message, Udp) and message.checksum == 0:
        return "absent"
    if isinstance(message, Udp):
        message = replace(message, surplus=Raw())  # not covered (RFC 9868 7)
    addresses = packet.src.packed + packet.dst.packed
    covered = transport.encode(message, addresses)
    if isinstance(message, Udp) and message.length not in (None, len(covered)):
        return "unknown"
    pseudo = pseudo_header(addresses, packet.protocol, len(covered))
    if isinstance(message, Icmp | Igmp | IgmpV3Query | IgmpV3Report):
        pseudo = b""
    if ones_sum(pseudo + covered) == 0xFFFF:
        return "right"
    if isinstance(message, Udp | Tcp) and message.checksum == ones_sum(pseudo):
        return "partial"
    return "wrong"


def _gre_checksum(message: Encapsulated) -> ChecksumState:
    """IP in IP has none (RFC 2003), GRE may have one."""
    if not isinstance(message, Gre) or not message.summed:
        return "absent"
    return "right" if ones_sum(message.raw) == 0xFFFF else "wrong"


def _is_incomplete(packet: Ipv4 | Ipv6) -> bool:
    if isinstance(packet, Ipv6) and packet.segments_left:
        return True
    if packet.length is None:
        return False
    if isinstance(packet, Ipv4):
        return len(ipv4.encode(packet)) < packet.length
    return len(ipv6.encode(packet)) < packet.length + 40
