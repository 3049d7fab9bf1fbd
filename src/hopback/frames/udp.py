"""UDP datagrams (RFC 768), with DHCPv4 inside."""

import struct

from msgspec import Struct

from hopback.frames import dhcp
from hopback.frames.checksum import fill, pseudo_header
from hopback.frames.dhcp import Dhcp
from hopback.frames.raw import Encapsulated, Malformed, Raw, Rest, cut, rest

PROTOCOL = 17

_HEADER = struct.Struct("!HHHH")
_DHCP_PORTS = {dhcp.SERVER_PORT, dhcp.CLIENT_PORT}


class Udp(Struct, frozen=True, gc=False):
    """A datagram. Checksum 0 means that the sender made none.

    ``surplus`` is what the IP packet holds beyond the UDP length (RFC 9868 puts options there).
    """

    sport: int
    dport: int
    payload: Dhcp | Encapsulated | Rest = Raw()
    length: int | None = None
    surplus: Rest = Raw()
    checksum: int | None = None


def decode(raw: bytes, missing: int) -> Udp | Malformed:
    """The datagram in ``raw``, at whose end ``missing`` bytes were not captured."""
    if len(raw) < _HEADER.size:
        return cut("udp", raw, _HEADER.size)
    sport, dport, length, checksum = _HEADER.unpack_from(raw)
    if length < _HEADER.size:
        bad = Malformed(f"udp: length {length}, below 8", raw[_HEADER.size :])
        return Udp(sport, dport, bad, length, checksum=checksum)
    body = raw[_HEADER.size : length]
    lacking = max(0, length - len(raw))
    payload = _decode_payload(sport, dport, body, lacking)
    surplus = Raw() if lacking else rest("udp surplus", raw[length:], missing)
    return Udp(sport, dport, payload, length, surplus, checksum)


def _decode_payload(sport: int, dport: int, body: bytes, lacking: int) -> Dhcp | Rest:
    if sport in _DHCP_PORTS and dport in _DHCP_PORTS:
        return dhcp.decode(body, lacking)
    return rest("udp payload", body, lacking)


def encode(udp: Udp, addresses: bytes) -> bytes:
    """The datagram; ``addresses`` (source and destination, packed) enter its checksum."""
    body = dhcp.encode(udp.payload) if isinstance(udp.payload, Dhcp) else udp.payload.raw
    length = _HEADER.size + len(body) if udp.length is None else udp.length
    datagram = _HEADER.pack(udp.sport, udp.dport, length, 0) + body
    whole = fill(datagram, 6, udp.checksum, pseudo_header(addresses, PROTOCOL, length))
    if udp.checksum is None and whole[6:8] == b"\0\0":
        whole = whole[:6] + b"\xff\xff" + whole[8:]  # zero would mean "none" (RFC 768)
    return whole + udp.surplus.raw
