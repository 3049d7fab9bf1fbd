"""Ethernet II and IEEE 802.3 frames with their VLAN tags (IEEE 802.1Q; ``eth_type_trans``)."""

import struct

from msgspec import Struct

from hopback.frames import arp, ipv4, ipv6
from hopback.frames.arp import Arp
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import Mac, mac_from_bytes, mac_to_bytes
from hopback.frames.raw import Rest

IPV4 = 0x0800
ARP = 0x0806
RARP = 0x8035
DOT1Q = 0x8100
IPV6 = 0x86DD
DOT1AD = 0x88A8

FIRST_ETHERTYPE = 0x0600
"""ETH_P_802_3_MIN: a smaller number is the length of an 802.3 frame."""

NO_ETHERTYPE = -1
"""The frame ended before its EtherType; all its bytes are in the payload, which is Malformed."""

_HEADER = struct.Struct("!6s6sH")
_TAG = struct.Struct("!HH")

Payload = Arp | Ipv4 | Ipv6 | Rest


class Vlan(Struct, frozen=True, gc=False):
    """One VLAN tag."""

    vid: int
    pcp: int = 0
    dei: bool = False
    tpid: int = DOT1Q


class Frame(Struct, frozen=True, gc=False):
    """A frame as a device sees it, without preamble and FCS; ``tags`` outermost first.

    ``ethertype`` is the number after the tags, so a length in an 802.3 frame. ``padding`` is what
    follows a payload that knows its own end.
    """

    dst: Mac
    src: Mac
    tags: tuple[Vlan, ...]
    ethertype: int
    payload: Payload
    padding: bytes = b""


def split(raw: bytes) -> tuple[Mac, Mac, tuple[Vlan, ...], int, bytes] | None:
    """Destination, source, tags, EtherType and the bytes after it; None for less than 14 bytes.

    A tag that is cut is not taken: its TPID then stands as the EtherType.
    """
    if len(raw) < _HEADER.size:
        return None
    dst, src, ethertype = _HEADER.unpack_from(raw)
    tags: list[Vlan] = []
    at = _HEADER.size
    while ethertype in (DOT1Q, DOT1AD) and len(raw) - at >= _TAG.size:
        tci, following = _TAG.unpack_from(raw, at)
        tags.append(Vlan(tci & 0xFFF, tci >> 13, bool(tci & 0x1000), ethertype))
        ethertype = following
        at += _TAG.size
    return mac_from_bytes(dst), mac_from_bytes(src), tuple(tags), ethertype, raw[at:]


def encode(frame: Frame) -> bytes:
    """The frame's header and tags, its payload and the padding."""
    body = encode_payload(frame.payload)
    if frame.ethertype == NO_ETHERTYPE:
        return body
    numbers = b"".join(_encode_tag(tag) for tag in frame.tags)
    header = mac_to_bytes(frame.dst) + mac_to_bytes(frame.src) + numbers
    return header + frame.ethertype.to_bytes(2, "big") + body + frame.padding


def encode_payload(payload: Payload) -> bytes:
    """What follows the EtherType."""
    match payload:
        case Arp():
            return arp.encode(payload)
        case Ipv4():
            return ipv4.encode(payload)
        case Ipv6():
            return ipv6.encode(payload)
        case _:
            return payload.raw


def _encode_tag(tag: Vlan) -> bytes:
    return _TAG.pack(tag.tpid, tag.pcp << 13 | tag.dei << 12 | tag.vid)
