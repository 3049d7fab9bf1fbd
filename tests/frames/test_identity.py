"""What makes two frames the same packet, or the same payload."""

from collections import Counter
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether
from scapy.packet import Packet
from scapy.utils import RawPcapReader

from hopback.frames import build
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame
from hopback.frames.identity import identity, payload_identity
from hopback.frames.integrity import network_checksum, transport_checksum
from hopback.frames.ipv4 import Ipv4
from hopback.frames.mac import Mac
from hopback.frames.tunnel import Sealed
from hopback.frames.udp import Udp
from tests.frames.samples import WIRE, A, B

DIRECTORS = Path(__file__).parents[1] / "fixtures/vm61-capture/ipvs-dr4-loop-eB.pcap"


def frame(packet: Packet) -> Frame:
    return decode(bytes(packet))


def udp(**fields: Any) -> Packet:
    ip: dict[str, Any] = {"src": "10.0.0.1", "dst": "10.0.0.2", "id": 7} | fields
    return Ether(src=A, dst=B) / IP(**ip) / UDP(sport=1000, dport=2000) / b"hello"


def test_ttl_checksums_and_padding_do_not_matter_to_a_cycle() -> None:
    assert identity(frame(udp(ttl=64))) == identity(frame(udp(ttl=3)))
    assert identity(frame(udp() / b"")) == identity(decode(bytes(udp()) + bytes(20)))
    zero = bytes(
        Ether(src=A, dst=B) / IPv6(src="::1", dst="::2", hlim=9) / ICMPv6EchoRequest(cksum=0)
    )
    summed = bytes(Ether(src=A, dst=B) / IPv6(src="::1", dst="::2", hlim=5) / ICMPv6EchoRequest())
    assert identity(decode(zero)) == identity(decode(summed))


@pytest.mark.parametrize("name", WIRE)
def test_a_built_frame_is_the_one_it_becomes(name: str) -> None:
    sent = decode(WIRE[name])
    assert identity(decode(encode(sent))) == identity(sent)
    dad = build.dad_ns(Mac(0x525400000001), IPv6Address("fe80::1"))
    assert identity(dad) == identity(decode(encode(dad)))


@pytest.mark.parametrize("fields", [{"id": 8}, {"tos": 4}, {"dst": "10.0.0.3"}, {"flags": "DF"}])
def test_other_header_fields_do_matter_to_a_cycle(fields: dict[str, object]) -> None:
    assert identity(frame(udp())) != identity(frame(udp(**fields)))


def test_macs_and_tags_matter_to_a_cycle() -> None:
    once = frame(udp())
    assert identity(once) != identity(replace(once, src=Mac(1)))
    tagged = frame(Ether(src=A, dst=B) / Dot1Q(vlan=5) / udp()[IP])
    assert identity(once) != identity(tagged)
    assert payload_identity(once) == payload_identity(tagged)


def test_a_return_may_be_rewritten() -> None:
    sent = Ether(src=A, dst=B) / IP(src="10.0.0.1", dst="198.51.100.1", ttl=64)
    back = Ether(src=B, dst=A) / Dot1Q(vlan=9) / IP(src="192.0.2.1", dst="10.0.0.1", ttl=60)
    data = [
        (UDP(sport=1, dport=2) / b"x", UDP(sport=9, dport=8) / b"x"),
        (TCP(sport=1, dport=2, seq=77), TCP(sport=9, dport=8, seq=77, window=1, flags="SE")),
        (ICMP(type=8, id=1, seq=4) / b"x", ICMP(type=8, id=2, seq=4) / b"x"),
    ]
    for out, returned in data:
        assert payload_identity(frame(sent / out)) == payload_identity(frame(back / returned))


def test_another_payload_is_no_return() -> None:
    head = Ether(src=A, dst=B) / IP(src="10.0.0.1", dst="10.0.0.2")
    payloads = [
        UDP() / b"x",
        UDP() / b"y",
        TCP(seq=1),
        TCP(seq=2),
        TCP(seq=1, flags="R"),
        ICMP(type=8, seq=1),
        ICMP(type=8, seq=2),
        ICMP(type=0, seq=1),
    ]
    assert len({payload_identity(frame(head / payload)) for payload in payloads}) == len(payloads)


