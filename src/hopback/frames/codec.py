"""Frames to bytes and back.

``encode(decode(raw)) == raw`` for every string of bytes: checksums, lengths, padding and reserved
bits are kept as found, and what is cut or contradicts itself is ``Malformed`` at its own layer
under intact outer ones. In a frame that is built, a checksum, length or count of None is computed
by ``encode``; a frame that is altered after decoding needs None there too.
"""

from functools import cache

from msgspec.structs import replace

from hopback.frames import arp, ethernet, ipv4, ipv6, transport, tunnel
from hopback.frames.arp import Arp
from hopback.frames.ethernet import Frame, Payload
from hopback.frames.mac import ZERO
from hopback.frames.raw import Raw, Rest, cut, rest
from hopback.frames.transport import Decoders
from hopback.frames.tunnel import Gre, Inner

NESTED_MAX = 16
"""Packets inside packets that are decoded; what is deeper stays bytes."""


def decode(raw: bytes) -> Frame:
    """The frame in ``raw`` (no FCS). Never raises."""
    return _decode(raw, 0)


def _decode(raw: bytes, depth: int) -> Frame:
    header = ethernet.split(raw)
    if header is None:
        return Frame(ZERO, ZERO, (), ethernet.NO_ETHERTYPE, cut("ethernet", raw, 14))
    dst, src, tags, ethertype, body = header
    payload, padding = _decode_payload(ethertype, body, depth)
    return Frame(dst, src, tags, ethertype, payload, padding)


def _decode_payload(ethertype: int, body: bytes, depth: int) -> tuple[Payload, bytes]:
    if ethertype in (ethernet.ARP, ethernet.RARP):
        return arp.decode(body)
    if ethertype == ethernet.IPV4:
        return ipv4.decode(body, _tables(depth)[0])
    if ethertype == ethernet.IPV6:
        return ipv6.decode(body, _tables(depth)[1])
    if ethertype in (ethernet.DOT1Q, ethernet.DOT1AD):
        return cut("vlan tag", body, 4), b""
    if ethertype >= ethernet.FIRST_ETHERTYPE:
        return Raw(body), b""
    if ethertype > len(body):
        return cut("802.3", body, ethertype), b""
    return Raw(body[:ethertype]), body[ethertype:]


def encode(frame: Frame) -> bytes:
    """The bytes of the frame (no FCS, and no padding but the frame's own).

    Raises struct.error or OverflowError when a built value does not fit its field.
    """
    return ethernet.encode(frame)


@cache
def _tables(depth: int) -> tuple[Decoders, Decoders]:
    """What IPv4 and IPv6 packets carry that are themselves ``depth`` packets deep."""
    if depth >= NESTED_MAX:
        return transport.V4, transport.V6

    def inner4(raw: bytes, _: int) -> Inner | Rest:
        return _inner(ethernet.IPV4, raw, depth + 1)

    def inner6(raw: bytes, _: int) -> Inner | Rest:
        return _inner(ethernet.IPV6, raw, depth + 1)

    def gre(raw: bytes, missing: int) -> Gre | Rest:
        return _gre(raw, missing, depth + 1)

    tunnels = {tunnel.IPIP: inner4, tunnel.IPV6: inner6, tunnel.GRE: gre}
    return {**transport.V4, **tunnels}, {**transport.V6, **tunnels}


def _inner(ethertype: int, raw: bytes, depth: int) -> Inner | Rest:
    """What is cut is cut by its own length, too."""
    packet, surplus = _decode_payload(ethertype, raw, depth)
    return Raw(raw) if isinstance(packet, Arp | Raw) else Inner(packet, surplus)


def _gre(raw: bytes, missing: int, depth: int) -> Gre | Rest:
    found = tunnel.split_gre(raw, missing)
    if not isinstance(found, tuple):
        return found
    header, body = found
    if header.protocol == tunnel.TEB:
        return replace(header, payload=_decode(body, depth))
    if header.protocol not in (ethernet.IPV4, ethernet.IPV6):
        return replace(header, payload=rest("gre payload", body, missing))
    packet, surplus = _decode_payload(header.protocol, body, depth)
    return Raw(raw) if isinstance(packet, Arp) else replace(header, payload=packet, surplus=surplus)
