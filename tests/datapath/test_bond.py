"""Bonds: what comes in by their legs, and by which leg they send."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from msgspec.structs import replace

from hopback.datapath.bond import beyond, lag_question, receive, transmit
from hopback.datapath.bond_state import BondState, Leg
from hopback.datapath.effects import Ask, Blind, Cross, Deliver, Drop, Effect, Place, Send
from hopback.datapath.kernel import behaviour_of
from hopback.datapath.path import step
from hopback.engines.trace import Trace, trace
from hopback.frames.build import arp_probe, arp_request, dad_ns
from hopback.frames.codec import decode
from hopback.frames.ethernet import ARP, Frame
from hopback.frames.mac import BROADCAST, Mac, parse_mac
from hopback.frames.raw import Raw
from tests.build import GUEST0, TUN, dev, domiflist, link, links, listing, model

BOND, A, B = dev("bond0"), dev("eth0"), dev("eth1")
A_MAC, B_MAC = parse_mac("0c:c4:7a:00:00:0a"), parse_mac("0c:c4:7a:00:00:0b")
GUEST, FOREIGN = Mac(0x0200_0000_0011), Mac(0x0200_0000_0099)
LEGS = (Leg(A, mac=A_MAC), Leg(B, mac=B_MAC))
LINK_LOCAL = Mac(0x0180_C200_000E)
STATIC = ("balance-rr", "balance-xor", "broadcast")
CHOSEN = ("active-backup", "balance-tlb", "balance-alb")
SEPARATE = {lag_question(BOND): "separate ports"}


def bond(mode: str, **given: object) -> BondState:
    state = BondState(BOND, mode, LEGS, active=A, mac=A_MAC)
    return replace(state, **given)


def lonely() -> BondState:
    """802.3ad as a switch without LACP leaves it: one leg alone in the active aggregator."""
    return bond("802.3ad", legs=(LEGS[0], replace(LEGS[1], joined=False)))


def frame(dst: Mac = BROADCAST, src: Mac = GUEST) -> Frame:
    return Frame(dst, src, (), 0x88B5, Raw(bytes(46)))


def ip(dst: Mac, protocol: int = 17) -> Frame:
    """An IPv4 packet from 192.0.2.1 to 192.0.2.2."""
    header = bytes.fromhex(f"4500001c00000000 40{protocol:02x}0000 c0000201 c0000202")
    raw = dst.to_bytes(6, "big") + GUEST.to_bytes(6, "big") + b"\x08\x00" + header + bytes(8)
    return decode(raw)


def rules(effects: tuple[Effect, ...]) -> list[str]:
    return [e.why.rule for e in effects if not isinstance(e, Ask | Blind)]


def out(effects: tuple[Effect, ...]) -> list[str]:
    return [e.dev.name for e in effects if isinstance(e, Send)]


@pytest.mark.parametrize("mode", [*STATIC, *CHOSEN])
def test_frames_of_an_inactive_leg_are_not_the_bonds(mode: str) -> None:
    by_active = receive(bond(mode), {}, A, frame(src=FOREIGN))
    by_other = receive(bond(mode), {}, B, frame(src=FOREIGN))
    assert rules(by_active) == ["bond-up"]
    assert rules(by_other) == (["bond-up"] if mode in STATIC else ["bond-inactive"])


def test_all_slaves_active_takes_the_protection_away() -> None:
    state = bond("active-backup", all_active=True)
    assert rules(receive(state, {}, B, frame())) == ["bond-up"]
    assert out(transmit(state, {}, frame())) == ["eth0"], "but it still sends by one leg alone"


def test_alb_takes_unicast_by_every_leg() -> None:
    assert rules(receive(bond("balance-alb"), {}, B, frame(GUEST, FOREIGN))) == ["bond-up"]
    assert rules(receive(bond("balance-tlb"), {}, B, frame(GUEST, FOREIGN))) == ["bond-inactive"]


def test_alb_below_a_bridge_puts_the_bonds_address_for_a_legs() -> None:
    (effect,) = receive(bond("balance-alb", bridged=True), {}, B, frame(B_MAC, FOREIGN))
    assert isinstance(effect, Cross)
    assert (effect.dev, effect.frame.dst, effect.why.rule) == (BOND, A_MAC, "bond-alb-host")


def test_link_local_frames_stay_on_an_inactive_leg() -> None:
    (effect,) = receive(bond("active-backup"), {}, B, frame(LINK_LOCAL))
    assert isinstance(effect, Deliver)
    assert effect.dev == B
    old = bond("active-backup", kernel=behaviour_of("4.18.0"))
    assert rules(receive(old, {}, B, frame(LINK_LOCAL))) == ["bond-inactive"]
    assert rules(receive(bond("active-backup"), {}, A, frame(LINK_LOCAL))) == ["bond-up"]


def test_lacp_is_for_the_bond_itself() -> None:
    pdu = Frame(Mac(0x0180_C200_0002), FOREIGN, (), 0x8809, Raw(b"\x01" + bytes(109)))
    assert rules(receive(bond("802.3ad"), {}, A, pdu)) == ["bond-lacp"]
    assert rules(receive(bond("balance-xor"), {}, A, pdu)) == ["bond-up"], "no LACP is spoken here"
    short = replace(pdu, payload=Raw(b"\x01" + bytes(45)))
    assert rules(receive(bond("802.3ad"), {}, A, short)) == ["bond-up"]


def test_a_leg_that_lacp_left_out_neither_takes_nor_sends() -> None:
    assert rules(receive(lonely(), {}, B, frame(src=FOREIGN))) == ["bond-inactive"]
    assert {tuple(out(transmit(lonely(), {}, frame(Mac(n))))) for n in range(2, 8, 2)} == {
        ("eth0",)
    }


def test_which_leg_sends() -> None:
    assert out(transmit(bond("active-backup"), {}, frame())) == ["eth0"]
    assert out(transmit(bond("broadcast"), {}, frame())) == ["eth0", "eth1"]
    sent = {tuple(out(transmit(bond("balance-xor"), {}, frame(Mac(n))))) for n in (2, 3)}
    assert sent == {("eth0",), ("eth1",)}


def test_a_leg_without_link_is_passed_over() -> None:
    half = (replace(LEGS[0], up=False), LEGS[1])
    for mode in STATIC:
        assert out(transmit(bond(mode, legs=half), {}, frame())) == ["eth1"]
    none = (replace(LEGS[0], up=False), replace(LEGS[1], up=False))
    for mode in (*STATIC, *CHOSEN, "802.3ad"):
        assert rules(transmit(bond(mode, legs=none), {}, frame())) == ["bond-no-leg"]


def test_round_robin_asks_whose_turn_it_is() -> None:
    (asked,) = transmit(bond("balance-rr"), {}, frame())
    assert isinstance(asked, Ask)
    assert asked.question.answers == ("eth0", "eth1")
    assert out(transmit(bond("balance-rr"), {asked.question: "eth1"}, frame())) == ["eth1"]


def test_igmp_does_not_take_turns() -> None:
    effects = transmit(bond("balance-rr", active=B), {}, ip(Mac(0x0100_5E00_0016), protocol=2))
    assert (out(effects), rules(effects)) == (["eth1"], ["bond-igmp"])


def test_load_balancing_spreads_known_unicast_and_changes_its_source() -> None:
    for mode in ("balance-tlb", "balance-alb"):
        (asked,) = transmit(bond(mode), {}, ip(FOREIGN))
        assert isinstance(asked, Ask)
        (effect,) = transmit(bond(mode), {asked.question: "eth1"}, ip(FOREIGN))
        assert isinstance(effect, Send)
        assert (effect.dev, effect.frame.src) == (B, B_MAC)
        (effect,) = transmit(bond(mode), {asked.question: "eth0"}, ip(FOREIGN))
        assert isinstance(effect, Send)
        assert effect.frame.src == GUEST


def test_load_balancing_sends_what_is_for_all_by_the_active_leg() -> None:
    solicitation = dad_ns(GUEST, IPv6Address("fe80::1"))
    for mode in ("balance-tlb", "balance-alb"):
        for sent in (frame(), ip(BROADCAST), solicitation):
            assert rules(transmit(bond(mode), {}, sent)) == ["bond-active"]


def test_a_message_too_short_to_be_told_from_discovery_is_not_spread() -> None:
    """As the kernel did with a cut ICMPv6 message (alb_determine_nd)."""
    header = (
        "020000000099 020000000011 86dd 60000000 {:04x} 3a40" + "20010db8" + "00" * 12 + "fd" * 16
    )
    cut = decode(bytes.fromhex(header.format(4) + "80000000"))
    whole = decode(bytes.fromhex(header.format(8) + "8000000012340001"))
    for mode in ("balance-tlb", "balance-alb"):
        assert rules(transmit(bond(mode), {}, cut)) == ["bond-active"]
        assert isinstance(transmit(bond(mode), {}, whole)[0], Ask)


def test_what_alb_does_to_the_hosts_own_arp_is_not_known() -> None:
    own = arp_request(A_MAC, IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2"))
    assert own.ethertype == ARP
    (effect,) = transmit(bond("balance-alb"), {}, own)
    assert isinstance(effect, Blind)
    guests = arp_probe(GUEST, IPv4Address("192.0.2.3"))
    assert out(transmit(bond("balance-alb"), {}, guests)) == ["eth0"]


@pytest.mark.parametrize("mode", STATIC)
def test_the_switch_is_asked_about_where_its_answer_matters(mode: str) -> None:
    (asked,) = beyond(bond(mode), {}, A, frame())
    assert isinstance(asked, Ask)
    assert asked.question.default == "one LAG"
    assert beyond(bond(mode), {asked.question: "one LAG"}, A, frame()) == ()
    (back,) = beyond(bond(mode), {asked.question: "separate ports"}, A, frame())
    assert isinstance(back, Cross)
    assert back.dev == B
    assert beyond(bond(mode), {}, A, frame(FOREIGN)) == (), "known unicast is not flooded"


def test_a_bond_that_keeps_one_leg_reflects_nothing() -> None:
    for state in (*(bond(mode) for mode in CHOSEN), lonely(), bond("802.3ad")):
        assert beyond(state, SEPARATE, A, frame()) == ()


# Whole hosts: a guest on br0, whose way out is a bond on two plain ports of one switch.

MODES = {
    "balance-rr": "load balancing (round-robin)",
    "active-backup": "fault-tolerance (active-backup)",
    "balance-xor": "load balancing (xor)",
    "broadcast": "fault-tolerance (broadcast)",
    "802.3ad": "IEEE 802.3ad Dynamic link aggregation",
    "balance-tlb": "transmit load balancing",
    "balance-alb": "adaptive load balancing",
}


def host(mode: str, *, second: str = "") -> str:
    has_active = mode in CHOSEN
    lines = [
        "Ethernet Channel Bonding Driver: v6.1.0",
        "",
        f"Bonding Mode: {MODES[mode]}",
        *(["Currently Active Slave: eth0"] if has_active else []),
        "MII Status: up",
        *(["802.3ad info", "Active Aggregator Info:", "\tAggregator ID: 1"] if second else []),
        "",
        "Slave Interface: eth0",
        "MII Status: up",
        *(["Aggregator ID: 1"] if second else []),
        "",
        "Slave Interface: eth1",
        "MII Status: up",
        *([second] if second else []),
    ]
    return (
        links(
            link(2, "eth0", "0c:c4:7a:00:00:0a", master="bond0"),
            link(3, "eth1", "0c:c4:7a:00:00:0a", master="bond0"),
            link(4, "bond0", "0c:c4:7a:00:00:0a", f"bond mode {mode}", master="br0", port=""),
            link(5, "br0", "0c:c4:7a:00:00:0a", "bridge stp_state 0"),
            link(6, "vnet0", "fe:54:00:00:00:01", TUN, master="br0", port=""),
        )
        + domiflist(f"vnet0 br0 {GUEST0}")
        + listing("cat /proc/net/bonding/bond0", lines)
    )


PROBE = arp_probe(parse_mac(GUEST0), IPv4Address("192.0.2.9"))


def returns(journey: Trace) -> int:
    """How often the frame comes in to the bond."""
    return sum(hop.place == Place(BOND, "in") for hop in journey.hops)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("balance-rr", 1), ("balance-xor", 1), ("broadcast", 2)]
    + [(mode, 0) for mode in (*CHOSEN, "802.3ad")],
)
def test_a_broadcast_on_two_plain_ports(mode: str, expected: int) -> None:
    split = "Aggregator ID: 2" if mode == "802.3ad" else ""
    text = host(mode, second=split)
    journey = trace(model(text), Place(dev("vnet0"), "in"), PROBE, world=SEPARATE)[0]
    assert returns(journey) == expected
    assert [m.port for m in journey.learnt] == [dev("vnet0")] + [BOND] * expected


@pytest.mark.parametrize("mode", MODES)
def test_a_broadcast_on_one_lag_does_not_return(mode: str) -> None:
    journey = trace(model(host(mode)), Place(dev("vnet0"), "in"), PROBE)[0]
    assert returns(journey) == 0
    assert journey.end("left") is not None


def test_what_the_switch_hashes_to_the_leg_that_lacp_left_out_is_lost() -> None:
    half = model(host("802.3ad", second="Aggregator ID: 2"))
    assert trace(half, Place(A, "in"), PROBE)[0].end("lost") is None
    lost = trace(half, Place(B, "in"), PROBE)[0].end("lost")
    assert lost is not None
    assert lost.why.rule == "bond-inactive"
    assert len(lost.why.refs) > 0


def test_without_a_partner_one_leg_works_though_it_does_not_collect() -> None:
    """As the kernel shows it: port state 77, DEFAULTED and not COLLECTING."""
    lacp = """\