def test_the_same_fragment_number_of_another_packet_is_no_return() -> None:
    def part(ident: int, at: int) -> Frame:
        return frame(Ether(src=A, dst=B) / IP(id=ident, frag=at, proto=17) / bytes(8))

    assert payload_identity(part(1, 5)) == payload_identity(replace(part(1, 5), src=Mac(3)))
    assert len({payload_identity(part(i, at)) for i in (1, 2) for at in (5, 6)}) == 4


def test_arp_of_another_station_is_no_return() -> None:
    """A duplicate address asks the very same question; only the sender's MAC tells them apart."""
    ask = ARP(op=1, hwsrc=A, psrc="10.0.0.1", pdst="10.0.0.1")
    reflected = frame(Ether(src=A, dst=B) / ask)
    assert payload_identity(frame(Ether(src=B, dst=A) / ask)) == payload_identity(reflected)
    ask.hwsrc = B
    assert payload_identity(frame(Ether(src=B, dst=A) / ask)) != payload_identity(reflected)


def test_a_nonce_tells_two_stations_solicitations_apart() -> None:
    target = IPv6Address("fe80::1")
    mine = build.dad_ns(Mac(1), target, nonce=b"mine!!")
    assert payload_identity(replace(mine, src=Mac(9))) == payload_identity(decode(encode(mine)))
    assert payload_identity(mine) != payload_identity(build.dad_ns(Mac(2), target, nonce=b"theirs"))


def test_outer_headers_do_not_matter_to_a_return() -> None:
    inner = udp()[IP]
    plain = frame(udp(ttl=3))
    head = Ether(src=A, dst=B) / IP(src="192.0.2.1", dst="192.0.2.2")
    wrapped = [
        frame(head / inner),
        frame(head / GRE(key_present=1, key=5) / inner),
        frame(head / GRE(proto=0x6558) / udp()),
        frame(Ether(src=A, dst=B) / IPv6(src="::1", dst="::2") / inner),
    ]
    assert {payload_identity(one) for one in (plain, *wrapped)} == {payload_identity(plain)}
    assert len({identity(one) for one in (plain, *wrapped)}) == 5


def test_what_hosts_change_in_a_wrapped_packet_does_not_matter_to_a_cycle() -> None:
    def wrapped(outer: int, inner: int, sequence: int) -> Frame:
        head = Ether(src=A, dst=B) / IP(src="192.0.2.1", dst="192.0.2.2", ttl=outer)
        return frame(head / GRE(seqnum_present=1, sequence_number=sequence) / udp(ttl=inner)[IP])

    assert identity(wrapped(64, 9, 1)) == identity(wrapped(60, 8, 1))
    assert payload_identity(wrapped(64, 9, 1)) == payload_identity(wrapped(60, 8, 7))


def test_only_the_model_sees_into_a_sealed_packet() -> None:
    packet = frame(udp()).payload
    assert isinstance(packet, Ipv4)
    sealed = replace(frame(udp()), payload=replace(packet, payload=Udp(7, 7, Sealed(packet))))
    assert payload_identity(sealed) == payload_identity(frame(udp()))
    assert payload_identity(decode(encode(sealed))) != payload_identity(frame(udp()))


def test_one_datagram_between_two_directors() -> None:
    """A real capture: one datagram goes to and fro until its TTL is used up."""
    frames = [decode(raw) for raw, _ in RawPcapReader(str(DIRECTORS))]
    round_trip = [f for f in frames if isinstance(f.payload, Ipv4) and f.payload.protocol == 17]
    ttls = [f.payload.ttl for f in round_trip if isinstance(f.payload, Ipv4)]
    assert ttls == list(range(63, 0, -1))
    assert sorted(Counter(map(identity, round_trip)).values()) == [31, 32]  # one for each direction
    assert len(set(map(payload_identity, round_trip))) == 1
    # Never on a wire, so nobody ever completed the checksum.
    assert {transport_checksum(f) for f in round_trip} == {"partial"}
    assert {network_checksum(f) for f in frames} == {"right"}
    last = frames[-1].payload
    assert isinstance(last, Ipv4)
    assert (last.protocol, last.src) == (1, IPv4Address("10.0.0.100"))
    assert transport_checksum(frames[-1]) == "right"
