"""ICMP for IPv4 (RFC 792) and the ICMPv6 messages without a module of their own (RFC 4443)."""

import struct

from msgspec import Struct

from hopback.frames.checksum import fill, pseudo_header
from hopback.frames.raw import Malformed, Raw, Rest, cut, rest

PROTOCOL = 1
PROTOCOL_V6 = 58

ECHO_REPLY = 0
UNREACHABLE = 3
REDIRECT = 5
ECHO_REQUEST = 8
TIME_EXCEEDED = 11

V6_UNREACHABLE = 1
V6_TOO_BIG = 2
V6_TIME_EXCEEDED = 3
V6_ECHO_REQUEST = 128
V6_ECHO_REPLY = 129
V6_REDIRECT = 137

_HEADER = struct.Struct("!BBHI")


class _Icmp(Struct, frozen=True, gc=False):
    kind: int  # the field RFC 792 calls type
    code: int = 0
    rest: int = 0  # the four bytes after the checksum: echo identifier, gateway, MTU …
    body: Rest = Raw()
    checksum: int | None = None

    @property
    def ident(self) -> int:
        """The identifier of an echo."""
        return self.rest >> 16

    @property
    def sequence(self) -> int:
        """The sequence number of an echo."""
        return self.rest & 0xFFFF


class Icmp(_Icmp, frozen=True, gc=False):
    """An ICMPv4 message; the packet an error quotes stays bytes in ``body``."""


class Icmpv6(_Icmp, frozen=True, gc=False):
    """An ICMPv6 message other than Neighbour Discovery and MLD."""


def decode(raw: bytes, missing: int) -> Icmp | Malformed:
    """The message in ``raw``, at whose end ``missing`` bytes were not captured."""
    if len(raw) < _HEADER.size:
        return cut("icmp", raw, _HEADER.size)
    kind, code, checksum, word = _HEADER.unpack_from(raw)
    return Icmp(kind, code, word, rest("icmp body", raw[_HEADER.size :], missing), checksum)


def decode_v6(raw: bytes, missing: int) -> Icmpv6 | Malformed:
    """The same for ICMPv6."""
    if len(raw) < _HEADER.size:
        return cut("icmpv6", raw, _HEADER.size)
    kind, code, checksum, word = _HEADER.unpack_from(raw)
    return Icmpv6(kind, code, word, rest("icmpv6 body", raw[_HEADER.size :], missing), checksum)


def encode(icmp: Icmp, addresses: bytes) -> bytes:
    """The message; an ICMPv4 checksum covers no addresses."""
    packet = _HEADER.pack(icmp.kind, icmp.code, 0, icmp.rest) + icmp.body.raw
    return fill(packet, 2, icmp.checksum)


def encode_v6(icmp: Icmpv6, addresses: bytes) -> bytes:
    """The message; ``addresses`` (source and destination, packed) enter its checksum."""
    packet = _HEADER.pack(icmp.kind, icmp.code, 0, icmp.rest) + icmp.body.raw
    return seal_v6(packet, icmp.checksum, addresses)


def seal_v6(packet: bytes, checksum: int | None, addresses: bytes) -> bytes:
    """An ICMPv6 message of any kind with its checksum in place."""
    return fill(packet, 2, checksum, pseudo_header(addresses, PROTOCOL_V6, len(packet)))