Aggregator ID: {0}
details actor lacp pdu:
    port state: {1}
details partner lacp pdu:
    system mac address: 00:00:00:00:00:00
"""
    text = host("802.3ad", second=lacp.format(2, 69))
    text = text.replace("up\nAggregator ID: 1\n", "up\n" + lacp.format(1, 77))
    state = model(text).bonds[BOND]
    assert [state.sends(leg) for leg in state.legs] == [True, False]


def test_a_frame_to_a_leg_s_own_address_is_the_host_s() -> None:
    """balance-alb lets its peers send to the legs' addresses."""
    alone = host("balance-alb").replace(" master br0", "", 1)
    alone = alone.replace("0c:c4:7a:00:00:0a", "0c:c4:7a:00:00:0b", 1)
    built = model(alone)
    own = replace(PROBE, dst=B_MAC)
    (effect,) = step(built, {}, Place(BOND, "in"), own)
    assert isinstance(effect, Deliver)
    assert effect.packet_type == "host"


def test_legs_are_in_the_order_of_the_bonds_own_file() -> None:
    swapped = host("balance-xor").replace("Slave Interface: eth0", "Slave Interface: X")
    swapped = swapped.replace("Slave Interface: eth1", "Slave Interface: eth0").replace("X", "eth1")
    assert [leg.id.name for leg in model(swapped).bonds[BOND].legs] == ["eth1", "eth0"]


def test_an_active_leg_that_nobody_names_is_asked_for() -> None:
    text = host("active-backup").replace("Currently Active Slave: eth0\n", "")
    state = model(text).bonds[BOND]
    (asked,) = transmit(state, {}, frame())
    assert isinstance(asked, Ask)
    assert receive(state, {}, A, frame()) == (asked,)
    assert rules(receive(state, {asked.question: "eth1"}, A, frame())) == ["bond-inactive"]


def test_a_drop_on_a_leg_names_the_leg() -> None:
    (effect,) = receive(bond("active-backup"), {}, B, frame())
    assert isinstance(effect, Drop)
    assert effect.dev == B
