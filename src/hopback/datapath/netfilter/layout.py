"""Where nf_tables finds a field: which header, and which bits of it (nft's src/proto.c).

A rule on a field of a protocol silently asks for that protocol first (nft's src/payload.c:
payload_gen_dependency); listings leave that out. ``Needs`` says what is asked.
"""

import re
from types import MappingProxyType
from typing import Literal, NamedTuple

from hopback.frames import icmp, igmp, tcp, udp
from hopback.frames.ethernet import ARP, DOT1Q, IPV4, IPV6

Base = Literal["link", "network", "transport"]


class Bits(NamedTuple):
    """``width`` bits from bit ``first`` of a header on, the highest of the first byte being 0."""

    base: Base
    first: int
    width: int


class Needs(NamedTuple):
    """What has to hold before a field is looked at.

    ``ethertype`` is the network protocol. ``framed``: in families that see whole frames it is the
    type in the Ethernet header, which a VLAN tag hides (``ether type``); else that of the packet
    inside (``meta protocol``). ``types`` are those of ICMP that have the field.
    """

    ethertype: int | None = None
    framed: bool = False
    l4proto: int | None = None
    types: tuple[int, ...] = ()


_IP = Needs(IPV4)
_IP6 = Needs(IPV6)
_ICMP = Needs(IPV4, framed=True, l4proto=icmp.PROTOCOL)
_ICMP6 = Needs(IPV6, framed=True, l4proto=icmp.PROTOCOL_V6)

_HEADERS: tuple[tuple[str, Base, Needs, str], ...] = (
    ("ether", "link", Needs(), "daddr 0 48, saddr 48 48, type 96 16"),
    ("vlan", "link", Needs(DOT1Q, framed=True), "pcp 112 3, dei 115 1, cfi 115 1, id 116 12,"
     " type 128 16"),
    ("arp", "network", Needs(ARP, framed=True), "htype 0 16, ptype 16 16, hlen 32 8, plen 40 8,"
     " operation 48 16, saddr ether 64 48, saddr ip 112 32, daddr ether 144 48, daddr ip 192 32"),
    ("ip", "network", _IP, "version 0 4, hdrlength 4 4, dscp 8 6, ecn 14 2, tos 8 8, length 16 16,"
     " id 32 16, frag-off 48 16, ttl 64 8, protocol 72 8, checksum 80 16, saddr 96 32,"
     " daddr 128 32"),
    ("ip6", "network", _IP6, "version 0 4, dscp 4 6, ecn 10 2, flowlabel 12 20, length 32 16,"
     " nexthdr 48 8, hoplimit 56 8, saddr 64 128, daddr 192 128"),
    ("tcp", "transport", Needs(l4proto=tcp.PROTOCOL), "sport 0 16, dport 16 16, sequence 32 32,"
     " ackseq 64 32, doff 96 4, reserved 100 4, flags 104 8, window 112 16, checksum 128 16,"
     " urgptr 144 16"),
    ("udp", "transport", Needs(l4proto=udp.PROTOCOL), "sport 0 16, dport 16 16, length 32 16,"
     " checksum 48 16"),
    ("udplite", "transport", Needs(l4proto=136), "sport 0 16, dport 16 16, checksum 48 16"),
    ("sctp", "transport", Needs(l4proto=132), "sport 0 16, dport 16 16, vtag 32 32,"
     " checksum 64 32"),
    ("dccp", "transport", Needs(l4proto=33), "sport 0 16, dport 16 16, type 67 4"),
    ("th", "transport", Needs(), "sport 0 16, dport 16 16"),
    ("ah", "transport", Needs(l4proto=51), "nexthdr 0 8, hdrlength 8 8, spi 32 32,"
     " sequence 64 32"),
    ("esp", "transport", Needs(l4proto=50), "spi 0 32, sequence 32 32"),
    ("comp", "transport", Needs(l4proto=108), "nexthdr 0 8, flags 8 8, cpi 16 16"),
    ("igmp", "transport", Needs(IPV4, framed=True, l4proto=igmp.PROTOCOL), "type 0 8, mrt 8 8,"
     " checksum 16 16, group 32 32"),
    ("icmp", "transport", _ICMP, "type 0 8, code 8 8, checksum 16 16"),
    ("icmp", "transport", _ICMP._replace(types=(icmp.ECHO_REPLY, icmp.ECHO_REQUEST)),
     "id 32 16, sequence 48 16"),
    ("icmp", "transport", _ICMP._replace(types=(icmp.REDIRECT,)), "gateway 32 32"),
    ("icmp", "transport", _ICMP._replace(types=(icmp.UNREACHABLE,)), "mtu 48 16"),
    ("icmpv6", "transport", _ICMP6, "type 0 8, code 8 8, checksum 16 16"),
    ("icmpv6", "transport", _ICMP6._replace(types=(icmp.V6_ECHO_REQUEST, icmp.V6_ECHO_REPLY)),
     "id 32 16, sequence 48 16"),
    ("icmpv6", "transport", _ICMP6._replace(types=(icmp.V6_TOO_BIG,)), "mtu 32 32"),
    ("icmpv6", "transport", _ICMP6._replace(types=(135, 136, icmp.V6_REDIRECT)), "taddr 64 128"),
)  # fmt: skip

FIELDS = MappingProxyType(
    {
        f"{name} {field.rsplit(' ', 2)[0]}": (Bits(base, *map(int, field.split()[-2:])), needs)
        for name, base, needs, fields in _HEADERS
        for field in map(str.strip, fields.split(","))
    }
)
"""Each field of a header by its key: where it is, and what has to hold."""

_RAW = re.compile(r"@(ll|nh|th),(\d{1,5}),(\d{1,4})")
_RAW_BASES: MappingProxyType[str, Base] = MappingProxyType(
    {"ll": "link", "nh": "network", "th": "transport"}
)


def needs_of(key: str) -> Needs:
    """What has to hold before the field is looked at, wherever it is."""
    found = FIELDS.get(key)
    if found is not None:
        return found[1]
    return Needs(IPV6, framed=True) if key.startswith("exthdr ") else Needs()


def place_of(key: str) -> Bits | None:
    """Where the field is, named or raw (``@th,16,16``); None for what is in no header."""
    found = FIELDS.get(key)
    if found is not None:
        return found[0]
    raw = _RAW.fullmatch(key)
    return Bits(_RAW_BASES[raw[1]], int(raw[2]), int(raw[3])) if raw else None
