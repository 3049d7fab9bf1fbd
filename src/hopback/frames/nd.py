"""IPv6 Neighbour Discovery: NS, NA, RS and RA with their options (RFC 4861).

Options stay ``(kind, bytes)`` in wire order; properties read the ones that matter here. The nonce
(RFC 3971 5.3.2) is what lets a host know its own looped-back solicitation (RFC 7527;
``net/ipv6/ndisc.c:ndisc_recv_ns``).
"""

import struct
from ipaddress import IPv6Address
from typing import ClassVar

from msgspec import Struct

from hopback.frames.icmp import seal_v6
from hopback.frames.mac import Mac, mac_from_bytes, mac_to_bytes
from hopback.frames.raw import Malformed, Raw, Rest, cut, rest

ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT, SOLICITATION, ADVERTISEMENT = range(133, 137)

SOURCE_LLADDR = 1
TARGET_LLADDR = 2
PREFIX_INFO = 3
MTU = 5
NONCE = 14

_HEADER = struct.Struct("!BBHI")
_TIMERS = struct.Struct("!II")
_PREFIX = struct.Struct("!BBIII16s")

_ROUTER, _SOLICITED, _OVERRIDE = 1 << 31, 1 << 30, 1 << 29


class NdOption(Struct, frozen=True, gc=False):
    """One option; ``data`` is what follows its length byte, 8 n - 2 bytes."""

    kind: int
    data: bytes


class Prefix(Struct, frozen=True, gc=False):
    """A prefix information option; ``flags`` has on-link 0x80 and autonomous 0x40, times in s."""

    prefix: IPv6Address
    length: int
    flags: int
    valid: int
    preferred: int
    reserved: int = 0


class NdMessage(Struct, frozen=True, gc=False, kw_only=True):
    """What the four have. ``tail`` is Malformed when the options could not be read to the end."""

    kind: ClassVar[int]
    options: tuple[NdOption, ...] = ()
    tail: Rest = Raw()
    code: int = 0
    checksum: int | None = None

    def option(self, kind: int) -> bytes | None:
        """The data of the first option of that kind."""
        return next((option.data for option in self.options if option.kind == kind), None)

    @property
    def source_lladdr(self) -> Mac | None:
        """The sender's link-layer address."""
        return _mac(self.option(SOURCE_LLADDR))

    @property
    def target_lladdr(self) -> Mac | None:
        """The target's link-layer address."""
        return _mac(self.option(TARGET_LLADDR))

    @property
    def nonce(self) -> bytes | None:
        """The nonce, six bytes in what Linux sends."""
        return self.option(NONCE)

    @property
    def mtu(self) -> int | None:
        """The link's MTU, in bytes."""
        data = self.option(MTU)
        return int.from_bytes(data[2:], "big") if data is not None and len(data) == 6 else None

    @property
    def prefixes(self) -> tuple[Prefix, ...]:
        """All prefixes advertised."""
        return tuple(
            _decode_prefix(option.data)
            for option in self.options
            if option.kind == PREFIX_INFO and len(option.data) == _PREFIX.size
        )


class Ns(NdMessage, frozen=True, gc=False):
    """Neighbour Solicitation; from ``::`` it is Duplicate Address Detection (RFC 4862 5.4)."""

    kind: ClassVar[int] = SOLICITATION
    target: IPv6Address
    reserved: int = 0


class Na(NdMessage, frozen=True, gc=False):
    """Neighbour Advertisement; ``reserved`` are the 29 bits beside its flags."""

    kind: ClassVar[int] = ADVERTISEMENT
    target: IPv6Address
    router: bool = False
    solicited: bool = False
    override: bool = False
    reserved: int = 0


class Rs(NdMessage, frozen=True, gc=False):
    """Router Solicitation."""

    kind: ClassVar[int] = ROUTER_SOLICITATION
    reserved: int = 0


class Ra(NdMessage, frozen=True, gc=False):
    """Router Advertisement: lifetime in seconds, reachable and retransmission time in ms."""

    kind: ClassVar[int] = ROUTER_ADVERTISEMENT
    hop_limit: int
    flags: int
    lifetime: int
    reachable: int = 0
    retrans: int = 0


Nd = Ns | Na | Rs | Ra


