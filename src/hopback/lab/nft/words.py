"""Fields and values of a row in the words of nft(8); the parser's opposite."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from hopback.datapath.netfilter.layout import place_of
from hopback.frames.mac import Mac, format_mac
from hopback.snapshot.rows import Element, Field, Span, Value
from hopback.sources.parse.nftables.types import type_of

_V4_MAX = (1 << 32) - 1
_HEX = frozenset({"mark", "ether_type", "tcp_flag"})
_PACKET_TYPES = ("host", "broadcast", "multicast", "other")
_ONLY_IN_ROWS = ("physdev ", "src", "dst")
_IP_TOS = "@nh,8,8"


class Unsayable(Exception):
    """nft has no words for it; the message says for what."""


def field(key: str) -> str:
    """The field ``key``; raises Unsayable for what only iptables or ipset look at."""
    if key.startswith(_ONLY_IN_ROWS[0]) or key in _ONLY_IN_ROWS[1:]:
        raise Unsayable(f"the field {key}")
    return _IP_TOS if key == "ip tos" else key


def raw(key: str) -> str:
    """The same bits without a word of the protocol that they belong to."""
    bits = place_of(key)
    if bits is None:
        raise Unsayable(f"the field {key} of another protocol")
    base = {"link": "ll", "network": "nh", "transport": "th"}[bits.base]
    return f"@{base},{bits.first},{bits.width}"


def masked(said: Field) -> str:
    """A field with its mask."""
    plain = field(said.key)
    return plain if said.mask is None else f"{plain} & {_mask(said.key, said.mask)}"


def _mask(key: str, mask: int) -> str:
    kind = type_of(key)
    return value(key, mask) if kind in ("ip_addr", "ether_addr") else hex(mask)


def element(fields: Sequence[Field], values: Element) -> str:
    """One value for each field."""
    if all(one == "*" for one in values):
        return "*"
    pairs = zip(fields, values, strict=True)
    return " . ".join(value(said.key, one) for said, one in pairs)


def value(key: str, said: Value) -> str:
    """What the field ``key`` is compared with, or set to."""
    if isinstance(said, Span):
        return f"{value(key, said.first)}-{value(key, said.last)}"
    kind = type_of(key)
    if isinstance(said, str):
        return _text(kind, said)
    if kind == "ip_addr":
        return address(said, six=key.startswith(("ip6 ", "icmpv6 ")) or " ip6 " in key)
    if kind == "ether_addr":
        return format_mac(Mac(said))
    if kind == "boolean" or (kind == "ifindex" and key.startswith("fib ")):
        return "exists" if said else "missing"
    if kind == "tc_handle":
        return f"{said >> 16:x}:{said & 0xFFFF:x}"
    if kind == "pkt_type":
        return _PACKET_TYPES[said]
    return hex(said) if kind in _HEX or said > _V4_MAX else str(said)


def address(number: int, six: bool = False) -> str:
    """An address of IPv6 if ``six``, or if it is too large for IPv4."""
    return str(IPv6Address(number) if six or number > _V4_MAX else IPv4Address(number))


def _text(kind: str, text: str) -> str:
    if '"' in text:
        raise Unsayable(f"the name {text!r}")
    if kind in ("ifname", "ifindex", "string"):
        return f'"{text}"'
    if kind == "pkt_type" and text == "otherhost":
        return "other"
    if kind == "ct_state" and text in ("snat", "dnat"):
        raise Unsayable("a state of connections that nft does not know")
    return text
