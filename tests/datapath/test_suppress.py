"""Neighbour suppression, and the flags of ports beside the plain ones."""

from ipaddress import IPv4Address, IPv6Address
from typing import Any

from msgspec.structs import replace

from hopback.datapath.bridge.ingress import receive, transmit
from hopback.datapath.bridge.learn import applied
from hopback.datapath.bridge.state import (
    BridgeState,
    FdbEntry,
    HostState,
    NeighbourEntry,
    PortConfig,
)
from hopback.datapath.effects import Ask, Blind, Deliver, Drop, Effect, Learn, Send
from hopback.frames.arp import Arp
from hopback.frames.build import arp_probe, arp_request, dad_ns, gratuitous_arp, na, ns
from hopback.frames.ethernet import Frame
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import Mac
from hopback.frames.nd import Na
from hopback.frames.raw import Raw
from hopback.network.facts import DevId
from tests.build import HYPERVISOR, dev, listing, model

HOST = DevId("", "", "br0")
P1, P2, P3 = (DevId("", "", f"p{i}") for i in (1, 2, 3))
ANN, BOB, EVE = Mac(0x0200_0000_00A1), Mac(0x0200_0000_00B0), Mac(0x0200_0000_00EE)
IP_ANN, IP_BOB, OWN = (IPv4Address(f"192.0.2.{i}") for i in (1, 2, 100))
LL_BOB = IPv6Address("fe80::b0")


def bridge(*, p1: Any = None, p2: Any = None, p3: Any = None, **settings: Any) -> BridgeState:
    """ANN on p1 and BOB on p2, whom the host knows too; p2 suppresses neighbours."""
    flags = ((P1, p1), (P2, {"neigh_suppress": True} if p2 is None else p2), (P3, p3))
    host = HostState(
        {OWN: ()}, {IP_BOB: NeighbourEntry(BOB), LL_BOB: NeighbourEntry(BOB, router=True)}
    )
    usual = {"mcast_snooping": False, "hosts": {0: host}}
    return BridgeState(
        HOST,
        {id_: PortConfig(id_, **(told or {})) for id_, told in flags},
        {(ANN, 0): FdbEntry(P1), (BOB, 0): FdbEntry(P2)},
        **{**usual, **settings},
    )


def sent(effects: tuple[Effect, ...]) -> list[tuple[str, str]]:
    return [(e.dev.name, e.why.rule) for e in effects if isinstance(e, Send)]


def at_p1(state: BridgeState, frame: Frame) -> list[tuple[str, str]]:
    return sent(receive(state, {}, P1, frame))


def plain(dst: Mac, src: Mac = ANN, size: int = 46) -> Frame:
    return Frame(dst, src, (), 0x88B5, Raw(bytes(size)))


EVERYBODY = [("p3", "flood"), ("p2", "flood")]
ALL_BUT_P2 = [("p3", "flood")]


def test_announcements_and_probes_do_not_reach_a_suppressing_port() -> None:
    for frame in (
        gratuitous_arp(ANN, IP_ANN),
        arp_probe(ANN, IP_BOB),
        dad_ns(ANN, LL_BOB),
        na(ANN, LL_BOB),
    ):
        assert at_p1(bridge(), frame) == ALL_BUT_P2
        assert at_p1(bridge(p2={}), frame) == EVERYBODY
    drops = [e for e in receive(bridge(), {}, P1, arp_probe(ANN, IP_BOB)) if isinstance(e, Drop)]
    assert [(d.why.rule, d.dev) for d in drops] == [("suppressed", P2)]


def test_what_comes_from_a_suppressing_port_is_left_alone() -> None:
    state = bridge(p1={"neigh_suppress": True})
    assert at_p1(state, arp_probe(ANN, IP_BOB)) == EVERYBODY


def test_a_known_neighbour_is_answered_for() -> None:
    first, *rest = receive(bridge(), {}, P1, arp_request(ANN, IP_ANN, IP_BOB))
    assert isinstance(first, Send)
    assert (first.dev, first.why.rule) == (P1, "proxied")
    assert first.frame.payload == Arp(2, BOB, IP_BOB, ANN, IP_ANN)
    assert sent(tuple(rest)) == ALL_BUT_P2
    (reply, *_) = receive(bridge(), {}, P1, ns(ANN, IPv6Address("fe80::a1"), LL_BOB))
    assert isinstance(reply, Send)
    assert isinstance(reply.frame.payload, Ipv6)
    message = reply.frame.payload.payload
    assert isinstance(message, Na)
    assert (message.router, message.solicited, message.target) == (True, True, LL_BOB)


