"""One packet of every kind, made by scapy: the independent reading of the formats.

Every MAC is given: for one that is not, scapy would ask the network by ARP or ND.
"""

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.igmp import (
    IGMP_MQ,
    IGMP_MR,
    IGMPv2_MR,
    IGMPv3_MQ,
    IGMPv3_MR,
    IGMPv3_MR_Group,
)
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6MLDMultAddrRec,
    ICMPv6MLQuery,
    ICMPv6MLQuery2,
    ICMPv6MLReport,
    ICMPv6MLReport2,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_RS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6NDOptUnknown,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
    RouterAlert,
)
from scapy.layers.l2 import ARP, GRE, LLC, STP, Dot1AD, Dot1Q, Dot3, Ether
from scapy.packet import Packet

A, B = "fa:16:3e:56:ea:fa", "52:54:00:00:00:02"
ETHER = Ether(dst=B, src=A)
V4 = ETHER / IP(src="192.0.2.1", dst="198.51.100.2", id=4711, ttl=63)
V6 = ETHER / IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=63, fl=0x12345, tc=0x28)
LOCAL = ETHER / IPv6(src="fe80::1", dst="ff02::1", hlim=255)
MLD = ETHER / IPv6(src="fe80::1", dst="ff02::16", hlim=1)
ALERT = MLD / IPv6ExtHdrHopByHop(options=[RouterAlert(), PadN()])
IGMP_IP = ETHER / IP(
    src="192.0.2.1", dst="224.0.0.22", ttl=1, tos=0xC0, options=[IPOption_Router_Alert()]
)
BOOT = BOOTP(chaddr=bytes.fromhex("fa163e56eafa"), xid=0x1234, flags=0x8000)
FROM_CLIENT = (
    Ether(dst="ff:ff:ff:ff:ff:ff", src=A)
    / IP(src="0.0.0.0", dst="255.255.255.255")
    / UDP(sport=68, dport=67)
)

NONCE = ICMPv6NDOptUnknown(type=14, len=1, data=bytes.fromhex("0a0b0c0d0e0f"))

