"""Where the headers of a packet begin, as netfilter finds them (struct nft_pktinfo).

All offsets are into the whole frame. net/netfilter/nf_tables_ipv4.h, nf_tables_ipv6.h,
net/ipv6/exthdrs_core.c:ipv6_find_hdr, net/core/skbuff.c:skb_vlan_untag; Linux 6.12.
"""

from typing import NamedTuple

from hopback.datapath.netfilter.layout import Bits
from hopback.frames.ethernet import DOT1AD, DOT1Q, FIRST_ETHERTYPE, IPV4, IPV6
from hopback.frames.ipv6 import DESTINATION, FRAGMENT, HOP_BY_HOP, ROUTING

_ETHERNET = 14
_TAG = 4
_P_802_3, _P_802_2 = 0x0001, 0x0004
_WALKED = frozenset((HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION))
_V4_MIN, _V6_SIZE = 20, 40


class Headers(NamedTuple):
    """``network`` and ``transport`` are offsets, ``end`` that after the packet.

    ``protocol`` is that of the packet in the frame, its outer VLAN tag being beside it in the
    kernel (``skb->protocol``). ``l4proto`` is None where the packet is not IP, or contradicts
    itself. ``fragment`` is the offset of a fragment in its packet, in bytes: not 0 where the
    packet has no transport header, and ``transport`` where nf_tables takes it to be all the same.
    ``parts``: it is a fragment, if the first. ``extensions``: the kinds of the IPv6 extension
    headers.
    """

    network: int
    end: int
    protocol: int
    l4proto: int | None = None
    transport: int = 0
    fragment: int = 0
    parts: bool = False
    extensions: tuple[int, ...] = ()

    @property
    def tagged(self) -> bool:
        """Whether the frame has a VLAN tag."""
        return self.network > _ETHERNET


def headers_of(raw: bytes, *, routed: bool) -> Headers:
    """The headers of a frame; ``routed``: IP has taken it, and cut what follows the packet."""
    network, protocol = _ETHERNET, _u16(raw, 12)
    if protocol in (DOT1Q, DOT1AD) and len(raw) >= _ETHERNET + _TAG:
        network, protocol = _ETHERNET + _TAG, _u16(raw, 16)
    if protocol == IPV4:
        found = _ipv4(raw, network)
    elif protocol == IPV6:
        found = _ipv6(raw, network)
    else:
        if protocol < FIRST_ETHERTYPE:
            protocol = _P_802_3 if raw[network : network + 2] == b"\xff\xff" else _P_802_2
        return Headers(network, len(raw), protocol)
    return found if routed else found._replace(end=len(raw))


def _ipv4(raw: bytes, at: int) -> Headers:
    """__nft_set_pktinfo_ipv4_validate."""
    nothing = Headers(at, len(raw), IPV4)
    if len(raw) - at < _V4_MIN:
        return nothing
    size, total = (raw[at] & 0x0F) * 4, _u16(raw, at + 2)
    if raw[at] >> 4 != 4 or size < _V4_MIN or len(raw) - at < total or total < size:
        return nothing
    word = _u16(raw, at + 6)
    fragment, parts = (word & 0x1FFF) * 8, bool(word & 0x3FFF)
    return Headers(at, at + total, IPV4, raw[at + 9], at + size, fragment, parts)


def _ipv6(raw: bytes, at: int) -> Headers:
    """__nft_set_pktinfo_ipv6_validate; ipv6_find_hdr looks for the last header.

    It finds extensions in a packet that is cut as well.
    """
    if len(raw) - at < _V6_SIZE or raw[at] >> 4 != 6:
        return Headers(at, len(raw), IPV6)
    end = at + _V6_SIZE + _u16(raw, at + 4)
    found = _walked(raw, Headers(at, min(end, len(raw)), IPV6, transport=at))
    return found if end <= len(raw) else found._replace(l4proto=None)


def _walked(raw: bytes, found: Headers) -> Headers:
    """With the extensions, and what follows them."""
    at = found.network
    protocol, place = raw[at + 6], at + _V6_SIZE
    while protocol in _WALKED:
        if place + (4 if protocol == FRAGMENT else 2) > found.end:
            return found
        found = found._replace(extensions=(*found.extensions, protocol))
        following, size = raw[place], (raw[place + 1] + 1) * 8
        if protocol == FRAGMENT:
            word, size = _u16(raw, place + 2), 8
            found = found._replace(fragment=word & 0xFFF8, parts=bool(word & 0xFFF9))
            if found.fragment:
                return found if following in _WALKED else found._replace(l4proto=following)
        protocol, place = following, place + size
    return found._replace(l4proto=protocol, transport=place)


def load(raw: bytes, headers: Headers, bits: Bits, *, strict: bool = False) -> int | None:
    """The number in those bits; None where the packet has no such bytes (nft_payload_eval).

    ``strict``: x_tables asks; it takes no fragment's inside for a header.
    """
    found = _where(headers, bits, strict=strict)
    if found is None:
        return None
    rest = -(bits.first + bits.width) % 8
    return int.from_bytes(raw[found], "big") >> rest & (1 << bits.width) - 1


def store(raw: bytes, headers: Headers, bits: Bits, value: int) -> bytes | None:
    """The frame with another number in those bits; None where it has none. No checksum changes."""
    old, found = load(raw, headers, bits, strict=True), _where(headers, bits, strict=True)
    if old is None or found is None:
        return None
    rest = -(bits.first + bits.width) % 8
    number = int.from_bytes(raw[found], "big") ^ (old ^ value & (1 << bits.width) - 1) << rest
    return raw[: found.start] + number.to_bytes(found.stop - found.start, "big") + raw[found.stop :]


def _where(headers: Headers, bits: Bits, *, strict: bool) -> slice | None:
    """The bytes of the frame that hold the bits."""
    start = {"link": 0, "network": headers.network, "transport": headers.transport}[bits.base]
    first = bits.first // 8
    size = (bits.first % 8 + bits.width + 7) // 8
    if bits.base == "transport":
        if headers.l4proto is None:
            return None
        # nft_payload_fast_eval has no eye for fragments, and takes any bytes for the header.
        is_fast = size in (1, 2, 4) and first % size == 0
        if headers.fragment and (strict or not is_fast):
            return None
    found = slice(start + first, start + first + size)
    return found if found.stop <= headers.end else None


def _u16(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 2], "big")
