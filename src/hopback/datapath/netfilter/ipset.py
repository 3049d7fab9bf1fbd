"""What a packet is looked up by in an ipset (net/netfilter/xt_set.c, ipset/ip_set_getport.c)."""

from collections.abc import Sequence

from hopback.datapath.netfilter.fields import Found, Packet, Undecided
from hopback.frames import icmp, tcp, udp
from hopback.snapshot.rows import Field

_SCTP, _UDPLITE = 132, 136
_WITH_PORTS = frozenset((tcp.PROTOCOL, udp.PROTOCOL, _SCTP, _UDPLITE))
_ICMP = frozenset((icmp.PROTOCOL, icmp.PROTOCOL_V6))
_ENDS = {"src": "s", "dst": "d"}


def looked_up(packet: Packet, kind: str, fields: Sequence[Field]) -> tuple[Found, ...] | None:
    """One value for each dimension of a set of that ``kind``; None if the packet lacks one.

    ``fields`` say for each whether it is about the source or the target. Raises Undecided for a
    kind that is not in the model.
    """
    types = kind.partition(":")[2].split(",")
    if len(types) > len(fields) or any(field.key not in _ENDS for field in fields):
        raise Undecided
    pairs = zip(types, fields, strict=False)
    found = tuple(_one(packet, kind, type_, _ENDS[field.key]) for type_, field in pairs)
    return None if None in found else found


def _one(packet: Packet, kind: str, type_: str, end: str) -> Found:
    match type_:
        case "ip" | "net":
            return packet.get(f"{packet.seen.family} {end}addr")
        case "port":
            return _port(packet, end, alone=kind == "bitmap:port")
        case "mac":
            return packet.get(f"ether {end}addr")
        case "iface":
            return (packet.seen.indev if end == "s" else packet.seen.outdev) or None
        case "mark":
            return packet.skb.mark
    raise Undecided


def _port(packet: Packet, end: str, *, alone: bool) -> Found:
    """The port below its protocol; ``alone``: the set has ports of TCP and UDP only."""
    protocol = packet.headers.l4proto
    if protocol is None or packet.headers.fragment:
        return None
    if protocol in _ICMP:
        number = packet.get("@th,0,16")
    else:
        number = packet.get(f"th {end}port") if protocol in _WITH_PORTS else 0
    if alone:
        return number if protocol in (tcp.PROTOCOL, udp.PROTOCOL) else None
    return protocol << 16 | number if isinstance(number, int) else None
