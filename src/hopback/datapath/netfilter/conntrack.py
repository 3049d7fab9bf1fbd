"""To which connection a packet belongs (net/netfilter/nf_conntrack_core.c:nf_conntrack_in; 6.12).

Sequence numbers and windows of TCP are not followed, nor time: a known connection stays.
"""

from ipaddress import IPv4Address, IPv6Address

from msgspec.structs import replace

from hopback.datapath.effects import Blind
from hopback.datapath.netfilter.fields import Packet
from hopback.datapath.netfilter.headers import Headers, headers_of
from hopback.datapath.netfilter.open import Open
from hopback.datapath.netfilter.ruleset import Ruleset
from hopback.datapath.skb import Connection, Ip, Tuple
from hopback.frames import icmp, tcp, udp
from hopback.frames.checksum import ones_sum, pseudo_header
from hopback.frames.ethernet import IPV4, IPV6
from hopback.frames.tcp import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG

_WITH_PORTS = frozenset((tcp.PROTOCOL, udp.PROTOCOL, 136))
_NOT_FOLLOWED = {132: "SCTP", 33: "DCCP", 47: "GRE"}

_ECHO = {icmp.PROTOCOL: icmp.ECHO_REQUEST, icmp.PROTOCOL_V6: icmp.V6_ECHO_REQUEST}
_REQUESTS = {icmp.PROTOCOL: {8: 0, 13: 14, 15: 16, 17: 18}, icmp.PROTOCOL_V6: {128: 129, 139: 140}}
"""nf_conntrack_proto_icmp.c:invmap: questions and their answers, by type."""

_ERRORS = frozenset((3, 4, 5, 11, 12))
_V6_QUERIES = 128
_V6_SILENT = frozenset((*range(130, 138), 143))
"""nf_conntrack_proto_icmpv6.c:noct_valid_new: neighbour discovery and MLD have no connection."""

_TCP_FLAGS_VALID = frozenset(
    (SYN, SYN | URG, SYN | ACK, RST, RST | ACK, FIN | ACK, FIN | ACK | URG, ACK, ACK | URG)
)
"""nf_conntrack_proto_tcp.c:tcp_valid_flags."""


def track(packet: Packet, rules: Ruleset) -> None:
    """Give the packet its connection: a known one, or one that it begins.

    None is left to an invalid packet. Raises Open where the model does not follow.
    """
    skb = packet.skb
    if skb.connection is not None or skb.untracked:
        return
    headers, raw = packet.headers, packet.raw
    if headers.protocol not in (IPV4, IPV6):  # in a bridge (nf_ct_bridge_pre)
        packet.skb = replace(skb, untracked=True)
        return
    if headers.parts:
        raise Open(Blind("fragments are put together for the connection table", ()))
    if headers.l4proto in _NOT_FOLLOWED:
        raise Open(Blind(f"connections of {_NOT_FOLLOWED[headers.l4proto]}", ()))
    if headers.l4proto is None or not _is_whole(packet):
        return
    if headers.l4proto == icmp.PROTOCOL_V6 and raw[headers.transport] in _V6_SILENT:
        packet.skb = replace(skb, untracked=True)
    elif is_error(raw, headers):
        _relate(packet, rules)
    else:
        _assign(packet, rules)


def _assign(packet: Packet, rules: Ruleset) -> None:
    """resolve_normal_ct."""
    at = tuple_of(packet.raw, packet.headers)
    known = rules.connections.get(at)
    if known is None:
        if _may_begin(packet.raw, packet.headers):
            packet.skb = replace(packet.skb, connection=Connection(at, inverse(at)))
        return
    is_reply = known.original != at
    if is_reply and not known.replied:
        known = replace(known, replied=True)
    packet.skb = replace(packet.skb, connection=known, reply=is_reply)


def _relate(packet: Packet, rules: Ruleset) -> None:
    """nf_conntrack_inet_error: an error about a packet of a known connection, to its sender."""
    quoted = quote_of(packet.raw, packet.headers)
    if quoted is None:
        return
    about = inverse(tuple_of(*quoted))
    known = rules.connections.get(about)
    if known is None:
        return
    is_reply = known.original != about
    expected = known.reply.target if is_reply else known.original.target
    if addresses_of(packet.raw, packet.headers)[1] == expected:
        packet.skb = replace(packet.skb, connection=known, reply=is_reply, related=True)


def inverse(given: Tuple) -> Tuple:
    """How an answer to such a packet looks (nf_ct_invert_tuple)."""
    protocol, source, target, source_port, target_port = given
    return Tuple(protocol, target, source, target_port, source_port)


def addresses_of(raw: bytes, headers: Headers) -> tuple[Ip, Ip]:
    """Source and destination of an IP packet."""
    at = headers.network
    if headers.protocol == IPV4:
        return IPv4Address(raw[at + 12 : at + 16]), IPv4Address(raw[at + 16 : at + 20])
    return IPv6Address(raw[at + 8 : at + 24]), IPv6Address(raw[at + 24 : at + 40])


