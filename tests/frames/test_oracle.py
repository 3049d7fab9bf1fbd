"""Scapy reads what we write and we read what scapy writes, for a packet of every kind."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from msgspec import Struct
from msgspec.structs import asdict, replace
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether

from hopback.frames import build, dhcp, ethernet, ipv4, ipv6, nd, tcp
from hopback.frames.arp import Arp
from hopback.frames.codec import decode, encode
from hopback.frames.dhcp import Dhcp
from hopback.frames.ethernet import Vlan
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.igmp import Igmp, IgmpV3Query, IgmpV3Report
from hopback.frames.integrity import transport_checksum
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Fragment, Ipv6
from hopback.frames.mac import parse_mac
from hopback.frames.membership import TO_EXCLUDE, Record
from hopback.frames.mld import Mld, MldV2Query, MldV2Report
from hopback.frames.nd import Na, Ns, Prefix, Ra, Rs
from hopback.frames.raw import Raw
from hopback.frames.tcp import Tcp
from hopback.frames.tunnel import Gre, Inner
from hopback.frames.udp import Udp
from tests.frames.samples import WIRE, A, B

MAC_A, MAC_B = parse_mac(A), parse_mac(B)
COMPUTED = ("checksum", "length", "count")


def message(name: str) -> object:
    packet = decode(WIRE[name]).payload
    assert isinstance(packet, Ipv4 | Ipv6)
    return packet.payload


def to_compute(value: object) -> object:
    """The value with every number that ``encode`` can compute taken out."""
    if isinstance(value, tuple):
        return tuple(to_compute(item) for item in value)
    if not isinstance(value, Struct) or isinstance(value, Prefix | Vlan | Record):
        return value
    changes = {name: to_compute(old) for name, old in asdict(value).items()}
    changes.update((name, None) for name in COMPUTED if name in changes)
    return replace(value, **changes)


@pytest.mark.parametrize("name", sorted(set(WIRE) - {"udp-no-checksum"}))
def test_computed_fields_are_scapys(name: str) -> None:
    blank = to_compute(decode(WIRE[name]))
    assert isinstance(blank, ethernet.Frame)
    assert encode(blank).hex() == WIRE[name].hex()


def test_ethernet_and_vlan() -> None:
    frame = decode(WIRE["vlan-arp"])
    assert (frame.dst, frame.src, frame.ethertype) == (MAC_B, MAC_A, ethernet.ARP)
    assert frame.tags == (Vlan(2222, pcp=5, dei=True),)
    qinq = decode(WIRE["qinq-udp"])
    assert qinq.tags == (Vlan(10, tpid=ethernet.DOT1AD), Vlan(20))
    stp = decode(WIRE["stp"])
    assert stp.ethertype == len(stp.payload.raw) + len(stp.padding)  # type: ignore[union-attr]


def test_length_of_an_802_3_frame_bounds_its_payload() -> None:
    raw = bytes(12) + b"\x00\x03" + b"llcpad"
    frame = decode(raw)
    assert (frame.payload, frame.padding) == (Raw(b"llc"), b"pad")


def test_arp() -> None:
    frame = decode(WIRE["arp-reply-padded"])
    sender, target = IPv4Address("10.0.0.2"), IPv4Address("0.0.0.0")
    assert frame.payload == Arp(2, MAC_A, sender, MAC_B, target)
    assert frame.padding == bytes(18)


def test_ipv4() -> None:
    packet = decode(WIRE["udp-padded"]).payload
    assert isinstance(packet, Ipv4)
    assert (packet.src, packet.dst) == (IPv4Address("192.0.2.1"), IPv4Address("198.51.100.2"))
    assert (packet.ttl, packet.ident, packet.length) == (63, 4711, 29)
    assert decode(WIRE["udp-padded"]).padding == bytes(60 - 14 - 29)
    part = decode(WIRE["ipv4-fragment"]).payload
    assert isinstance(part, Ipv4)
    assert (part.is_fragment, part.flags, part.payload) == (
        True,
        ipv4.MORE_FRAGMENTS,
        Raw(b"12345678"),
    )
    alert = decode(WIRE["igmpv2-report"]).payload
    assert isinstance(alert, Ipv4)
    assert alert.options == b"\x94\x04\x00\x00"


def test_ipv6_extensions() -> None:
    packet = decode(WIRE["ipv6-extensions"]).payload
    assert isinstance(packet, Ipv6)
    assert (packet.hop_limit, packet.traffic_class, packet.flow_label) == (63, 0x28, 0x12345)
    assert [e.kind for e in packet.extensions if not isinstance(e, Fragment)] == [
        ipv6.HOP_BY_HOP,
        ipv6.ROUTING,
        ipv6.DESTINATION,
    ]
    assert (packet.router_alert, packet.segments_left) == (0, 0)
    assert isinstance(packet.payload, Udp)
    part = decode(WIRE["ipv6-fragment"]).payload
    assert isinstance(part, Ipv6)
    assert part.fragment == Fragment(99, 185, True)
    assert part.payload == Raw(b"12345678")
    atomic = decode(WIRE["ipv6-atomic"]).payload
    assert isinstance(atomic, Ipv6)
    assert atomic.fragment is None
    assert isinstance(atomic.payload, Udp)
    assert atomic.router_alert is None


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ("05020000" + "0100", 0),
        ("0000" + "05020001", 1),  # after two Pad1
        ("0100" + "05020002", 2),  # after a PadN
        ("010400000000", None),
        ("0502", None),  # cut
        ("0503000000" + "00", None),  # not its length
    ],
)
def test_router_alert(options: str, value: int | None) -> None:
    extension = ipv6.Extension(ipv6.HOP_BY_HOP, bytes.fromhex(options))
    packet = decode(WIRE["udp6"]).payload
    assert isinstance(packet, Ipv6)
    assert replace(packet, extensions=(extension,)).router_alert == value


def test_udp_and_tcp() -> None:
    assert message("udp-no-checksum") == Udp(5000, 53, Raw(b"question"), 16, checksum=0)
    syn, data = message("tcp-syn"), message("tcp-data")
    assert isinstance(syn, Tcp)
    assert isinstance(data, Tcp)
    assert (syn.sport, syn.dport, syn.seq, syn.flags) == (40000, 80, 7, tcp.SYN)
    assert syn.options.hex() == "020405b4" + "030307" + "00"
    assert data.flags == tcp.PSH | tcp.ACK | tcp.ECE
    assert data.payload == Raw(b"HTTP/1.1 200")


def test_icmp() -> None:
    echo, echo6 = message("icmp-echo"), message("echo6")
    assert isinstance(echo, Icmp)
    assert isinstance(echo6, Icmpv6)
    assert (echo.kind, echo.ident, echo.sequence, len(echo.body.raw)) == (8, 17, 3, 56)
    assert (echo6.kind, echo6.ident, echo6.sequence, echo6.body) == (128, 17, 3, Raw(b"ping"))


def test_neighbour_discovery() -> None:
    ns, dad, na, rs, ra = (message(f"nd-{kind}") for kind in ("ns", "dad", "na", "rs", "ra"))
    assert isinstance(ns, Ns)
    assert (ns.target, ns.source_lladdr, ns.nonce) == (IPv6Address("fe80::2"), MAC_A, None)
    assert isinstance(dad, Ns)
    assert (dad.target, dad.nonce) == (IPv6Address("fe80::11"), bytes.fromhex("0a0b0c0d0e0f"))
    assert isinstance(na, Na)
    assert (na.router, na.solicited, na.override) == (True, False, True)
    assert na.target_lladdr == MAC_A
    assert isinstance(rs, Rs)
    assert rs.source_lladdr == MAC_A
    assert isinstance(ra, Ra)
    assert (ra.hop_limit, ra.flags, ra.lifetime) == (64, 0x80 | 0x08, 1800)
    assert (ra.reachable, ra.retrans, ra.mtu) == (30000, 1000, 1450)
    assert ra.prefixes == (Prefix(IPv6Address("2001:db8::"), 64, 0xC0, 86400, 0xFFFFFFFF),)
    assert nd.prefix_option(ra.prefixes[0]) in ra.options


def test_mld() -> None:
    group = IPv6Address("ff05::7")
    v1, query, report = (message(f"mldv{kind}") for kind in ("1-query", "2-query", "2-report"))
    assert isinstance(v1, Mld)
    assert (v1.group, v1.max_delay) == (group, 1000)
    assert isinstance(query, MldV2Query)
    assert (query.group, query.flags, query.interval) == (group, 0b1010, 125)
    assert query.sources == (IPv6Address("::7"), IPv6Address("::8"))
    assert isinstance(report, MldV2Report)
    assert report.records == (
        Record(TO_EXCLUDE, IPv6Address("ff02::1:ff00:11")),
        Record(5, group, (IPv6Address("2001:db8::7"),), b"1234"),
    )


def test_igmp() -> None:
    group = IPv4Address("239.1.1.1")
    v1, v2, query, report = (
        message(f"igmpv{kind}") for kind in ("1-report", "2-query", "3-query", "3-report")
    )
    assert isinstance(v1, Igmp)
    assert (v1.kind, v1.group) == (0x12, group)
    assert isinstance(v2, Igmp)
    assert (v2.kind, v2.max_response) == (0x11, 100)
    assert isinstance(query, IgmpV3Query)
    assert (query.group, query.flags, query.interval) == (group, 0b1010, 125)
    assert query.sources == (IPv4Address("10.0.0.7"), IPv4Address("10.0.0.8"))
    assert isinstance(report, IgmpV3Report)
    assert report.records == (
        Record(TO_EXCLUDE, group),
        Record(5, IPv4Address("239.1.1.2"), (IPv4Address("10.0.0.7"),)),
    )


def test_packets_in_packets() -> None:
    inside = message("ipip")
    assert isinstance(inside, Inner)
    assert isinstance(inside.packet, Ipv4)
    assert (str(inside.packet.dst), inside.packet.ttl) == ("10.0.0.2", 9)
    assert isinstance(inside.packet.payload, Udp)
    summed = message("gre-all")
    assert isinstance(summed, Gre)
    assert (summed.protocol, summed.key, summed.sequence) == (ethernet.IPV4, 7, 9)
    assert summed.checksum is not None
    assert transport_checksum(decode(WIRE["gre-all"])) == "right"
    frame = message("gre-frame")
    assert isinstance(frame, Gre)
    assert isinstance(frame.payload, ethernet.Frame)
    assert frame.payload.ethertype == ethernet.ARP
    assert isinstance(message("gre-pptp"), Raw)


def dhcp_in(raw: bytes) -> Dhcp:
    packet = decode(raw).payload
    assert isinstance(packet, Ipv4)
    assert isinstance(packet.payload, Udp)
    assert isinstance(packet.payload.payload, Dhcp)
    return packet.payload.payload


def test_dhcp() -> None:
    discover, offer = dhcp_in(WIRE["dhcp-discover"]), dhcp_in(WIRE["dhcp-offer"])
    assert (discover.message_type, discover.xid, discover.client_mac) == (1, 0x1234, MAC_A)
    assert discover.requested_ip == IPv4Address("10.0.0.5")
    assert discover.client_id == b"\x01" + bytes.fromhex("fa163e56eafa")
    assert [o.code for o in discover.options] == [53, 61, 50, 0, 12, 255]
    assert (discover.flags, discover.tail) == (dhcp.BROADCAST_FLAG, Raw(bytes(20)))
    assert (offer.message_type, offer.yiaddr) == (dhcp.OFFER, IPv4Address("10.0.0.5"))
    assert (offer.server_id, offer.lease_time) == (IPv4Address("10.0.0.1"), 3600)
    assert discover.server_id is None
    assert discover.lease_time is None


def test_long_dhcp_options_are_put_together() -> None:
    offer = dhcp_in(WIRE["dhcp-offer"])
    parts = (dhcp.DhcpOption(12, b"long"), dhcp.DhcpOption(12, b"name"))
    assert replace(offer, options=parts).option(12) == b"longname"


# --- what we build, read by scapy ------------------------------------------------------------


def scapy(frame: ethernet.Frame) -> Ether:
    """As scapy reads it, after it has agreed with every checksum and length in it."""
    raw = encode(frame)
    packet = Ether(raw)
    for layer in (IP, UDP, ICMPv6ND_NS, ICMPv6ND_NA, IPv6):
        for field in ("chksum", "cksum", "len", "plen"):
            if layer in packet and field in packet[layer].fields:
                delattr(packet[layer], field)
    assert bytes(packet) == raw
    return packet


def test_scapy_reads_our_dhcp() -> None:
    ip = IPv4Address
    offer = build.dhcp_message(
        dhcp.OFFER,
        MAC_A,
        MAC_B,
        MAC_A,
        0x1234,
        ip("10.0.0.1"),
        ip("10.0.0.5"),
        yiaddr=ip("10.0.0.5"),
        server_id=ip("10.0.0.1"),
        lease_time=3600,
    )
    packet = scapy(replace(offer, tags=(Vlan(2222, pcp=3),)))
    assert (packet[Dot1Q].vlan, packet[UDP].sport, packet[UDP].dport) == (2222, 67, 68)
    assert (packet[BOOTP].op, packet[BOOTP].yiaddr, packet[BOOTP].xid) == (2, "10.0.0.5", 0x1234)
    assert packet[DHCP].options[:3] == [
        ("message-type", 2),
        ("lease_time", 3600),
        ("server_id", "10.0.0.1"),
    ]
    assert len(bytes(packet[BOOTP])) == 300


def test_scapy_reads_our_arp() -> None:
    mine, other = IPv4Address("10.0.0.2"), IPv4Address("10.0.0.1")
    ask = scapy(build.arp_request(MAC_A, mine, other))
    assert (ask.dst, ask[ARP].op, ask[ARP].psrc, ask[ARP].pdst) == (
        "ff:ff:ff:ff:ff:ff",
        1,
        "10.0.0.2",
        "10.0.0.1",
    )
    answer = scapy(build.arp_reply(MAC_B, other, MAC_A, mine))
    assert (answer.dst, answer[ARP].op, answer[ARP].hwsrc, answer[ARP].hwdst) == (A, 2, B, A)
    assert scapy(build.arp_probe(MAC_A, other))[ARP].psrc == "0.0.0.0"
    own = scapy(build.gratuitous_arp(MAC_A, mine))[ARP]
    assert (own.psrc, own.pdst) == ("10.0.0.2", "10.0.0.2")


def test_scapy_reads_our_neighbour_discovery() -> None:
    mine, other = IPv6Address("fe80::1"), IPv6Address("fe80::2:11")
    dad = scapy(build.dad_ns(MAC_A, other, nonce=b"\1\2\3\4\5\6"))
    assert (dad.dst, dad[IPv6].src, dad[IPv6].dst, dad[IPv6].hlim) == (
        "33:33:ff:02:00:11",
        "::",
        "ff02::1:ff02:11",
        255,
    )
    assert bytes(dad[ICMPv6ND_NS].payload) == b"\x0e\x01\1\2\3\4\5\6"
    ask = scapy(build.ns(MAC_A, mine, other))
    assert (ask[IPv6].src, ask[ICMPv6ND_NS].tgt) == ("fe80::1", "fe80::2:11")
    assert ask[ICMPv6ND_NS].payload.lladdr == A
    answer = scapy(build.na(MAC_B, other, asker=(mine, MAC_A)))
    assert (answer.dst, answer[IPv6].dst, answer[ICMPv6ND_NA].S) == (A, "fe80::1", 1)
    unasked = scapy(build.na(MAC_B, other, router=True))
    assert (unasked.dst, unasked[IPv6].dst, unasked[ICMPv6ND_NA].S, unasked[ICMPv6ND_NA].R) == (
        "33:33:00:00:00:01",
        "ff02::1",
        0,
        1,
    )


def test_multicast_macs() -> None:
    assert build.multicast_mac(IPv4Address("239.129.1.2")) == parse_mac("01:00:5e:01:01:02")
    assert build.multicast_mac(IPv6Address("ff02::1:3")) == parse_mac("33:33:00:01:00:03")
