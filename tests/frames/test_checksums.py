"""The Internet checksum, and the judgement of those found in frames."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrRouting
from scapy.utils import checksum as scapy_checksum

from hopback.frames import build, dhcp
from hopback.frames.checksum import checksum, ones_sum
from hopback.frames.codec import decode, encode
from hopback.frames.integrity import network_checksum, transport_checksum
from hopback.frames.ipv4 import Ipv4
from hopback.frames.mac import Mac
from hopback.frames.raw import Raw
from hopback.frames.udp import Udp
from tests.frames.samples import ETHER, V4, WIRE

SUMLESS = {"arp-request", "arp-reply-padded", "rarp", "vlan-arp", "stp", "lldp", "udp-no-checksum"}
SUMLESS |= {"ipip", "ip6-in-ip4", "ip4-in-ip6", "gre", "gre-frame", "nested"}
UNKNOWN = {"ipv4-fragment", "ipv4-last-fragment", "ipv4-unknown", "ipv6-unknown", "ipv6-fragment"}
UNKNOWN |= {"gre-pptp"}


def test_example_of_the_rfc() -> None:
    assert ones_sum(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2  # RFC 1071 3


@given(st.binary(max_size=300))
def test_checksum_is_scapys(data: bytes) -> None:
    assert checksum(data) == scapy_checksum(data)


def test_the_two_zeros() -> None:
    assert (checksum(b""), checksum(bytes(4)), checksum(b"\xff\xff")) == (0xFFFF, 0xFFFF, 0)


@pytest.mark.parametrize("name", WIRE)
def test_sound_packets_are_right(name: str) -> None:
    expected = "absent" if name in SUMLESS else "unknown" if name in UNKNOWN else "right"
    assert transport_checksum(decode(WIRE[name])) == expected
    is_v4 = isinstance(decode(WIRE[name]).payload, Ipv4)
    assert network_checksum(decode(WIRE[name])) == ("right" if is_v4 else "absent")


@pytest.mark.parametrize("name", sorted(set(WIRE) - SUMLESS - UNKNOWN))
def test_one_flipped_bit_is_wrong(name: str) -> None:
    frame = decode(WIRE[name])
    raw = bytearray(WIRE[name])
    raw[len(raw) - len(frame.padding) - 1] ^= 1
    assert transport_checksum(decode(bytes(raw))) == "wrong"


def test_a_changed_ttl_is_wrong_in_the_header_alone() -> None:
    raw = bytearray(WIRE["udp"])
    raw[22] -= 1
    assert network_checksum(decode(bytes(raw))) == "wrong"
    assert transport_checksum(decode(bytes(raw))) == "right"


def test_what_is_cut_or_on_its_way_cannot_be_judged() -> None:
    assert transport_checksum(decode(WIRE["tcp-data"][:-1])) == "unknown"
    assert transport_checksum(decode(WIRE["udp6"][:-1])) == "unknown"
    raw = bytearray(WIRE["dhcp-offer"])
    raw[38:40] = b"\7\0"  # a UDP length beyond the end of the packet
    assert transport_checksum(decode(bytes(raw))) == "unknown"
    header = IPv6ExtHdrRouting(type=0, segleft=1, addresses=["2001:db8::9"])
    routed = bytes(ETHER / IPv6(src="2001:db8::1", dst="2001:db8::8") / header / UDP(chksum=0x1234))
    assert transport_checksum(decode(routed)) == "unknown"


def test_a_udp_checksum_that_comes_to_zero_is_sent_as_all_ones() -> None:
    frame = decode(bytes(V4 / UDP(sport=5000, dport=53) / bytes(2)))
    assert isinstance(frame.payload, Ipv4)
    udp = frame.payload.payload
    assert isinstance(udp, Udp)
    assert udp.checksum is not None
    udp = replace(udp, payload=Raw(udp.checksum.to_bytes(2, "big")), checksum=None)
    sent = decode(encode(replace(frame, payload=replace(frame.payload, payload=udp))))
    assert isinstance(sent.payload, Ipv4)
    assert isinstance(sent.payload.payload, Udp)
    assert sent.payload.payload.checksum == 0xFFFF
    assert transport_checksum(sent) == "right"


def test_bytes_beyond_the_udp_length_are_not_covered() -> None:
    raw = bytes(ETHER / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(len=12) / b"bodyoptions")
    summed = bytes(ETHER / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(len=12) / b"body")
    frame = decode(raw[:40] + summed[40:42] + raw[42:])
    assert isinstance(frame.payload, Ipv4)
    assert isinstance(frame.payload.payload, Udp)
    assert frame.payload.payload.surplus == Raw(b"options")
    assert transport_checksum(frame) == "right"


def test_what_is_yet_to_be_computed_is_right() -> None:
    own = build.dad_ns(Mac(0x525400000001), IPv6Address("fe80::1"))
    assert transport_checksum(own) == "right"
    ip = IPv4Address("10.0.0.1")
    offer = build.dhcp_message(dhcp.OFFER, Mac(1), Mac(2), Mac(1), 7, ip, ip)
    assert (network_checksum(offer), transport_checksum(offer)) == ("right", "right")
