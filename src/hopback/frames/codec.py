"""Frames to bytes and back.

``encode(decode(raw)) == raw`` for every string of bytes: checksums, lengths, padding and reserved
bits are kept as found, and what is cut or contradicts itself is ``Malformed`` at its own layer
under intact outer ones. In a frame that is built, a checksum, length or count of None is computed
by ``encode``; a frame that is altered after decoding needs None there too.
"""

from hopback.frames import arp, ethernet, ipv4, ipv6
from hopback.frames.arp import Arp
from hopback.frames.ethernet import Frame, Payload
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import ZERO
from hopback.frames.raw import Raw, cut

_DECODERS = {
    ethernet.IPV4: ipv4.decode,
    ethernet.IPV6: ipv6.decode,
    ethernet.ARP: arp.decode,
    ethernet.RARP: arp.decode,
}


def decode(raw: bytes) -> Frame:
    """The frame in ``raw`` (no FCS). Never raises."""
    header = ethernet.split(raw)
    if header is None:
        return Frame(ZERO, ZERO, (), ethernet.NO_ETHERTYPE, cut("ethernet", raw, 14))
    dst, src, tags, ethertype, body = header
    payload, padding = _decode_payload(ethertype, body)
    return Frame(dst, src, tags, ethertype, payload, padding)


def _decode_payload(ethertype: int, body: bytes) -> tuple[Payload, bytes]:
    if decoder := _DECODERS.get(ethertype):
        return decoder(body)
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
    return ethernet.join(frame, _encode_payload(frame.payload))


def _encode_payload(payload: Payload) -> bytes:
    match payload:
        case Arp():
            return arp.encode(payload)
        case Ipv4():
            return ipv4.encode(payload)
        case Ipv6():
            return ipv6.encode(payload)
        case _:
            return payload.raw
