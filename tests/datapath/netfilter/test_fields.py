"""What a packet has in the fields that rules look at, found by Linux 6.18 where it is odd."""

from typing import Any

import pytest

from hopback.datapath.effects import Ask
from hopback.datapath.netfilter.headers import headers_of
from hopback.datapath.netfilter.packet import Passed, Stopped
from hopback.frames import icmp, tcp
from hopback.frames.codec import encode
from hopback.frames.ethernet import Frame, Vlan
from hopback.frames.icmp import Icmp
from hopback.frames.ipv4 import MORE_FRAGMENTS
from hopback.frames.ipv6 import DESTINATION, HOP_BY_HOP, Extension, Fragment
from hopback.frames.raw import Raw
from hopback.frames.tcp import ACK, SYN, Tcp
from hopback.frames.udp import Udp
from hopback.snapshot.rows import Field, Match, Operator, Span, Step, Value, Verdict
from tests.datapath.netfilter.ruling import A, B, bridged, chain, ipv4, ipv6, ruleset

DROP = Verdict("drop")
OPTIONS = b"\1\4" + bytes(4)


def when(key: str, *values: Value, op: Operator = "==", mask: int | None = None) -> Match:
    return Match((Field(key, mask),), tuple((value,) for value in values), op)


def fits(frame: Frame, *steps: Step) -> bool:
    """Whether a rule of a bridge's forward chain matches."""
    rows = chain("c", [*steps, DROP], hook="forward")
    outcome = bridged(ruleset(rows), frame)
    assert isinstance(outcome, Passed | Stopped), outcome
    return isinstance(outcome, Stopped)


@pytest.mark.parametrize(
    ("step", "matches"),
    [
        (when("ip saddr", 0xC0000201), True),
        (when("ip saddr", 0xC0000202, op="!="), True),
        (when("ip saddr", Span(0xC0000200, 0xC00002FF)), True),
        (when("ip saddr", 0xC0000200, mask=0xFFFFFF00), True),
        (when("ip6 saddr", 1, op="!="), False),  # the packet has none: the rule ends
        (when("arp operation", 1, op="!="), False),
        (when("tcp dport", 53), False),
        (when("udp dport", 53), True),
        (when("th dport", 53), True),
        (when("@th,16,16", 53), True),
        (when("udp dport", 50, op=">"), True),
        (when("udp dport", 53, op="<"), False),
        (when("meta l4proto", 17), True),
        (when("meta protocol", 0x0800), True),
        (when("meta length", 28), True),
        (when("meta pkttype", "host"), True),
        (when("ether saddr", int(A)), True),
        (when("ether daddr", int(B), 5), True),
        (when("vlan id", 5), False),
        (when("icmp type", 8), False),
        (when("ip ttl", 64), True),
        (when("ip ttl", 0x40, op="has"), True),
        (when("ip ttl", 0x40, op="lacks"), False),
        (when("physdev in", "", op="!="), False),
        (when("exthdr frag", 0), False),
    ],
)
def test_fields_of_a_datagram(step: Match, matches: bool) -> None:
    assert fits(ipv4(), step) is matches


def test_a_concatenation_needs_every_field() -> None:
    fields = (Field("meta iifname"), Field("ip daddr"))
    assert fits(ipv4(), Match(fields, (("vnet0", 0xC0000202),)))
    assert not fits(ipv4(), Match(fields, (("vnet1", 0xC0000202), ("vnet0", 7))))
    assert not fits(ipv6(), Match(fields, (("vnet0", 7),), "!="))


def test_a_tag_hides_the_type_but_not_the_packet() -> None:
    tagged = ipv4(tags=(Vlan(5, 3),))
    assert fits(tagged, when("ether type", 0x8100))
    assert fits(tagged, when("vlan id", 5), when("vlan pcp", 3), when("vlan type", 0x0800))
    assert fits(tagged, when("meta protocol", 0x0800))
    assert fits(tagged, when("udp dport", 53))
    assert fits(tagged, when("vlan id", 5), when("ip saddr", 0xC0000201))
    ping = ipv4(Icmp(icmp.ECHO_REQUEST), protocol=1, tags=(Vlan(5),))
    assert not fits(ping, when("icmp type", 8))


