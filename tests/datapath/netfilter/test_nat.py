"""Connections and their translation, packet after packet through a router's hooks."""

from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Any

import pytest
from msgspec.structs import replace

from hopback.datapath.effects import Blind
from hopback.datapath.netfilter.addresses import Addresses
from hopback.datapath.netfilter.packet import Passed, Seen, Stopped
from hopback.datapath.netfilter.ruleset import Ruleset, rulesets_of
from hopback.datapath.netfilter.traverse import traverse
from hopback.datapath.skb import FRESH, Skb
from hopback.frames import icmp, tcp
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame
from hopback.frames.icmp import Icmp
from hopback.frames.integrity import network_checksum, transport_checksum
from hopback.frames.ipv4 import MORE_FRAGMENTS, Ipv4
from hopback.frames.raw import Raw
from hopback.frames.tcp import ACK, RST, SYN, Tcp
from hopback.frames.udp import Udp
from hopback.network.facts import Ref
from hopback.snapshot.model import Builder
from hopback.snapshot.rows import (
    Choice,
    Connection,
    Field,
    Hook,
    Mapped,
    Match,
    Nat,
    Notrack,
    Row,
    Span,
    Step,
    Verdict,
)
from tests.datapath.netfilter.ruling import HOST, chain, cite, ipv4, ruleset

GUEST, FLOATING, ROUTER, OUTSIDE = "10.0.0.3", "192.0.2.1", "10.0.0.1", "198.51.100.7"
DEVICES = (("br0", "10.0.0.1/24"), ("eth0", "192.0.2.254/24"))
DROP = Verdict("drop")


def number(address: str) -> int:
    return int(IPv4Address(address))


def state(*words: str) -> Match:
    return Match((Field("ct state"),), tuple((word,) for word in words))


def base(hook: Hook, *rules: Sequence[Step], kind: str = "nat", **told: Any) -> list[Row]:
    priority = {"prerouting": -100, "postrouting": 100}.get(hook, 0) if kind == "nat" else 0
    told = {"priority": priority} | told
    return chain(hook, *rules, family="ip", hook=hook, kind=kind, table=kind, **told)


class Router:
    """The hooks that a routed packet meets; connections are kept as the kernel does."""

    def __init__(self, *parts: Sequence[Row]) -> None:
        self.rules = ruleset(*parts, addresses=DEVICES)
        self.skb = FRESH

    def route(self, frame: Frame, indev: str = "br0", outdev: str = "eth0") -> Frame | None:
        """The packet as it leaves; None if it was dropped."""
        skb: Skb = FRESH
        hooks: tuple[tuple[Hook, str], ...] = (
            ("prerouting", ""),
            ("forward", outdev),
            ("postrouting", outdev),
        )
        for hook, out in hooks:
            outcome = traverse(self.rules, {}, Seen("ip", hook, frame, skb, indev, out))
            if isinstance(outcome, Stopped):
                return None
            assert isinstance(outcome, Passed), outcome
            frame, skb = outcome.frame, outcome.skb
        self.skb = skb
        if skb.connection is not None:
            self.rules = self.rules.knowing(skb.connection)
        assert network_checksum(frame) == "right"
        assert transport_checksum(frame) in ("right", "absent")
        return frame


def sent(payload: Any, source: str, target: str, protocol: int = 17, **told: Any) -> Frame:
    return decode(encode(ipv4(payload, source, target, protocol=protocol, **told)))


def ends(frame: Frame | None) -> tuple[str, str]:
    assert frame is not None
    assert isinstance(frame.payload, Ipv4)
    return str(frame.payload.src), str(frame.payload.dst)


DNAT = base("prerouting", [Match((Field("ip daddr"),), ((number(FLOATING),),)),
                           Nat("dnat", number(GUEST))])  # fmt: skip
SNAT = base("postrouting", [Match((Field("meta oifname"),), (("eth0",),)), Nat("masquerade")])


def test_a_floating_address_leads_to_its_guest_and_the_answer_back() -> None:
    router = Router(DNAT)
    there = router.route(sent(Udp(1000, 53), OUTSIDE, FLOATING), "eth0", "br0")
    assert ends(there) == (OUTSIDE, GUEST)
    back = router.route(sent(Udp(53, 1000), GUEST, OUTSIDE))
    assert ends(back) == (FLOATING, OUTSIDE)
    assert router.skb.reply


