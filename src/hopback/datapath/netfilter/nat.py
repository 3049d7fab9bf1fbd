"""Network address translation (net/netfilter/nf_nat_core.c, nf_nat_proto.c; Linux 6.12).

The rules are asked for the first packet of a connection alone. What they say stays with the
connection, and every later packet of either direction is rewritten by it.
"""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from hopback.datapath.effects import Blind, Why
from hopback.datapath.netfilter.conntrack import inverse, is_error, quote_of
from hopback.datapath.netfilter.fields import Packet, translated
from hopback.datapath.netfilter.headers import Headers
from hopback.datapath.netfilter.open import Open
from hopback.datapath.netfilter.rewrite import put, sealed
from hopback.datapath.netfilter.ruleset import Ruleset
from hopback.datapath.netfilter.spread import spread
from hopback.datapath.skb import Connection, End, Ip, Tuple
from hopback.frames import icmp, tcp, udp
from hopback.frames.ethernet import IPV4
from hopback.snapshot.rows import Hook

_ECHOES = {icmp.PROTOCOL: (8, 0, 13, 14, 15, 16, 17, 18), icmp.PROTOCOL_V6: (128, 129)}
_ATTEMPTS = 128  # NF_NAT_MAX_ATTEMPTS


class Range(NamedTuple):
    """What NAT may make of an end (struct nf_nat_range2); without ``ports`` the port stays."""

    first: Ip
    last: Ip
    ports: tuple[int, int] | None = None

    def holds(self, address: Ip, port: int) -> bool:
        """Whether that is within it (nf_in_range)."""
        fits = self.ports is None or self.ports[0] <= port <= self.ports[1]
        return fits and int(self.first) <= int(address) <= int(self.last)


def end_of(hook: Hook) -> End:
    """Which end is rewritten at the hook (HOOK2MANIP)."""
    return "source" if hook in ("input", "postrouting") else "target"


def bind(rules: Ruleset, connection: Connection, end: End, to: Range) -> Connection:
    """The connection with one end settled (nf_nat_setup_info)."""
    now = inverse(connection.reply)
    new = _unique(rules, connection, now, end, to)
    return replace(connection, reply=inverse(new), bound=connection.bound | {end})


def bind_as_is(rules: Ruleset, connection: Connection, end: End) -> Connection:
    """No rule wants anything of it, but its ports must not be another's (null binding)."""
    now = inverse(connection.reply)
    address = now.source if end == "source" else now.target
    return bind(rules, connection, end, Range(address, address))


def _unique(rules: Ruleset, connection: Connection, now: Tuple, end: End, to: Range) -> Tuple:
    """get_unique_tuple."""

    def free(new: Tuple) -> bool:
        other = rules.connections.get(inverse(new))
        return other is None or other.original == connection.original

    if end == "source":
        if to.holds(now.source, now.source_port):
            if free(now):
                return now
        elif (same := _same_source(rules, now, to)) is not None and free(same):
            return same
    address = to.first
    if to.first != to.last:
        address = spread(now.source, now.target, end, to.first, to.last)
    new = _with(now, end, address, None)
    port = new.source_port if end == "source" else new.target_port
    if to.ports is None:
        if end == "target" or free(new):
            return new
        raise _any_port()
    low, high = to.ports
    if low <= port <= high and (low == high or free(new)):
        return new
    if low == high:
        return _with(new, end, None, low)
    if end == "source":
        raise _any_port()
    tries = range(low, min(high + 1, low + _ATTEMPTS))
    found = (each for each in (_with(new, end, None, port) for port in tries) if free(each))
    return next(found, _with(new, end, None, tries[-1]))


def _same_source(rules: Ruleset, now: Tuple, to: Range) -> Tuple | None:
    """find_appropriate_src: as another connection of that address and port was mapped."""
    for other in dict.fromkeys(rules.connections.values()):
        given = other.original
        if (given.protocol, given.source, given.source_port) == (
            now.protocol,
            now.source,
            now.source_port,
        ) and to.holds(other.reply.target, other.reply.target_port):
            return _with(now, "source", other.reply.target, other.reply.target_port)
    return None


def _with(given: Tuple, end: End, address: Ip | None, port: int | None) -> Tuple:
    if end == "source":
        source = given.source if address is None else address
        number = given.source_port if port is None else port
        return given._replace(source=source, source_port=number)
    target = given.target if address is None else address
    number = given.target_port if port is None else port
    return given._replace(target=target, target_port=number)


def _any_port() -> Open:
    return Open(Blind("the source port is another connection's: NAT takes any other", ()))


def translate(packet: Packet) -> Iterator[Why]:
    """Rewrite the packet as its connection says (nf_nat_packet); the rule by which it changed."""
    connection = packet.skb.connection
    if connection is None:
        return
    end = end_of(packet.seen.hook)
    is_source = (end == "source") != packet.skb.reply
    if ("snat" if is_source else "dnat") not in translated(connection):
        return
    like = inverse(connection.original if packet.skb.reply else connection.reply)
    raw, headers = packet.raw, packet.headers
    if packet.skb.related and is_error(raw, headers):
        raw = _requoted(raw, headers, inverse(like), "target" if end == "source" else "source")
    raw = readdressed(raw, headers, like, end)
    packet.rewrite(raw)
    yield Why(f"nat-{end}", connection.refs)


def readdressed(
    raw: bytes, headers: Headers, like: Tuple, end: End, *, quoted: bool = False
) -> bytes:
    """One end of the packet as in ``like`` (nf_nat_manip_pkt)."""
    address = like.source if end == "source" else like.target
    first = (12, 4) if headers.protocol == IPV4 else (8, 16)
    at = headers.network + first[0] + (0 if end == "source" else first[1])
    new = put(raw, at, address.packed)
    place = headers.transport
    if headers.l4proto in (tcp.PROTOCOL, udp.PROTOCOL, 136):
        port = like.source_port if end == "source" else like.target_port
        new = put(new, place + (0 if end == "source" else 2), port.to_bytes(2, "big"))
    elif raw[place : place + 1] and raw[place] in _ECHOES.get(headers.l4proto or 0, ()):
        asks = raw[place] in (8, 13, 15, 17, 128)
        ident = like.source_port if asks else like.target_port
        new = put(new, place + 4, ident.to_bytes(2, "big"))
    return sealed(raw, new, headers, quoted=quoted)


def _requoted(raw: bytes, headers: Headers, like: Tuple, end: End) -> bytes:
    """What an ICMP error quotes, as its reader sent it (nf_nat_icmp_reply_translation)."""
    quoted = quote_of(raw, headers)
    if quoted is None:
        return raw
    inner = readdressed(*quoted, like, end, quoted=True)[14:]
    new = put(raw, headers.transport + 8, inner)
    return sealed(raw, new, headers)
