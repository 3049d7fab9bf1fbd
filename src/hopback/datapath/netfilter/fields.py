"""What a packet has in the fields that rules look at, by nft's names (net/netfilter/nft_meta.c …).

None is a field that the packet lacks: the rule then does not match, whatever it compares
(NFT_BREAK). ``Undecided`` is raised for what the packet does not tell, or the model does not know.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType

from hopback.datapath.netfilter.addresses import Addresses
from hopback.datapath.netfilter.headers import Headers, headers_of, load
from hopback.datapath.netfilter.layout import FIELDS, Bits, Needs, place_of
from hopback.datapath.netfilter.packet import CtState, Seen
from hopback.datapath.skb import Connection, Skb
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import DOT1Q, IPV4, IPV6, Frame
from hopback.frames.ipv6 import DESTINATION, FRAGMENT, HOP_BY_HOP, ROUTING

Found = int | str | frozenset[str] | None
"""A number, a word or a name, several words at once, or nothing."""

_NFPROTO = {"ip": "ipv4", "ip6": "ipv6"}
_FAMILY_OF = {IPV4: "ip", IPV6: "ip6"}
_TYPE = FIELDS["ether type"][0]
_FIRST_BYTE = Bits("transport", 0, 8)
_ETHER = 1  # ARPHRD_ETHER


class Undecided(Exception):
    """What the field has is not known here: a clock, a socket, a route, another module's word."""


Reader = Callable[["Packet"], Found]


class Packet:
    """A packet on its way through the chains of one hook; it changes there.

    ``rewritten`` tells whether the bytes are no longer those of ``seen.frame``; ``strict`` is set
    while x_tables looks at it.
    """

    def __init__(self, seen: Seen, addresses: Addresses) -> None:
        self.seen = seen
        self.addresses = addresses
        self.skb: Skb = seen.skb
        self.packet_type: str = seen.packet_type
        self.routed = seen.family in ("ip", "ip6")
        self.raw = encode(seen.frame)
        self.headers: Headers = headers_of(self.raw, routed=self.routed)
        self.rewritten = False
        self.strict = False

    def rewrite(self, raw: bytes) -> None:
        """The packet's bytes are now ``raw``."""
        if raw != self.raw:
            self.raw, self.rewritten = raw, True
            self.headers = headers_of(raw, routed=self.routed)

    def frame(self) -> Frame:
        """The packet as a frame again."""
        return decode(self.raw) if self.rewritten else self.seen.frame

    def get(self, key: str) -> Found:
        """The field's value."""
        if key == "ether type" and self.strict and self.headers.tagged:
            return DOT1Q  # ebtables.c:ebt_basic_match takes any tag for one of 802.1Q
        place = place_of(key)
        if place is not None:
            return self._loaded(place)
        reader = _READERS.get(key)
        if reader is None:
            raise Undecided
        return reader(self)

    def has_protocol(self, needs: Needs, *, told: bool) -> bool:
        """What nft asks before it looks at a field.

        ``told``: the rule names the network protocol itself, so nft does not ask for that.
        """
        if needs.ethertype is not None and not told and not self._carries(needs):
            return False
        if needs.l4proto is not None and self.headers.l4proto != needs.l4proto:
            return False
        return not needs.types or load(self.raw, self.headers, _FIRST_BYTE) in needs.types

    def _carries(self, needs: Needs) -> bool:
        if self.routed and needs.ethertype in _FAMILY_OF:
            return self.seen.family == _FAMILY_OF[needs.ethertype]
        if needs.framed:
            return load(self.raw, self.headers, _TYPE) == needs.ethertype
        return self.headers.protocol == needs.ethertype

    def _loaded(self, bits: Bits) -> int | None:
        """Bytes of the packet; one that the host itself sends has no link header yet."""
        if bits.base == "link" and self.routed and not (self.seen.indev or self.seen.physin):
            return None
        return load(self.raw, self.headers, bits, strict=self.strict)


def state_of(skb: Skb) -> CtState:
    """The state of the packet's connection (enum ip_conntrack_info)."""
    if skb.connection is None:
        return "untracked" if skb.untracked else "invalid"
    if skb.related:
        return "related"
    return "established" if skb.reply or skb.connection.replied else "new"


