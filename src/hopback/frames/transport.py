"""What an IP packet carries: the tables that lead from a protocol number to its module."""

from collections.abc import Callable, Mapping

from hopback.frames import icmp, igmp, mld, nd, tcp, udp
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.igmp import AnyIgmp, Igmp, IgmpV3Query, IgmpV3Report
from hopback.frames.mld import AnyMld, Mld, MldV2Query, MldV2Report
from hopback.frames.nd import Na, Nd, Ns, Ra, Rs
from hopback.frames.raw import Encapsulated, Rest, rest
from hopback.frames.tcp import Tcp
from hopback.frames.udp import Udp

Transport = Udp | Tcp | Icmp | Icmpv6 | Nd | AnyMld | AnyIgmp | Encapsulated | Rest

Decoder = Callable[[bytes, int], Transport]

_ICMPV6: dict[int, Decoder] = {
    nd.ROUTER_SOLICITATION: nd.decode,
    nd.ROUTER_ADVERTISEMENT: nd.decode,
    nd.SOLICITATION: nd.decode,
    nd.ADVERTISEMENT: nd.decode,
    mld.QUERY: mld.decode,
    mld.V1_REPORT: mld.decode,
    mld.V1_DONE: mld.decode,
    mld.V2_REPORT: mld.decode,
}


def _decode_icmpv6(raw: bytes, missing: int) -> Transport:
    decoder = _ICMPV6.get(raw[0], icmp.decode_v6) if raw else icmp.decode_v6
    return decoder(raw, missing)


Decoders = Mapping[int, Decoder]

V4: Decoders = {
    icmp.PROTOCOL: icmp.decode,
    igmp.PROTOCOL: igmp.decode,
    tcp.PROTOCOL: tcp.decode,
    udp.PROTOCOL: udp.decode,
}
V6: Decoders = {
    tcp.PROTOCOL: tcp.decode,
    udp.PROTOCOL: udp.decode,
    icmp.PROTOCOL_V6: _decode_icmpv6,
}


def decode(table: Decoders, protocol: int, raw: bytes, missing: int) -> Transport:
    """The payload of protocol number ``protocol``; ``missing`` bytes at its end are not here."""
    decoder = table.get(protocol)
    return decoder(raw, missing) if decoder else rest(f"protocol {protocol}", raw, missing)


def encode(payload: Transport, addresses: bytes) -> bytes:
    """Its bytes; ``addresses`` (source and destination, packed) enter most checksums."""
    match payload:
        case Udp():
            return udp.encode(payload, addresses)
        case Tcp():
            return tcp.encode(payload, addresses)
        case Icmp():
            return icmp.encode(payload, addresses)
        case Icmpv6():
            return icmp.encode_v6(payload, addresses)
        case Ns() | Na() | Rs() | Ra():
            return nd.encode(payload, addresses)
        case Mld() | MldV2Query() | MldV2Report():
            return mld.encode(payload, addresses)
        case Igmp() | IgmpV3Query() | IgmpV3Report():
            return igmp.encode(payload, addresses)
        case _:
            return payload.raw
