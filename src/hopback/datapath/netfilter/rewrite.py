"""Packets rewritten in place: their checksums follow what changed, and stay wrong if they were.

RFC 1624; net/core/utils.c:inet_proto_csum_replace4. All works on the bytes of a frame.
"""

from hopback.datapath.netfilter.headers import Headers
from hopback.frames import icmp, tcp, udp
from hopback.frames.ethernet import IPV4

_UDPLITE, _DCCP = 136, 33
_CHECKSUMS = {
    tcp.PROTOCOL: 16,
    udp.PROTOCOL: 6,
    _UDPLITE: 6,
    _DCCP: 6,
    icmp.PROTOCOL: 2,
    icmp.PROTOCOL_V6: 2,
}
"""Where the checksum stands in a transport header."""

_V4_CHECKSUM = 10
_V4_ADDRESSES, _V6_ADDRESSES = slice(12, 20), slice(8, 40)


def put(raw: bytes, at: int, new: bytes) -> bytes:
    """The bytes with ``new`` in the place of what was at ``at``."""
    return raw[:at] + new + raw[at + len(new) :]


class Cut(Exception):
    """A checksum that has to follow is not in the packet any more."""


def sealed(before: bytes, after: bytes, headers: Headers, *, quoted: bool = False) -> bytes:
    """``after`` with the checksums of ``before``, each corrected for what differs.

    Raises Cut; but what an error quotes ends anywhere, so there a checksum may be missing.
    """
    network = headers.network
    addresses = _V4_ADDRESSES if headers.protocol == IPV4 else _V6_ADDRESSES
    old, new = before[network:][addresses], after[network:][addresses]
    if headers.protocol == IPV4:
        size = (before[network] & 0x0F) * 4 if network < len(before) else 0
        header = slice(network, network + size)
        after = _corrected(after, network + _V4_CHECKSUM, before[header], after[header])
    place = _CHECKSUMS.get(headers.l4proto or 0)
    if place is None or headers.fragment:
        return after
    at = headers.transport + place
    if quoted and at + 2 > headers.end:
        return after
    if headers.l4proto == udp.PROTOCOL and before[at : at + 2] == b"\0\0":
        return after  # the sender made none
    if headers.l4proto == icmp.PROTOCOL:
        old = new = b""  # it covers no addresses
    body = slice(headers.transport, headers.end)
    old, new = old + before[body], new + after[body]
    after = _corrected(after, at, old, new) if old != new else after
    if headers.l4proto == udp.PROTOCOL and after[at : at + 2] == b"\0\0":
        return put(after, at, b"\xff\xff")
    return after


def _corrected(raw: bytes, at: int, old: bytes, new: bytes) -> bytes:
    """``raw`` with the checksum at ``at`` corrected for words that are no longer what they were."""
    if at + 2 > len(raw):
        raise Cut
    if old == new:
        return raw
    total = ~int.from_bytes(raw[at : at + 2], "big") & 0xFFFF
    for was, is_ in zip(_words(old), _words(new), strict=True):
        if was != is_:
            total += (~was & 0xFFFF) + is_
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return put(raw, at, (~total & 0xFFFF).to_bytes(2, "big"))


def _words(data: bytes) -> list[int]:
    padded = data + b"\0" * (len(data) % 2)
    return [int.from_bytes(padded[at : at + 2], "big") for at in range(0, len(padded), 2)]