def test_masquerading_takes_the_device_s_address_and_keeps_the_port() -> None:
    router = Router(SNAT)
    there = router.route(sent(Tcp(1000, 80, flags=SYN), GUEST, OUTSIDE, 6))
    assert ends(there) == ("192.0.2.254", OUTSIDE)
    back = router.route(sent(Tcp(80, 1000, flags=SYN | ACK), OUTSIDE, "192.0.2.254", 6), "eth0")
    assert ends(back) == (OUTSIDE, GUEST)
    again = router.route(sent(Tcp(1000, 80, flags=ACK), GUEST, OUTSIDE, 6))
    assert ends(again) == ("192.0.2.254", OUTSIDE)


def test_what_was_masqueraded_for_one_device_does_not_leave_by_another() -> None:
    router = Router(base("postrouting", [Nat("masquerade")]))
    ask = sent(Udp(1000, 53), GUEST, OUTSIDE)
    assert ends(router.route(ask))[0] == "192.0.2.254"
    assert router.route(ask, outdev="br0") is None
    assert ends(router.route(ask))[0] == "192.0.2.254"


def test_both_ends_at_once_so_that_a_guest_reaches_its_own_floating_address() -> None:
    both = base("postrouting", [Match((Field("ct status"),), (("dnat",),)),
                                Nat("snat", number(FLOATING))])  # fmt: skip
    router = Router(DNAT, both)
    ping = Icmp(icmp.ECHO_REQUEST, rest=0x0007_0001)
    there = router.route(sent(ping, GUEST, FLOATING, 1), "br0", "br0")
    assert ends(there) == (FLOATING, GUEST)
    pong = Icmp(icmp.ECHO_REPLY, rest=0x0007_0001)
    back = router.route(sent(pong, GUEST, FLOATING, 1), "br0", "br0")
    assert ends(back) == (FLOATING, GUEST)


def test_an_error_is_turned_back_inside_and_out() -> None:
    router = Router(SNAT)
    there = router.route(sent(Udp(1000, 33434), GUEST, OUTSIDE))
    assert there is not None
    error = Icmp(icmp.TIME_EXCEEDED, body=Raw(encode(there)[14:]))
    back = router.route(sent(error, "203.0.113.9", "192.0.2.254", 1), "eth0", "br0")
    assert ends(back) == ("203.0.113.9", GUEST)
    assert back is not None
    assert isinstance(back.payload, Ipv4)
    assert isinstance(back.payload.payload, Icmp)
    quoted = decode(bytes(12) + b"\x08\0" + back.payload.payload.body.raw)
    assert ends(quoted) == (GUEST, OUTSIDE)
    assert network_checksum(quoted) == transport_checksum(quoted) == "right"


def test_states() -> None:
    def dropped(*words: str) -> Router:
        return Router(base("forward", [state(*words), DROP], kind="filter"))

    ask, say = sent(Udp(1, 2), GUEST, OUTSIDE), sent(Udp(2, 1), OUTSIDE, GUEST)
    assert dropped("new").route(ask) is None
    router = dropped("established")
    assert router.route(ask) is not None
    assert router.route(ask) is not None  # as long as nobody has answered
    assert router.route(say) is None
    rest = sent(Tcp(1, 2, flags=RST), GUEST, OUTSIDE, 6)
    assert dropped("invalid").route(rest) is None
    answer = sent(Icmp(icmp.ECHO_REPLY), GUEST, OUTSIDE, 1)
    assert dropped("invalid").route(answer) is None
    error = sent(Icmp(icmp.UNREACHABLE, body=Raw(encode(ask)[14:])), OUTSIDE, GUEST, 1)
    assert dropped("related").route(error) is not None
    router = dropped("related")
    router.route(ask)
    assert router.route(error) is None


def test_a_wrong_checksum_belongs_to_no_connection() -> None:
    raw = encode(sent(Udp(1, 2, Raw(b"abcd")), GUEST, OUTSIDE))
    broken = decode(raw[:-1] + b"x")
    assert Router(base("forward", [state("invalid"), DROP], kind="filter")).route(broken) is None


def test_without_a_rule_that_asks_nothing_is_tracked() -> None:
    router = Router(base("forward", [Match((Field("ip ttl"),), ((1,),)), DROP], kind="filter"))
    assert router.route(sent(Udp(1, 2), GUEST, OUTSIDE)) is not None
    assert router.skb.connection is None


def test_a_map_of_states_asks_for_connections_too() -> None:
    verdicts = ((("new",), DROP), (("established",), Verdict("accept")))
    step = Choice((Field("ct state"),), verdicts)
    router = Router(base("forward", [step], kind="filter"))
    assert router.route(sent(Udp(1, 2), GUEST, OUTSIDE)) is None


def test_a_chain_of_nat_that_translates_nothing_sees_nothing() -> None:
    router = Router(base("postrouting", [DROP]))
    assert router.route(sent(Udp(1, 2), GUEST, OUTSIDE)) is not None