def translated(connection: Connection) -> frozenset[str]:
    """Which ends of it NAT has changed (IPS_SRC_NAT, IPS_DST_NAT): ``snat``, ``dnat``."""
    original, reply = connection.original, connection.reply
    source = (original.source, original.source_port) != (reply.target, reply.target_port)
    target = (original.target, original.target_port) != (reply.source, reply.source_port)
    return frozenset(word for word, is_ in (("snat", source), ("dnat", target)) if is_)


def _ct_state(packet: Packet) -> Found:
    connection = packet.skb.connection
    words = translated(connection) if connection else frozenset[str]()
    return words | {state_of(packet.skb)}


def _ct_status(packet: Packet) -> Found:
    connection = packet.skb.connection
    if connection is None:
        return None
    replied = frozenset(("seen-reply",)) if connection.replied else frozenset[str]()
    return translated(connection) | replied


def _ct_direction(packet: Packet) -> Found:
    if packet.skb.connection is None:
        return None
    return "reply" if packet.skb.reply else "original"


def _ct_tuple(direction: str, part: str, family: str = "") -> Reader:
    """nft_ct.c: a connection has addresses of one ``family`` only."""

    def read(packet: Packet) -> Found:
        if packet.skb.connection is None or family not in ("", packet.seen.family):
            return None
        found = getattr(getattr(packet.skb.connection, direction), part)
        return found if isinstance(found, int) else int(found)

    return read


def _fib_type(which: str, device: str) -> Reader:
    """nft_fib4_eval_type: what an address of the packet is to this host."""

    def read(packet: Packet) -> Found:
        version = "ip6" if packet.headers.protocol == IPV6 else "ip"
        number = packet.get(f"{version} {which}")
        if not isinstance(number, int):
            return None
        address = IPv6Address(number) if version == "ip6" else IPv4Address(number)
        limit: str | None = getattr(packet.seen, device) if device else None
        kind = packet.addresses.kind(address, limit)
        if kind is None:
            raise Undecided
        return kind

    return read


def _exthdr(kind: int) -> Reader:
    return lambda packet: int(kind in packet.headers.extensions)


_EXTENSIONS = {"hbh": HOP_BY_HOP, "rt": ROUTING, "frag": FRAGMENT, "dst": DESTINATION}

_TUPLE = {
    "saddr": ("source", ""),
    "daddr": ("target", ""),
    "ip saddr": ("source", "ip"),
    "ip daddr": ("target", "ip"),
    "ip6 saddr": ("source", "ip6"),
    "ip6 daddr": ("target", "ip6"),
    "proto-src": ("source_port", ""),
    "proto-dst": ("target_port", ""),
    "protocol": ("protocol", ""),
}

_READERS: MappingProxyType[str, Reader] = MappingProxyType(
    {
        "meta iifname": lambda p: p.seen.indev,
        "meta oifname": lambda p: p.seen.outdev,
        "meta iif": lambda p: p.seen.indev,
        "meta oif": lambda p: p.seen.outdev,
        "meta ibrname": lambda p: p.seen.bridge_in or None,
        "meta obrname": lambda p: p.seen.bridge_out or None,
        "meta iiftype": lambda p: _ETHER if p.seen.indev or p.seen.outdev else None,
        "meta oiftype": lambda p: _ETHER if p.seen.outdev else None,
        "meta mark": lambda p: p.skb.mark,
        "meta pkttype": lambda p: p.packet_type,
        "meta protocol": lambda p: p.headers.protocol,
        "meta nfproto": lambda p: _NFPROTO.get(p.seen.family, p.seen.family),
        "meta l4proto": lambda p: p.headers.l4proto,
        "meta length": lambda p: p.headers.end - p.headers.network,
        "physdev in": lambda p: p.seen.physin,
        "physdev out": lambda p: p.seen.physout,
        **{f"exthdr {word}": _exthdr(kind) for word, kind in _EXTENSIONS.items()},
        "ct state": _ct_state,
        "ct status": _ct_status,
        "ct direction": _ct_direction,
        "ct mark": lambda p: p.skb.connection.mark if p.skb.connection else None,
        "ct protocol": _ct_tuple("original", "protocol"),
        **{
            f"ct {direction} {word}": _ct_tuple(direction, *part)
            for direction in ("original", "reply")
            for word, part in _TUPLE.items()
        },
        **{
            f"fib {which}{limit} type": _fib_type(which, device)
            for which in ("saddr", "daddr")
            for limit, device in (("", ""), (" . iif", "indev"), (" . oif", "outdev"))
        },
    }
)
