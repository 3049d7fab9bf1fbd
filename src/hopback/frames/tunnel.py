"""Packets inside packets: IP in IP (RFC 2003, 2473, 4213), GRE (RFC 2784, 2890) and WireGuard.

Linux ``net/ipv4/ip_tunnel.c``, ``include/net/gre.h``, ``drivers/net/wireguard/messages.h``.
"""

import struct

from hopback.frames import ethernet
from hopback.frames.checksum import fill
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.raw import Encapsulated, Malformed, Raw, Rest, cut, rest

IPIP = 4
IPV6 = 41
GRE = 47

TEB = 0x6558
"""ETH_P_TEB: GRE carries a whole Ethernet frame."""

_CHECKSUM, _KEY, _SEQUENCE = 0x8000, 0x2000, 0x1000
_KNOWN = _CHECKSUM | _KEY | _SEQUENCE
_BASE = struct.Struct("!HH")
_SUM = struct.Struct("!HH")
_WORD = struct.Struct("!I")

_SEALED_HEADER = b"\x04\x00\x00\x00" + bytes(12)
_SEALED_TAG = bytes(16)
_SEALED_ALIGN = 16


class Inner(Encapsulated, frozen=True, gc=False):
    """An IP packet that is the payload of another; ``surplus`` is what follows it there."""

    packet: Ipv4 | Ipv6 | Malformed
    surplus: bytes = b""

    @property
    def raw(self) -> bytes:
        """The inner packet's bytes: there is no header between the two."""
        return ethernet.encode_payload(self.packet) + self.surplus


class Gre(Encapsulated, frozen=True, gc=False):
    """A GRE packet of version 0; ``protocol`` is the EtherType of what it carries.

    ``summed``: it has a checksum; None for ``checksum`` is computed.
    """

    protocol: int
    payload: Ipv4 | Ipv6 | Frame | Rest
    key: int | None = None
    sequence: int | None = None
    summed: bool = False
    checksum: int | None = None
    surplus: bytes = b""

    @property
    def raw(self) -> bytes:
        """The GRE header and what it carries."""
        options = ((_KEY, self.key), (_SEQUENCE, self.sequence))
        flags = sum(bit for bit, value in options if value is not None)
        words = b"".join(_WORD.pack(value) for _, value in options if value is not None)
        body = words + _bytes(self.payload) + self.surplus
        if not self.summed:
            return _BASE.pack(flags, self.protocol) + body
        return fill(
            _BASE.pack(flags | _CHECKSUM, self.protocol) + bytes(4) + body, 4, self.checksum
        )


class Sealed(Encapsulated, frozen=True, gc=False):
    """A WireGuard data message. Nobody on the way can read it: the model alone knows ``packet``.

    Its bytes have the right length and are not the right ones, which only the two peers can make.
    """

    packet: Ipv4 | Ipv6

    @property
    def raw(self) -> bytes:
        """Type, receiver and counter, the padded packet, the authentication tag."""
        inside = ethernet.encode_payload(self.packet)
        return _SEALED_HEADER + inside + bytes(-len(inside) % _SEALED_ALIGN) + _SEALED_TAG


def _bytes(payload: Ipv4 | Ipv6 | Frame | Rest) -> bytes:
    if isinstance(payload, Frame):
        return ethernet.encode(payload)
    return ethernet.encode_payload(payload)


def split_gre(raw: bytes, missing: int) -> tuple[Gre, bytes] | Rest:
    """The GRE header in ``raw`` with nothing in it yet, and the bytes that it carries.

    Another version, routing or reserved bits have no model: those are ``Raw``.
    """
    if len(raw) < _BASE.size:
        return cut("gre", raw, _BASE.size)
    flags, protocol = _BASE.unpack_from(raw)
    if flags & ~_KNOWN:
        return rest("gre", raw, missing)
    size = _BASE.size + 4 * flags.bit_count()
    if len(raw) < size:
        return cut("gre header", raw, size)
    summed = bool(flags & _CHECKSUM)
    checksum, offset = _SUM.unpack_from(raw, 4) if summed else (None, 0)
    if offset:
        return rest("gre", raw, missing)
    words = iter(_WORD.unpack_from(raw, at)[0] for at in range(8 if summed else 4, size, 4))
    key = next(words) if flags & _KEY else None
    sequence = next(words) if flags & _SEQUENCE else None
    return Gre(protocol, Raw(), key, sequence, summed, checksum), raw[size:]
