"""The ICMP errors that a host sends about packets: of what kind, about which, quoting how much.

net/ipv4/icmp.c:__icmp_send; net/ipv6/icmp.c:icmp6_send (Linux 6.12).
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from hopback.datapath.skb import Ip, PacketType
from hopback.frames import icmp, ipv4, ipv6
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.raw import Raw
from hopback.frames.transport import encode

_LARGEST_4, _LARGEST_6 = 576, 1280
_HEADERS_4, _HEADERS_6 = 28, 48
_NO_ERRORS_4 = frozenset({0, 8, *range(13, 19)})
"""The kinds of messages that are no errors (icmp_pointers): all others are taken for some."""

_CONTROL = 0xC0  # IPTOS_PREC_INTERNETCONTROL
_TOS = 0x1E  # IPTOS_TOS_MASK


class Error(Struct, frozen=True):
    """A message: ``rule`` is the model's, ``word`` the four bytes after the checksum."""

    rule: str
    kind: int
    code: int = 0
    word: int = 0


Cause = Literal["hops", "size", "net", "route", "neighbour", "port", "prohibited", "scope"]

_V4: Mapping[Cause, Error] = MappingProxyType(
    {
        "hops": Error("icmp-time-exceeded", icmp.TIME_EXCEEDED),
        "size": Error("icmp-too-big", icmp.UNREACHABLE, 4),
        "net": Error("icmp-unreachable", icmp.UNREACHABLE, 0),
        "route": Error("icmp-unreachable", icmp.UNREACHABLE, 1),
        "neighbour": Error("icmp-unreachable", icmp.UNREACHABLE, 1),
        "port": Error("icmp-unreachable", icmp.UNREACHABLE, 3),
        "prohibited": Error("icmp-unreachable", icmp.UNREACHABLE, 13),
    }
)
_V6: Mapping[Cause, Error] = MappingProxyType(
    {
        "hops": Error("icmp-time-exceeded", icmp.V6_TIME_EXCEEDED),
        "size": Error("icmp-too-big", icmp.V6_TOO_BIG),
        "net": Error("icmp-unreachable", icmp.V6_UNREACHABLE, 0),
        "route": Error("icmp-unreachable", icmp.V6_UNREACHABLE, 0),
        "neighbour": Error("icmp-unreachable", icmp.V6_UNREACHABLE, 3),
        "port": Error("icmp-unreachable", icmp.V6_UNREACHABLE, 4),
        "prohibited": Error("icmp-unreachable", icmp.V6_UNREACHABLE, 1),
        "scope": Error("icmp-unreachable", icmp.V6_UNREACHABLE, 2),
    }
)


_CAUSES: Mapping[str, Cause] = MappingProxyType(
    {
        "ip-ttl": "hops",
        "ip-too-big": "size",
        "ip-link-local": "scope",
        "ip-no-route": "net",
        "ip-unreachable": "route",
        "ip-prohibit": "prohibited",
        "ip-no-neighbour": "neighbour",
    }
)
"""By the rule that drops a packet, what its sender is told; by all others it is told nothing."""


def error_by(rule: str, packet: Ipv4 | Ipv6, mtu: int) -> Error | None:
    """The error about a packet that a rule of the model drops."""
    cause = _CAUSES.get(rule)
    return error_of(cause, packet, mtu if cause == "size" else 0) if cause else None


def error_of(cause: Cause, packet: Ipv4 | Ipv6, word: int = 0) -> Error:
    """The error for a cause, which may be that the packet ran out of hops, or its size.

    Of the size ``word`` is the MTU that it does not fit. Unreachable are: net, as no route leads
    there; route, as one says so; neighbour, port; prohibited; scope, beyond the source's (IPv6).
    """
    found = (_V4 if isinstance(packet, Ipv4) else _V6)[cause]
    return Error(found.rule, found.kind, found.code, word)


def is_allowed(packet: Ipv4 | Ipv6, packet_type: PacketType, error: Error) -> bool:
    """Whether anybody may be told of this packet at all.

    Not of one that was for a group, by its MAC or its address; not of an error; not of a later
    fragment (IPv4); not where the source is nobody's.
    """
    if isinstance(packet, Ipv4):
        of_error = packet.protocol == icmp.PROTOCOL and not _is_no_error(packet)
        return packet_type == "host" and not (packet.offset or of_error)
    if packet.src.is_multicast or packet.src.is_unspecified or _is_v6_error(packet):
        return False
    grouped = packet_type != "host" or packet.dst.is_multicast
    return not grouped or error.kind == icmp.V6_TOO_BIG


def _is_no_error(packet: Ipv4) -> bool:
    """A first fragment shows its kind as well."""
    body = encode(packet.payload, bytes(8))
    return bool(body) and body[0] in _NO_ERRORS_4


def _is_v6_error(packet: Ipv6) -> bool:
    """is_ineligible: a later fragment may be one, and does not show it."""
    if packet.protocol != icmp.PROTOCOL_V6 or (packet.fragment and packet.fragment.offset):
        return False
    body = encode(packet.payload, bytes(32))
    return not body or body[0] < 128


def tos_of(about: Ipv4) -> int:
    """The TOS of an error of IPv4; IPv6 has none."""
    return about.tos & _TOS | _CONTROL


def error_packet(
    about: Ipv4 | Ipv6, error: Error, source: Ip, hops: int, mtu: int
) -> Ipv4 | Ipv6 | None:
    """The error as it leaves by a way of this ``mtu``; None if that leaves no room to quote.

    Its identification (IPv4) and its flow label (IPv6) are random numbers in a kernel, and 0 here.
    """
    if isinstance(about, Ipv4):
        room = min(mtu, _LARGEST_4) - _HEADERS_4
        if room <= 20 or not isinstance(source, IPv4Address):
            return None
        quoted = Raw(ipv4.encode(about)[:room])
        message = Icmp(error.kind, error.code, error.word, quoted)
        return Ipv4(source, about.src, icmp.PROTOCOL, message, hops, tos_of(about))
    quoted = Raw(ipv6.encode(about)[: _LARGEST_6 - _HEADERS_6])
    message6 = Icmpv6(error.kind, error.code, error.word, quoted)
    return Ipv6(IPv6Address(source), about.src, icmp.PROTOCOL_V6, message6, hops)
