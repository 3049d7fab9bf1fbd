"""ARP and RARP for IPv4 over Ethernet (RFC 826, 903; ``net/ipv4/arp.c:arp_process``).

RARP shares the format; QEMU sends it after a live migration so that bridges learn the new place.
"""

import struct
from ipaddress import IPv4Address

from msgspec import Struct

from hopback.frames.mac import Mac, mac_from_bytes, mac_to_bytes
from hopback.frames.raw import Malformed, Raw, cut

REQUEST = 1
REPLY = 2

_FORMAT = struct.pack("!HHBB", 1, 0x0800, 6, 4)  # Ethernet and IPv4, with their address lengths
_WHOLE = struct.Struct("!6sH6s4s6s4s")


class Arp(Struct, frozen=True, gc=False):
    """An ARP or RARP packet; the frame's EtherType tells which."""

    op: int
    sender_mac: Mac
    sender_ip: IPv4Address
    target_mac: Mac
    target_ip: IPv4Address


def decode(raw: bytes) -> tuple[Arp | Raw | Malformed, bytes]:
    """The packet and what follows it. Another hardware or protocol type is left ``Raw``."""
    if len(raw) >= len(_FORMAT) and not raw.startswith(_FORMAT):
        return Raw(raw), b""
    if len(raw) < _WHOLE.size:
        return cut("arp", raw, _WHOLE.size), b""
    _, op, sender_mac, sender_ip, target_mac, target_ip = _WHOLE.unpack_from(raw)
    arp = Arp(
        op,
        mac_from_bytes(sender_mac),
        IPv4Address(sender_ip),
        mac_from_bytes(target_mac),
        IPv4Address(target_ip),
    )
    return arp, raw[_WHOLE.size :]


def encode(arp: Arp) -> bytes:
    """28 bytes."""
    return _WHOLE.pack(
        _FORMAT,
        arp.op,
        mac_to_bytes(arp.sender_mac),
        arp.sender_ip.packed,
        mac_to_bytes(arp.target_mac),
        arp.target_ip.packed,
    )
