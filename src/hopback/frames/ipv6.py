"""IPv6 packets and their extension headers (RFC 8200; ``net/ipv6/exthdrs.c``)."""

import struct
from ipaddress import IPv6Address

from msgspec import Struct

from hopback.frames import transport
from hopback.frames.raw import Malformed, cut
from hopback.frames.transport import Decoders, Transport

HOP_BY_HOP = 0
ROUTING = 43
FRAGMENT = 44
DESTINATION = 60

_HEADER = struct.Struct("!IHBB16s16s")
_FRAGMENT = struct.Struct("!BBHI")
_NAMES = {HOP_BY_HOP: "hop-by-hop", ROUTING: "routing", DESTINATION: "destination options"}

_PAD1, _ROUTER_ALERT = 0, 5


class Extension(Struct, frozen=True, gc=False):
    """A hop-by-hop, routing or destination options header.

    ``body`` is what follows its length byte, 8 n - 2 bytes.
    """

    kind: int
    body: bytes


class Fragment(Struct, frozen=True, gc=False):
    """A fragment header; ``offset`` in units of eight bytes."""

    ident: int
    offset: int
    more: bool
    reserved: int = 0  # the byte after the next header
    reserved2: int = 0  # the two bits beside ``more``


class Ipv6(Struct, frozen=True, gc=False):
    """A packet. ``protocol`` is what follows the last extension header.

    A fragment's payload is ``Raw`` (but for an atomic one, RFC 6946).
    """

    src: IPv6Address
    dst: IPv6Address
    protocol: int
    payload: Transport
    hop_limit: int = 64
    traffic_class: int = 0
    flow_label: int = 0
    extensions: tuple[Extension | Fragment, ...] = ()
    length: int | None = None  # extension headers included, this one not

    @property
    def fragment(self) -> Fragment | None:
        """The fragment header, if this is a part of a packet."""
        found = (e for e in self.extensions if isinstance(e, Fragment) and not _is_atomic(e))
        return next(found, None)

    @property
    def router_alert(self) -> int | None:
        """The value of the router alert option (RFC 2711), 0 for MLD; None without one."""
        for extension in self.extensions:
            if isinstance(extension, Extension) and extension.kind == HOP_BY_HOP:
                return _find_router_alert(extension.body)
        return None

    @property
    def segments_left(self) -> int:
        """How many stops a routing header still has before the final destination."""
        bodies = (e.body for e in self.extensions if isinstance(e, Extension) and e.kind == ROUTING)
        return max((body[1] for body in bodies), default=0)


def decode(raw: bytes, table: Decoders = transport.V6) -> tuple[Ipv6 | Malformed, bytes]:
    """The packet at the start of ``raw`` and the padding after it; ``table``: what it carries."""
    if len(raw) < _HEADER.size:
        return cut("ipv6", raw, _HEADER.size), b""
    word, length, protocol, hop_limit, src, dst = _HEADER.unpack_from(raw)
    if word >> 28 != 6:
        return Malformed(f"ipv6: version {word >> 28}", raw), b""
    end = _HEADER.size + length
    missing = max(0, end - len(raw))
    extensions, protocol, payload = _decode_chain(protocol, raw[_HEADER.size : end], missing, table)
    packet = Ipv6(
        IPv6Address(src),
        IPv6Address(dst),
        protocol,
        payload,
        hop_limit,
        word >> 20 & 0xFF,
        word & 0xFFFFF,
        extensions,
        length,
    )
    return packet, raw[end:]


def _decode_chain(
    protocol: int, raw: bytes, missing: int, table: Decoders
) -> tuple[tuple[Extension | Fragment, ...], int, Transport]:
    found: list[Extension | Fragment] = []
    at = 0
    while protocol == FRAGMENT or protocol in _NAMES:
        name = _NAMES.get(protocol, "fragment")
        step = _decode_extension(protocol, raw, at)
        if isinstance(step, int):
            return tuple(found), protocol, cut(f"ipv6 {name}", raw[at:], step)
        extension, size = step
        protocol = raw[at]
        at += size
        found.append(extension)
        if isinstance(extension, Fragment) and not _is_atomic(extension):
            return tuple(found), protocol, transport.decode({}, protocol, raw[at:], missing)
    return tuple(found), protocol, transport.decode(table, protocol, raw[at:], missing)


def _decode_extension(kind: int, raw: bytes, at: int) -> tuple[Extension | Fragment, int] | int:
    """The header at ``at`` and its size; only the size it needs, if it is cut."""
    left = len(raw) - at
    if left < 8:
        return 8
    if kind == FRAGMENT:
        _, reserved, word, ident = _FRAGMENT.unpack_from(raw, at)
        return Fragment(ident, word >> 3, bool(word & 1), reserved, word >> 1 & 3), 8
    size = (raw[at + 1] + 1) * 8
    return (Extension(kind, raw[at + 2 : at + size]), size) if size <= left else size


def _is_atomic(fragment: Fragment) -> bool:
    return not (fragment.more or fragment.offset)


def _find_router_alert(options: bytes) -> int | None:
    at = 0
    while at + 1 < len(options):
        kind, size = options[at], options[at + 1]
        if kind == _PAD1:
            at += 1
            continue
        if kind == _ROUTER_ALERT and size == 2 and at + 4 <= len(options):
            return int.from_bytes(options[at + 2 : at + 4], "big")
        at += 2 + size
    return None


def encode(packet: Ipv6) -> bytes:
    """The packet, without padding.

    With segments left in a routing header, an upper-layer checksum to be computed takes ``dst``
    as the final destination all the same; one that was decoded is kept.
    """
    addresses = packet.src.packed + packet.dst.packed
    body = transport.encode(packet.payload, addresses)
    protocol = packet.protocol
    for extension in reversed(packet.extensions):
        body = _encode_extension(extension, protocol) + body
        protocol = FRAGMENT if isinstance(extension, Fragment) else extension.kind
    return (
        _HEADER.pack(
            6 << 28 | packet.traffic_class << 20 | packet.flow_label,
            len(body) if packet.length is None else packet.length,
            protocol,
            packet.hop_limit,
            packet.src.packed,
            packet.dst.packed,
        )
        + body
    )


def _encode_extension(extension: Extension | Fragment, following: int) -> bytes:
    if isinstance(extension, Fragment):
        word = extension.offset << 3 | extension.reserved2 << 1 | extension.more
        return _FRAGMENT.pack(following, extension.reserved, word, extension.ident)
    return bytes((following, (len(extension.body) + 2) // 8 - 1)) + extension.body