def test_ebtables_takes_every_tag_for_one_of_802_1q() -> None:
    tagged = ipv4(tags=(Vlan(5, tpid=0x88A8),))
    told: dict[str, Any] = {"hook": "forward", "table": "filter", "backend": "legacy"}
    legacy = chain("FORWARD", [when("ether type", 0x8100), DROP], **told)
    assert isinstance(bridged(ruleset(legacy), tagged), Stopped)
    assert not fits(tagged, when("ether type", 0x8100))


def test_whether_addresses_behind_a_tag_count_is_asked() -> None:
    rules = ruleset(chain("c", [when("ip saddr", 0xC0000201), DROP], hook="forward"))
    tagged = ipv4(tags=(Vlan(5),))
    outcome = bridged(rules, tagged)
    assert isinstance(outcome, Ask)
    assert isinstance(bridged(rules, tagged, {outcome.question: "yes"}), Stopped)
    assert isinstance(bridged(rules, tagged, {outcome.question: "no"}), Passed)


def test_several_unequal_side_by_side_are_asked_about_where_it_matters() -> None:
    segment = ipv4(Tcp(22, 443), protocol=tcp.PROTOCOL)
    steps: list[Step] = [when("tcp sport", 22, op="!="), when("tcp dport", 80, op="!="), DROP]
    rules = ruleset(chain("c", steps, hook="forward"))
    outcome = bridged(rules, segment)
    assert isinstance(outcome, Ask)
    assert isinstance(bridged(rules, segment, {outcome.question: "yes"}), Stopped)
    assert isinstance(bridged(rules, segment, {outcome.question: "no"}), Passed)
    reverse: list[Step] = [steps[1], steps[0], DROP]
    assert isinstance(bridged(ruleset(chain("c", reverse, hook="forward")), segment), Ask)
    apart: list[Step] = [steps[0], when("meta mark", 0), steps[1], DROP]
    assert isinstance(bridged(ruleset(chain("c", apart, hook="forward")), segment), Ask)
    wide: list[Step] = [when("ip saddr", 1, op="!="), when("ip daddr", 0xC0000202, op="!="), DROP]
    assert isinstance(bridged(ruleset(chain("c", wide, hook="forward")), segment), Passed)
    neither = ipv4(Tcp(21, 81), protocol=tcp.PROTOCOL)
    assert isinstance(bridged(rules, neither), Stopped)


def test_tcp_flags() -> None:
    segment = ipv4(Tcp(1, 2, flags=SYN), protocol=tcp.PROTOCOL)
    assert fits(segment, when("tcp flags", SYN, mask=SYN | ACK))
    assert not fits(segment, when("tcp flags", SYN | ACK, mask=SYN | ACK))


def test_the_inside_of_a_fragment_passes_for_a_header_where_the_load_is_short() -> None:
    body = Raw(bytes.fromhex("00000035") + bytes(16))
    later = ipv4(body, flags=MORE_FRAGMENTS, offset=8)
    assert fits(later, when("th dport", 53))
    assert not fits(later, when("@th,8,24", 53))
    assert not fits(ipv6(body, extensions=(Fragment(1, 8, True),)), when("th dport", 53))
    legacy = chain("FORWARD", [when("th dport", 53), DROP], hook="forward", backend="legacy")
    assert isinstance(bridged(ruleset(legacy), later), Passed)


def test_ipv6_extensions_are_walked() -> None:
    kinds = (Extension(HOP_BY_HOP, OPTIONS), Extension(DESTINATION, OPTIONS), Fragment(1, 0, True))
    packet = ipv6(Udp(7, 53), extensions=kinds)
    found = headers_of(encode(packet), routed=False)
    assert (found.l4proto, found.extensions, found.parts) == (17, (0, 60, 44), True)
    assert fits(packet, when("exthdr frag", 1), when("exthdr dst", 1))
    assert fits(packet, when("ip6 nexthdr", 0))
    assert fits(packet, when("meta l4proto", 17))


@pytest.mark.parametrize("size", range(14, 44))
def test_whatever_is_cut_has_fewer_fields_and_nothing_breaks(size: int) -> None:
    raw = encode(ipv4())[:size]
    found = headers_of(raw, routed=False)
    assert (found.l4proto is None) == (size < 42)


@pytest.mark.parametrize(
    ("first", "protocol"),
    [(b"\0\x2e\x42\x42\x03", 4), (b"\0\x2e\xff\xff", 1), (b"\x88\xb5", 0x88B5)],
)
def test_frames_with_a_length_instead_of_a_type(first: bytes, protocol: int) -> None:
    assert headers_of(bytes(12) + first.ljust(48), routed=False).protocol == protocol
