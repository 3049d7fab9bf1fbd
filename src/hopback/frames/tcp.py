"""TCP segments (RFC 9293)."""

import struct

from msgspec import Struct

from hopback.frames.checksum import fill, pseudo_header
from hopback.frames.raw import Malformed, Raw, Rest, cut, rest

PROTOCOL = 6

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))

_HEADER = struct.Struct("!HHIIHHHH")


class Tcp(Struct, frozen=True, gc=False):
    """A segment. ``flags`` are the twelve bits after the data offset, reserved ones included."""

    sport: int
    dport: int
    seq: int = 0
    ack: int = 0
    flags: int = SYN
    window: int = 0xFFFF
    urgent: int = 0
    options: bytes = b""  # a multiple of four bytes, as on the wire
    payload: Rest = Raw()
    checksum: int | None = None


def decode(raw: bytes, missing: int) -> Tcp | Malformed:
    """The segment in ``raw``, at whose end ``missing`` bytes were not captured."""
    if len(raw) < _HEADER.size:
        return cut("tcp", raw, _HEADER.size)
    sport, dport, seq, ack, offset_flags, window, checksum, urgent = _HEADER.unpack_from(raw)
    size = (offset_flags >> 12) * 4
    if size < _HEADER.size:
        return Malformed(f"tcp: data offset of {size} bytes, below 20", raw)
    if size > len(raw):
        return cut("tcp header", raw, size)
    return Tcp(
        sport,
        dport,
        seq,
        ack,
        offset_flags & 0xFFF,
        window,
        urgent,
        options=raw[_HEADER.size : size],
        payload=rest("tcp payload", raw[size:], missing),
        checksum=checksum,
    )


def encode(tcp: Tcp, addresses: bytes) -> bytes:
    """The segment; ``addresses`` (source and destination, packed) enter its checksum."""
    words = (_HEADER.size + len(tcp.options)) // 4
    header = _HEADER.pack(
        tcp.sport,
        tcp.dport,
        tcp.seq,
        tcp.ack,
        words << 12 | tcp.flags,
        tcp.window,
        0,
        tcp.urgent,
    )
    segment = header + tcp.options + tcp.payload.raw
    return fill(segment, 16, tcp.checksum, pseudo_header(addresses, PROTOCOL, len(segment)))