PACKETS: dict[str, Packet] = {
    "arp-request": ETHER / ARP(op=1, hwsrc=A, psrc="10.0.0.2", pdst="10.0.0.1"),
    "arp-reply-padded": ETHER / ARP(op=2, hwsrc=A, psrc="10.0.0.2", hwdst=B) / bytes(18),
    "rarp": Ether(dst=B, src=A, type=0x8035) / ARP(op=3, hwsrc=A, hwdst=A),
    "vlan-arp": ETHER / Dot1Q(vlan=2222, prio=5, dei=1) / ARP(psrc="10.0.0.2", pdst="10.0.0.1"),
    "qinq-udp": ETHER
    / Dot1AD(vlan=10)
    / Dot1Q(vlan=20)
    / IP(src="10.0.0.1", dst="10.0.0.2")
    / UDP(sport=1, dport=2)
    / b"odd",
    "stp": Dot3(dst="01:80:c2:00:00:00", src=A) / LLC() / STP() / bytes(8),
    "lldp": Ether(dst="01:80:c2:00:00:0e", src=A, type=0x88CC) / b"\x02\x07",
    "udp": V4 / UDP(sport=5000, dport=53) / b"question",
    "udp-no-checksum": V4 / UDP(sport=5000, dport=53, chksum=0) / b"question",
    "udp-padded": V4 / UDP(sport=5000, dport=53) / b"x",
    "tcp-syn": V4 / TCP(sport=40000, dport=80, seq=7, options=[("MSS", 1460), ("WScale", 7)]),
    "tcp-data": V4 / TCP(sport=80, dport=40000, seq=9, ack=8, flags="PAE") / b"HTTP/1.1 200",
    "icmp-echo": V4 / ICMP(type=8, id=17, seq=3) / bytes(range(56)),
    "icmp-time-exceeded": V4 / ICMP(type=11) / IP(src="1.2.3.4", dst="5.6.7.8") / UDP(),
    "ipv4-fragment": ETHER
    / IP(src="10.0.0.1", dst="10.0.0.2", id=9, flags="MF", proto=17)
    / b"12345678",
    "ipv4-last-fragment": ETHER
    / IP(src="10.0.0.1", dst="10.0.0.2", id=9, frag=185, proto=17)
    / b"12",
    "ipv4-unknown": ETHER / IP(src="10.0.0.1", dst="10.0.0.2", proto=112) / b"vrrp",
    "igmpv1-report": IGMP_IP / IGMP_MR(gaddr="239.1.1.1"),
    "igmpv2-report": IGMP_IP / IGMPv2_MR(gaddr="239.1.1.1"),
    "igmpv2-query": IGMP_IP / IGMP_MQ(gaddr="0.0.0.0", mrcode=100),
    "igmpv3-query": IGMP_IP
    / IGMPv3_MQ(gaddr="239.1.1.1", s=1, qrv=2, qqic=125, srcaddrs=["10.0.0.7", "10.0.0.8"]),
    "igmpv3-report": IGMP_IP
    / IGMPv3_MR(
        records=[
            IGMPv3_MR_Group(rtype=4, maddr="239.1.1.1"),
            IGMPv3_MR_Group(rtype=5, maddr="239.1.1.2", srcaddrs=["10.0.0.7"]),
        ]
    ),
    "dhcp-discover": FROM_CLIENT
    / BOOT
    / DHCP(
        options=[
            ("message-type", "discover"),
            ("client_id", b"\x01\xfa\x16\x3e\x56\xea\xfa"),
            ("requested_addr", "10.0.0.5"),
            "pad",
            ("hostname", b"vm"),
            "end",
        ]
    )
    / bytes(20),
    "dhcp-offer": ETHER
    / IP(src="10.0.0.1", dst="10.0.0.5")
    / UDP(sport=67, dport=68)
    / BOOTP(op=2, xid=0x1234, yiaddr="10.0.0.5", chaddr=bytes.fromhex("fa163e56eafa"))
    / DHCP(
        options=[
            ("message-type", "offer"),
            ("server_id", "10.0.0.1"),
            ("lease_time", 3600),
            "end",
        ]
    ),
    "udp6": V6 / UDP(sport=546, dport=547) / b"odd",
    "tcp6": V6 / TCP(sport=40000, dport=80, flags="R"),
    "echo6": V6 / ICMPv6EchoRequest(id=17, seq=3, data=b"ping"),
    "time-exceeded6": V6 / ICMPv6TimeExceeded() / IPv6(src="::1", dst="::2") / UDP(),
    "ipv6-unknown": ETHER / IPv6(src="::1", dst="::2", nh=132) / b"sctp",
    "ipv6-fragment": V6 / IPv6ExtHdrFragment(id=99, offset=185, m=1, nh=17) / b"12345678",
    "ipv6-atomic": V6 / IPv6ExtHdrFragment(id=99, nh=17) / UDP(sport=1, dport=2) / b"whole",
    "ipv6-extensions": V6
    / IPv6ExtHdrHopByHop(options=[RouterAlert(value=0), PadN()])
    / IPv6ExtHdrRouting(type=0, segleft=0, addresses=["2001:db8::9"])
    / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(12))])
    / UDP(sport=1, dport=2)
    / b"x",
    "nd-ns": LOCAL / ICMPv6ND_NS(tgt="fe80::2") / ICMPv6NDOptSrcLLAddr(lladdr=A),
    "nd-dad": ETHER
    / IPv6(src="::", dst="ff02::1:ff00:11", hlim=255)
    / ICMPv6ND_NS(tgt="fe80::11")
    / NONCE,
    "nd-na": LOCAL / ICMPv6ND_NA(tgt="fe80::1", R=1, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=A),
    "nd-rs": LOCAL / ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=A),
    "nd-ra": LOCAL
    / ICMPv6ND_RA(chlim=64, M=1, routerlifetime=1800, reachabletime=30000, retranstimer=1000)
    / ICMPv6NDOptPrefixInfo(prefix="2001:db8::", prefixlen=64, validlifetime=86400)
    / ICMPv6NDOptMTU(mtu=1450)
    / ICMPv6NDOptSrcLLAddr(lladdr=A),
    "mldv1-query": MLD / ICMPv6MLQuery(mladdr="ff05::7", mrd=1000),
    "mldv1-report": MLD / ICMPv6MLReport(mladdr="ff05::7"),
    "mldv2-query": ALERT
    / ICMPv6MLQuery2(mladdr="ff05::7", mrd=1000, S=1, QRV=2, QQIC=125, sources=["::7", "::8"]),
    "mldv2-report": ALERT
    / ICMPv6MLReport2(
        records=[
            ICMPv6MLDMultAddrRec(rtype=4, dst="ff02::1:ff00:11"),
            ICMPv6MLDMultAddrRec(
                rtype=5, dst="ff05::7", sources=["2001:db8::7"], auxdata_len=1, auxdata=b"1234"
            ),
        ]
    ),
    "ipip": V4 / IP(src="10.0.0.1", dst="10.0.0.2", ttl=9) / UDP(sport=1, dport=2) / b"x",
    "ip6-in-ip4": V4 / IPv6(src="2001:db8::1", dst="2001:db8::2") / UDP(sport=1, dport=2),
    "ip4-in-ip6": V6
    / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))])
    / IP(src="10.0.0.1", dst="10.0.0.2")
    / ICMP(type=8, id=17, seq=3),
    "gre": V4 / GRE() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2) / b"odd",
    "gre-all": V4
    / GRE(chksum_present=1, key_present=1, key=7, seqnum_present=1, sequence_number=9)
    / IP(src="10.0.0.1", dst="10.0.0.2")
    / UDP(sport=1, dport=2)
    / b"odd",
    "gre-frame": V6 / GRE(proto=0x6558, key_present=1, key=7) / ETHER / ARP(psrc="10.0.0.2"),
    "gre-pptp": V4 / GRE(version=1, proto=0x880B) / b"12345678",
    "nested": V4 / IP(src="10.0.0.1", dst="10.0.0.2") / GRE() / IPv6(src="::1", dst="::2") / TCP(),
}

WIRE: dict[str, bytes] = {name: bytes(packet) for name, packet in PACKETS.items()}
WIRE["udp-padded"] += bytes(60 - len(WIRE["udp-padded"]))