def tuple_of(raw: bytes, headers: Headers) -> Tuple:
    """The direction that a packet has; its transport header begins with 8 bytes.

    ICMP has its identifier in the port of whoever asked, and in the other what is not an echo.
    """
    source, target = addresses_of(raw, headers)
    protocol, at = headers.l4proto or 0, headers.transport
    if protocol in _WITH_PORTS:
        ports = int.from_bytes(raw[at : at + 4], "big")
        return Tuple(protocol, source, target, ports >> 16, ports & 0xFFFF)
    if protocol not in _REQUESTS:
        return Tuple(protocol, source, target)
    kind, code = raw[at], raw[at + 1]
    ident = int.from_bytes(raw[at + 4 : at + 6], "big")
    answers = {answer: question for question, answer in _REQUESTS[protocol].items()}
    question = answers.get(kind, kind)
    other = 0 if question == _ECHO[protocol] and not code else question << 8 | code
    if kind in answers:
        return Tuple(protocol, source, target, other, ident)
    return Tuple(protocol, source, target, ident, other)


def is_error(raw: bytes, headers: Headers) -> bool:
    """Whether it is an ICMP error, which quotes another packet."""
    if headers.l4proto == icmp.PROTOCOL:
        return raw[headers.transport] in _ERRORS
    return headers.l4proto == icmp.PROTOCOL_V6 and raw[headers.transport] < _V6_QUERIES


def quote_of(raw: bytes, headers: Headers) -> tuple[bytes, Headers] | None:
    """The packet that an ICMP error quotes, as a frame whose headers can be asked.

    It is mostly cut, so its length is not held against it. None if it is no use.
    """
    at = headers.transport + 8
    ethertype = (IPV4 if headers.protocol == IPV4 else IPV6).to_bytes(2, "big")
    body = raw[at : headers.end]
    if headers.protocol == IPV4 and len(body) >= 4:
        announced = int.from_bytes(body[2:4], "big")
    elif headers.protocol == IPV6 and len(body) >= 6:
        announced = 40 + int.from_bytes(body[4:6], "big")
    else:
        return None
    frame = bytes(12) + ethertype + body + bytes(max(0, announced - len(body)))
    found = headers_of(frame, routed=True)
    has_ports = found.transport + 8 <= 14 + len(body)
    if found.l4proto is None or found.fragment or not has_ports:
        return None
    return frame[: 14 + len(body)], found._replace(end=14 + len(body))


def _may_begin(raw: bytes, headers: Headers) -> bool:
    """Whether such a packet may be the first of a connection."""
    kind = raw[headers.transport] if headers.transport < len(raw) else 0
    if headers.l4proto in _REQUESTS:
        return kind in _REQUESTS[headers.l4proto]
    if headers.l4proto == tcp.PROTOCOL:
        flags = raw[headers.transport + 13]
        # nf_conntrack_tcp_loose: it may also have begun before anybody looked.
        return flags & (SYN | ACK) in (SYN, ACK) and not flags & (RST | FIN)
    return True


def _is_whole(packet: Packet) -> bool:
    """Whether the transport header is there, makes sense, and has the right checksum.

    tcp_error, udp_error, icmp_error; checksums are looked at on the way in only.
    """
    headers, raw = packet.headers, packet.raw
    at, end = headers.transport, headers.end
    size, covered = (
        {tcp.PROTOCOL: 20, udp.PROTOCOL: 8, 1: 8, 58: 8}.get(headers.l4proto or 0, 0),
        end,
    )
    if end - at < size:
        return False
    if headers.l4proto == tcp.PROTOCOL:
        length = (raw[at + 12] >> 4) * 4
        flags = raw[at + 13] & ~(ECE | CWR | PSH) & 0xFF
        if length < size or at + length > end or flags not in _TCP_FLAGS_VALID:
            return False
    if headers.l4proto == udp.PROTOCOL:
        length = int.from_bytes(raw[at + 4 : at + 6], "big")
        if length < size or at + length > end:
            return False
        if raw[at + 6 : at + 8] == b"\0\0":
            return True
        covered = at + length
    if headers.l4proto == icmp.PROTOCOL and raw[at] > 18:
        return False
    return packet.seen.hook != "prerouting" or not size or _sums_up(raw, headers, covered)


def _sums_up(raw: bytes, headers: Headers, end: int) -> bool:
    body = raw[headers.transport : end]
    pseudo = b""
    if headers.l4proto != icmp.PROTOCOL:
        source, target = addresses_of(raw, headers)
        pseudo = pseudo_header(source.packed + target.packed, headers.l4proto or 0, len(body))
    return ones_sum(pseudo + body) == 0xFFFF
