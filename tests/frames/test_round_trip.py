"""Decoding and encoding gives back the very bytes, whatever they are, and never raises."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hopback.frames.codec import decode, encode
from hopback.frames.describe import describe
from hopback.frames.identity import identity, payload_identity
from hopback.frames.integrity import flaws, network_checksum, transport_checksum
from tests.frames.samples import WIRE


def use_every_way(raw: bytes) -> None:
    frame = decode(raw)
    assert encode(frame) == raw
    assert describe(frame)
    assert identity(frame) == identity(frame)
    hash(payload_identity(frame))
    network_checksum(frame)
    transport_checksum(frame)


ethertypes = st.sampled_from([0x0800, 0x0806, 0x86DD, 0x8100, 0x88A8, 0x8035, 20, 0x88CC])


@given(st.binary(max_size=200))
def test_arbitrary_bytes(raw: bytes) -> None:
    use_every_way(raw)


@given(ethertypes, st.binary(max_size=200))
def test_arbitrary_bytes_under_a_known_ethertype(ethertype: int, body: bytes) -> None:
    use_every_way(bytes(12) + ethertype.to_bytes(2, "big") + body)


@given(
    st.sampled_from([1, 2, 4, 6, 17, 41, 47]),
    st.binary(max_size=120),
)
def test_arbitrary_bytes_in_ipv4(protocol: int, body: bytes) -> None:
    header = bytes((0x45, 0, 0, 20 + len(body), 0, 0, 0, 0, 1, protocol, 0, 0)) + bytes(8)
    use_every_way(bytes(12) + b"\x08\x00" + header + body)


icmpv6_types = st.sampled_from([1, 128, *range(130, 138), 143])


@given(
    st.sampled_from([0, 4, 6, 17, 41, 43, 44, 47, 58, 60]), icmpv6_types, st.binary(max_size=120)
)
def test_arbitrary_bytes_in_ipv6(protocol: int, first: int, body: bytes) -> None:
    header = bytes((0x60, 0, 0, 0, 0, len(body) + 1, protocol, 1)) + bytes(32)
    use_every_way(bytes(12) + b"\x86\xdd" + header + bytes((first,)) + body)


edits = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 400), st.integers(0, 255)),
        st.tuples(st.just("cut"), st.integers(0, 400), st.just(0)),
        st.tuples(st.just("add"), st.integers(0, 400), st.integers(0, 255)),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=200)
@given(st.sampled_from(sorted(WIRE)), edits)
def test_mutated_packets(name: str, changes: list[tuple[str, int, int]]) -> None:
    raw = bytearray(WIRE[name])
    for what, at, value in changes:
        if what == "set" and at < len(raw):
            raw[at] = value
        elif what == "cut":
            del raw[at : at + 7]
        elif what == "add":
            raw.insert(at, value)
    use_every_way(bytes(raw))


@pytest.mark.parametrize("name", WIRE)
def test_every_flipped_bit_survives(name: str) -> None:
    """Reserved bits and fields without a meaning are the ones a codec loses."""
    for bit in range(len(WIRE[name]) * 8):
        raw = bytearray(WIRE[name])
        raw[bit // 8] ^= 1 << bit % 8
        assert encode(decode(bytes(raw))) == raw, bit


@pytest.mark.parametrize("name", WIRE)
def test_sound_packets_have_nothing_malformed(name: str) -> None:
    use_every_way(WIRE[name])
    assert flaws(decode(WIRE[name])) == ()


@pytest.mark.parametrize("name", WIRE)
def test_each_cut_is_named(name: str) -> None:
    """At every length below its own a packet says what it lacks, except where nothing tells.

    A payload without a length of its own (LLDP here) and padding can be cut unnoticed.
    """
    raw = WIRE[name]
    whole = decode(raw)
    for size in range(len(raw) - len(whole.padding)):
        use_every_way(raw[:size])
        said = flaws(decode(raw[:size]))
        if name == "lldp" and size >= 14:
            assert said == ()
        else:
            assert len(said) == 1, (size, said)
            assert " of " in said[0] or "neither" in said[0], (size, said)


def test_outer_layers_survive_a_cut() -> None:
    frame = decode(WIRE["qinq-udp"][:45])
    assert [tag.vid for tag in frame.tags] == [10, 20]
    assert describe(frame) == "vlan 10.20 IP protocol 17 10.0.0.1 > 10.0.0.2 [udp: 3 of 8 bytes]"
    assert describe(decode(b"\1\2\3")) == "runt [ethernet: 3 of 14 bytes]"
    assert flaws(decode(b"\1\2\3")) == ("ethernet: 3 of 14 bytes",)


def test_contradictions_are_named() -> None:
    def broken(name: str, at: int, value: int) -> tuple[str, ...]:
        raw = bytearray(WIRE[name])
        raw[at] = value
        use_every_way(bytes(raw))
        return flaws(decode(bytes(raw)))

    assert broken("udp", 14, 0x65) == ("ipv4: version 6",)
    assert broken("udp", 14, 0x44) == ("ipv4: header length 16, below 20",)
    assert broken("udp", 17, 19) == ("ipv4: total length 19, below its header's 20",)
    assert broken("udp", 39, 7) == ("udp: length 7, below 8",)
    assert broken("udp", 39, 200) == ("udp payload: 8 of 192 bytes",)
    assert broken("tcp-syn", 46, 0x40) == ("tcp: data offset of 16 bytes, below 20",)
    assert broken("udp6", 14, 0x50) == ("ipv6: version 5",)
    assert broken("nd-ns", 79, 0) == ("nd option 1: length 0",)
    assert broken("nd-ns", 79, 9) == ("nd option 1: 8 of 72 bytes",)
    assert broken("ipv6-extensions", 55, 200) == ("ipv6 hop-by-hop: 57 of 1608 bytes",)
    assert broken("dhcp-offer", 278, 0) == ("dhcp: no magic cookie",)


def test_a_query_of_no_version_is_named() -> None:
    """Receivers must ignore these lengths: RFC 3376 7.1, RFC 3810 8.1."""

    def longer(name: str, at: int) -> tuple[str, ...]:
        raw = bytearray(WIRE[name]) + bytes(2)
        raw[at] += 2  # the low byte of the IP packet's length
        use_every_way(bytes(raw))
        return flaws(decode(bytes(raw)))

    assert longer("igmpv2-query", 17) == ("igmp query: neither 8 bytes nor at least 12",)
    assert longer("mldv1-query", 19) == ("mld query: neither 24 bytes nor at least 28",)
    assert longer("igmpv2-report", 17) == ()


def test_packets_nested_without_end_are_decoded_to_a_bound() -> None:
    packet = b""
    for _ in range(3000):
        size = (20 + len(packet)).to_bytes(2, "big")
        packet = b"\x45\0" + size + bytes(4) + b"\x40\x04\0\0" + bytes(8) + packet
    use_every_way(bytes(12) + b"\x08\x00" + packet)