def lladdr_option(kind: int, mac: Mac) -> NdOption:
    """SOURCE_LLADDR or TARGET_LLADDR with an Ethernet address."""
    return NdOption(kind, mac_to_bytes(mac))


def prefix_option(prefix: Prefix) -> NdOption:
    """The option that ``NdMessage.prefixes`` reads."""
    numbers = (prefix.length, prefix.flags, prefix.valid, prefix.preferred, prefix.reserved)
    return NdOption(PREFIX_INFO, _PREFIX.pack(*numbers, prefix.prefix.packed))


def _decode_prefix(data: bytes) -> Prefix:
    length, flags, valid, preferred, reserved, prefix = _PREFIX.unpack(data)
    return Prefix(IPv6Address(prefix), length, flags, valid, preferred, reserved)


def _mac(data: bytes | None) -> Mac | None:
    return mac_from_bytes(data) if data is not None and len(data) == 6 else None


_NAMES = {
    SOLICITATION: ("nd ns", 24),
    ADVERTISEMENT: ("nd na", 24),
    ROUTER_SOLICITATION: ("nd rs", 8),
    ROUTER_ADVERTISEMENT: ("nd ra", 16),
}


def decode(raw: bytes, missing: int) -> Nd | Malformed:
    """The ICMPv6 message in ``raw``, whose first byte is one of the four types."""
    name, size = _NAMES[raw[0]]
    if len(raw) < size:
        return cut(name, raw, size)
    kind, code, checksum, word = _HEADER.unpack_from(raw)
    options, tail = _decode_options(raw[size:], missing)
    if kind == ROUTER_SOLICITATION:
        return Rs(word, options=options, tail=tail, code=code, checksum=checksum)
    if kind == ROUTER_ADVERTISEMENT:
        numbers = (word >> 24, word >> 16 & 0xFF, word & 0xFFFF, *_TIMERS.unpack_from(raw, 8))
        return Ra(*numbers, options=options, tail=tail, code=code, checksum=checksum)
    target = IPv6Address(raw[8:24])
    if kind == SOLICITATION:
        return Ns(target, word, options=options, tail=tail, code=code, checksum=checksum)
    return Na(
        target,
        bool(word & _ROUTER),
        bool(word & _SOLICITED),
        bool(word & _OVERRIDE),
        word & (_OVERRIDE - 1),
        options=options,
        tail=tail,
        code=code,
        checksum=checksum,
    )


def _decode_options(raw: bytes, missing: int) -> tuple[tuple[NdOption, ...], Rest]:
    found: list[NdOption] = []
    at = 0
    while len(raw) - at >= 2:
        kind, size = raw[at], raw[at + 1] * 8
        if size == 0:  # the message must be dropped (RFC 4861 4.6)
            return tuple(found), Malformed(f"nd option {kind}: length 0", raw[at:])
        if at + size > len(raw):
            return tuple(found), cut(f"nd option {kind}", raw[at:], size)
        found.append(NdOption(kind, raw[at + 2 : at + size]))
        at += size
    if at < len(raw):
        return tuple(found), cut(f"nd option {raw[at]}", raw[at:], 8)
    return tuple(found), rest("nd options", b"", missing)


def encode(message: Nd, addresses: bytes) -> bytes:
    """The message; ``addresses`` (source and destination, packed) enter its checksum."""
    word, body = _fixed_part(message)
    options = b"".join(map(_encode_option, message.options))
    header = _HEADER.pack(message.kind, message.code, 0, word)
    return seal_v6(header + body + options + message.tail.raw, message.checksum, addresses)


def _fixed_part(message: Nd) -> tuple[int, bytes]:
    match message:
        case Ns():
            return message.reserved, message.target.packed
        case Rs():
            return message.reserved, b""
        case Na():
            flags = (
                message.router * _ROUTER
                | message.solicited * _SOLICITED
                | message.override * _OVERRIDE
            )
            return flags | message.reserved, message.target.packed
        case Ra():
            word = message.hop_limit << 24 | message.flags << 16 | message.lifetime
            return word, _TIMERS.pack(message.reachable, message.retrans)


def _encode_option(option: NdOption) -> bytes:
    return bytes((option.kind, (len(option.data) + 2) // 8)) + option.data
