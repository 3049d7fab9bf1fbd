"""IPv4 packets (RFC 791; ``net/ipv4/ip_input.c:ip_rcv_core``)."""

import struct
from ipaddress import IPv4Address

from msgspec import Struct

from hopback.frames import transport
from hopback.frames.checksum import fill
from hopback.frames.raw import Malformed, cut
from hopback.frames.transport import Decoders, Transport

DONT_FRAGMENT = 0b010
MORE_FRAGMENTS = 0b001

_HEADER = struct.Struct("!BBHHHBBH4s4s")


class Ipv4(Struct, frozen=True, gc=False):
    """A packet. A fragment's payload is ``Raw``: alone it is no transport message."""

    src: IPv4Address
    dst: IPv4Address
    protocol: int
    payload: Transport
    ttl: int = 64
    tos: int = 0
    ident: int = 0
    flags: int = 0  # three bits
    offset: int = 0  # units of eight bytes
    options: bytes = b""  # a multiple of four bytes, as on the wire
    length: int | None = None  # header included
    checksum: int | None = None

    @property
    def is_fragment(self) -> bool:
        """Whether this is a part of a packet (``ip_is_fragment``)."""
        return bool(self.flags & MORE_FRAGMENTS or self.offset)


def decode(raw: bytes, table: Decoders = transport.V4) -> tuple[Ipv4 | Malformed, bytes]:
    """The packet at the start of ``raw`` and the padding after it; ``table``: what it carries."""
    if len(raw) < _HEADER.size:
        return cut("ipv4", raw, _HEADER.size), b""
    first, tos, length, ident, fragment, ttl, protocol, checksum, src, dst = _HEADER.unpack_from(
        raw
    )
    size = (first & 0xF) * 4
    if first >> 4 != 4:
        return Malformed(f"ipv4: version {first >> 4}", raw), b""
    if size < _HEADER.size:
        return Malformed(f"ipv4: header length {size}, below 20", raw), b""
    if size > len(raw):
        return cut("ipv4 header", raw, size), b""
    known = {} if fragment & 0x3FFF else table
    payload, padding = _decode_payload(raw, size, length, protocol, known)
    packet = Ipv4(
        IPv4Address(src),
        IPv4Address(dst),
        protocol,
        payload,
        ttl,
        tos,
        ident,
        fragment >> 13,
        fragment & 0x1FFF,
        raw[_HEADER.size : size],
        length,
        checksum,
    )
    return packet, padding


def _decode_payload(
    raw: bytes, size: int, length: int, protocol: int, table: Decoders
) -> tuple[Transport, bytes]:
    if length < size:
        return Malformed(f"ipv4: total length {length}, below its header's {size}", raw[size:]), b""
    body, padding = raw[size:length], raw[length:]
    missing = max(0, length - len(raw))
    return transport.decode(table, protocol, body, missing), padding


def encode(packet: Ipv4) -> bytes:
    """The packet, without padding."""
    addresses = packet.src.packed + packet.dst.packed
    body = transport.encode(packet.payload, addresses)
    size = _HEADER.size + len(packet.options)
    header = _HEADER.pack(
        0x40 | size // 4,
        packet.tos,
        size + len(body) if packet.length is None else packet.length,
        packet.ident,
        packet.flags << 13 | packet.offset,
        packet.ttl,
        packet.protocol,
        0,
        packet.src.packed,
        packet.dst.packed,
    )
    return fill(header + packet.options, 10, packet.checksum) + body