def test_notrack_before_connections_are_looked_at() -> None:
    raw = base("prerouting", [Notrack()], kind="filter", priority=-300)
    router = Router(raw, base("forward", [state("untracked"), DROP], kind="filter"), SNAT)
    assert router.route(sent(Udp(1, 2), GUEST, OUTSIDE)) is None


def test_ports_and_maps() -> None:
    ported = base("prerouting", [Nat("dnat", number(GUEST), 8080)])
    there = Router(ported).route(sent(Udp(1000, 80), OUTSIDE, FLOATING), "eth0", "br0")
    assert isinstance(there and there.payload.payload, Udp)  # type: ignore[union-attr]
    assert there.payload.payload.dport == 8080  # type: ignore[union-attr]
    entries = (((number(FLOATING),), (number(GUEST),)),)
    mapped = base("prerouting", [Nat("dnat", Mapped((Field("ip daddr"),), entries))])
    assert ends(Router(mapped).route(sent(Udp(1, 2), OUTSIDE, FLOATING)))[1] == GUEST
    assert ends(Router(mapped).route(sent(Udp(1, 2), OUTSIDE, ROUTER)))[1] == ROUTER


def test_one_of_several_addresses_is_always_the_same_for_both_ends() -> None:
    pool = base("prerouting", [Nat("dnat", Span(number("10.0.0.2"), number("10.0.0.4")))])
    first = ends(Router(pool).route(sent(Udp(1, 2), "10.0.0.4", "10.0.0.1")))
    assert first[1] == "10.0.0.3"  # as Linux 6.18 picked


def test_redirect_is_to_the_device_it_came_by() -> None:
    router = Router(base("prerouting", [Nat("redirect")]))
    assert ends(router.route(sent(Udp(1, 2), GUEST, OUTSIDE)))[1] == ROUTER


def test_a_port_that_is_taken_leaves_it_open() -> None:
    router = Router(SNAT)
    router.route(sent(Udp(1000, 53), GUEST, OUTSIDE))
    seen = Seen("ip", "prerouting", sent(Udp(1000, 53), "10.0.0.4", OUTSIDE), indev="br0")
    first = traverse(router.rules, {}, seen)
    assert isinstance(first, Passed)
    later = replace(seen, hook="postrouting", frame=first.frame, skb=first.skb, outdev="eth0")
    assert isinstance(traverse(router.rules, {}, later), Blind)


def test_fragments_are_put_together_first_and_that_is_not_followed() -> None:
    part = sent(Raw(bytes(8)), GUEST, OUTSIDE, flags=MORE_FRAGMENTS)
    rules = ruleset(SNAT)
    assert isinstance(traverse(rules, {}, Seen("ip", "prerouting", part, indev="br0")), Blind)


def test_masquerading_by_a_device_without_address_drops_if_that_is_known() -> None:
    rules = ruleset(base("postrouting", [Nat("masquerade")]), addresses=DEVICES)
    came = traverse(rules, {}, Seen("ip", "prerouting", sent(Udp(1, 2), GUEST, OUTSIDE)))
    assert isinstance(came, Passed)
    seen = Seen("ip", "postrouting", came.frame, came.skb, outdev="eth9")
    assert isinstance(traverse(rules, {}, seen), Stopped)
    unknown = replace(rules, addresses=Addresses())
    assert isinstance(traverse(unknown, {}, seen), Blind)


def test_a_listed_connection_decides_and_is_cited() -> None:
    row = Connection(
        cite=cite(), protocol=17, source=OUTSIDE, target=FLOATING, source_port=1000,
        target_port=53, reply_source=GUEST, reply_target=OUTSIDE, reply_source_port=53,
        reply_target_port=1000,
    )  # fmt: skip
    builder = Builder(HOST)
    builder.add([row, *DNAT])
    rules: Ruleset = rulesets_of(builder.build())[""]
    back = sent(Udp(53, 1000), GUEST, OUTSIDE)
    came = traverse(rules, {}, Seen("ip", "prerouting", back, indev="br0"))
    assert isinstance(came, Passed)
    assert came.skb.reply
    left = traverse(rules, {}, Seen("ip", "postrouting", came.frame, came.skb, "", "eth0"))
    assert isinstance(left, Passed)
    assert ends(left.frame) == (FLOATING, OUTSIDE)
    assert [why.rule for why in left.done] == ["nat-source"]
    assert Ref(HOST, row.cite) in left.refs


@pytest.mark.parametrize("flags", [0, SYN | RST, tcp.FIN])
def test_flags_that_make_no_sense_belong_to_no_connection(flags: int) -> None:
    router = Router(base("forward", [state("invalid"), DROP], kind="filter"))
    assert router.route(sent(Tcp(1, 2, flags=flags), GUEST, OUTSIDE, 6)) is None