def test_one_that_either_table_lacks_is_not() -> None:
    assert at_p1(bridge(hosts={}), arp_request(ANN, IP_ANN, IP_BOB)) == EVERYBODY
    moved = replace(bridge(), fdb={(ANN, 0): FdbEntry(P1)})
    assert at_p1(moved, arp_request(ANN, IP_ANN, IP_BOB)) == EVERYBODY


def test_the_host_s_own_address_is_not_asked_for_on_a_suppressing_port() -> None:
    assert at_p1(bridge(), arp_request(ANN, IP_ANN, OWN)) == ALL_BUT_P2


def test_a_question_to_one_station_passes_in_newer_kernels() -> None:
    question = replace(arp_request(ANN, IP_ANN, IP_BOB), dst=EVE)
    assert at_p1(bridge(), question) == EVERYBODY
    old = replace(bridge(), kernel=replace(bridge().kernel, unicast_question_passes=False))
    assert at_p1(old, question) == [("p1", "proxied"), *ALL_BUT_P2]


def test_the_host_s_own_question_is_answered_through_the_bridge() -> None:
    effects = transmit(bridge(), {}, arp_request(ANN, IP_ANN, IP_BOB))
    assert sent(effects) == [("p1", "fdb-hit"), ("p3", "flood"), ("p1", "flood")]


def test_a_neighbour_table_that_nobody_listed_is_asked_for() -> None:
    state = bridge(hosts={}, hosts_listed=False)
    (ask,) = receive(state, {}, P1, arp_request(ANN, IP_ANN, IP_BOB))
    assert isinstance(ask, Ask)
    no, yes = ({ask.question: answer} for answer in ask.question.answers)
    assert sent(receive(state, no, P1, arp_request(ANN, IP_ANN, IP_BOB))) == EVERYBODY
    (blind,) = receive(state, yes, P1, arp_request(ANN, IP_ANN, IP_BOB))
    assert isinstance(blind, Blind)
    assert at_p1(state, arp_probe(ANN, IP_BOB)) == ALL_BUT_P2, "a probe needs no table"


def test_the_tables_tell_what_the_host_knows() -> None:
    text = HYPERVISOR.replace("neigh_suppress off", "neigh_suppress on", 1)
    text += listing(
        "ip addr show", ["3: br0: <UP> mtu 1500", "    inet 192.0.2.100/24 scope global"]
    )
    text += listing(
        "ip neigh show",
        ["192.0.2.2 dev br0 lladdr 02:00:00:00:00:b0 STALE", "192.0.2.3 dev br0 FAILED"],
    )
    state = model(text).bridges[dev("br0")]
    assert state.blind is None
    assert state.hosts_listed
    assert state.hosts[0].addresses.keys() == {OWN}
    assert {ip: n.mac for ip, n in state.hosts[0].neighbours.items()} == {IP_BOB: BOB}
    assert model(HYPERVISOR).bridges[dev("br0")].hosts == {}


# --- other flags ---------------------------------------------------------------------------------


def test_an_unknown_station_of_a_port_with_mab_is_entered_and_waits() -> None:
    state = bridge(p1={"locked": True, "mab": True})
    learnt, drop = receive(state, {}, P1, plain(BOB, EVE))
    assert isinstance(learnt, Learn)
    assert isinstance(drop, Drop)
    assert (learnt.why.rule, learnt.locked, drop.why.rule) == ("mab", True, "locked-drop")
    waiting = applied(state, learnt)
    assert at_p1(waiting, plain(BOB, EVE)) == []
    elsewhere = receive(waiting, {}, P3, plain(BOB, EVE))[0]
    assert isinstance(elsewhere, Learn)
    assert not applied(waiting, elsewhere).fdb[EVE, 0].locked


def test_a_backup_port_takes_what_is_for_a_port_without_carrier() -> None:
    state = bridge(p2={"carrier": False, "backup": P3})
    assert at_p1(state, plain(BOB)) == [("p3", "backup-port")]
    assert at_p1(bridge(p2={"backup": P3}), plain(BOB)) == [("p2", "fdb-hit")]


def test_a_promiscuous_bridge_hears_what_it_forwards() -> None:
    effects = receive(bridge(promisc=()), {}, P1, plain(BOB))
    (copy,) = (e for e in effects if isinstance(e, Deliver))
    assert (copy.why.rule, copy.packet_type) == ("promisc-copy", "otherhost")


def test_a_port_drops_what_is_too_big_for_it() -> None:
    state = bridge(p2={"mtu": 100})
    assert at_p1(state, plain(BOB, size=104)) == [("p2", "fdb-hit")], "a tag's worth is spare"
    (drop,) = receive(state, {}, P1, plain(BOB, size=105))
    assert isinstance(drop, Drop)
    assert (drop.why.rule, drop.dev) == ("too-big", P2)
    assert at_p1(state, plain(EVE, size=105)) == [("p3", "flood")]
