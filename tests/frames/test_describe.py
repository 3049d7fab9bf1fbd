"""The one line of every kind of frame, as a reader of captures expects it."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from hopback.frames import build, dhcp
from hopback.frames.codec import decode
from hopback.frames.describe import describe
from hopback.frames.mac import BROADCAST, parse_mac
from tests.frames.samples import WIRE

A = parse_mac("fa:16:3e:56:ea:fa")

LINES = {
    "arp-request": "ARP who-has 10.0.0.1 tell 10.0.0.2",
    "arp-reply-padded": "ARP reply 10.0.0.2 is-at fa:16:3e:56:ea:fa",
    "rarp": "RARP op 3 fa:16:3e:56:ea:fa",
    "vlan-arp": "vlan 2222 ARP who-has 10.0.0.1 tell 10.0.0.2",
    "qinq-udp": "vlan 10.20 UDP 10.0.0.1:1 > 10.0.0.2:2 3 bytes",
    "stp": "STP fa:16:3e:56:ea:fa > 01:80:c2:00:00:00",
    "lldp": "LLDP fa:16:3e:56:ea:fa > 01:80:c2:00:00:0e",
    "tcp-syn": "TCP 192.0.2.1:40000 > 198.51.100.2:80 SYN",
    "tcp-data": "TCP 192.0.2.1:80 > 198.51.100.2:40000 PSH ACK 12 bytes",
    "icmp-echo": "ICMP echo request 192.0.2.1 > 198.51.100.2 id 17 seq 3",
    "icmp-time-exceeded": "ICMP time exceeded 192.0.2.1 > 198.51.100.2 code 0",
    "ipv4-last-fragment": "IPv4 fragment 10.0.0.1 > 10.0.0.2 protocol 17 id 9 at 1480",
    "ipv4-unknown": "IP protocol 112 10.0.0.1 > 10.0.0.2",
    "igmpv1-report": "IGMPv1 report 192.0.2.1 > 224.0.0.22 group 239.1.1.1",
    "igmpv3-query": "IGMPv3 query 192.0.2.1 > 224.0.0.22 group 239.1.1.1",
    "igmpv3-report": "IGMPv3 report 192.0.2.1 > 224.0.0.22 to-exclude 239.1.1.1 allow 239.1.1.2",
    "dhcp-discover": "DHCP DISCOVER fa:16:3e:56:ea:fa > ff:ff:ff:ff:ff:ff wants 10.0.0.5",
    "dhcp-offer": "DHCP OFFER fa:16:3e:56:ea:fa > 52:54:00:00:00:02 yiaddr 10.0.0.5",
    "ipip": "IP in IP 192.0.2.1 > 198.51.100.2 [UDP 10.0.0.1:1 > 10.0.0.2:2 1 bytes]",
    "gre-frame": "GRE 2001:db8::1 > 2001:db8::2 [ARP who-has 0.0.0.0 tell 10.0.0.2]",
    "udp6": "UDP [2001:db8::1]:546 > [2001:db8::2]:547 3 bytes",
    "time-exceeded6": "ICMPv6 time exceeded 2001:db8::1 > 2001:db8::2 code 0",
    "ipv6-fragment": "IPv6 fragment 2001:db8::1 > 2001:db8::2 protocol 17 id 99 at 1480",
    "nd-ns": "ND NS fe80::1 > ff02::1 target fe80::2",
    "nd-dad": "ND NS :: > ff02::1:ff00:11 target fe80::11 nonce 0a0b0c0d0e0f",
    "nd-na": "ND NA fe80::1 > ff02::1 target fe80::1",
    "nd-ra": "ND RA fe80::1 > ff02::1",
    "mldv1-report": "MLDv1 report fe80::1 > ff02::16 group ff05::7",
    "mldv2-query": "MLDv2 query fe80::1 > ff02::16 group ff05::7",
    "mldv2-report": "MLDv2 report fe80::1 > ff02::16 to-exclude ff02::1:ff00:11 allow ff05::7",
}


@pytest.mark.parametrize(("name", "line"), LINES.items())
def test_line(name: str, line: str) -> None:
    assert describe(decode(WIRE[name])) == line


def test_what_is_built_reads_the_same() -> None:
    nowhere, everywhere = IPv4Address("0.0.0.0"), IPv4Address("255.255.255.255")
    discover = build.dhcp_message(dhcp.DISCOVER, A, A, BROADCAST, 1, nowhere, everywhere)
    assert describe(discover) == "DHCP DISCOVER fa:16:3e:56:ea:fa > ff:ff:ff:ff:ff:ff"
    own = IPv4Address("10.0.0.1")
    assert describe(build.arp_probe(A, own)) == "ARP who-has 10.0.0.1 tell 0.0.0.0 (probe)"
    assert describe(build.gratuitous_arp(A, own)).endswith("tell 10.0.0.1 (gratuitous)")
    dad = build.dad_ns(A, IPv6Address("fe80::1"))
    assert describe(dad) == "ND NS :: > ff02::1:ff00:1 target fe80::1"


def test_what_is_wrong_is_said() -> None:
    assert describe(decode(WIRE["tcp-syn"][:40])) == (
        "IP protocol 6 192.0.2.1 > 198.51.100.2 [tcp: 6 of 20 bytes]"
    )
    assert describe(decode(WIRE["udp"][:20])) == (
        "IPv4 fa:16:3e:56:ea:fa > 52:54:00:00:00:02 [ipv4: 6 of 20 bytes]"
    )
    assert describe(decode(WIRE["nd-dad"][:80])) == (
        "ND NS :: > ff02::1:ff00:11 target fe80::11 [nd option 14: 2 of 8 bytes]"
    )
    assert describe(decode(WIRE["dhcp-offer"][:283])) == (
        "BOOTP fa:16:3e:56:ea:fa > 52:54:00:00:00:02 yiaddr 10.0.0.5 [dhcp option 53: 1 of 2 bytes]"
    )
