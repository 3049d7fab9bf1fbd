"""Multicast snooping: whom a group's frames reach, and what has to be known for it."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from msgspec.structs import replace

from hopback.datapath.bridge.ingress import receive, transmit
from hopback.datapath.bridge.membership import snoop
from hopback.datapath.bridge.multicast import querier_question
from hopback.datapath.bridge.state import (
    BridgeState,
    Family,
    FdbEntry,
    Member,
    PortConfig,
    Snooping,
)
from hopback.datapath.effects import Ask, Blind, Deliver, Drop, Effect, Send
from hopback.frames import icmp, igmp, ipv6, mld
from hopback.frames.build import dad_ns, multicast_mac
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import IPV4, IPV6, Frame, Vlan
from hopback.frames.igmp import Igmp, IgmpV3Report
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Extension, Ipv6
from hopback.frames.mac import Mac, parse_mac
from hopback.frames.membership import TO_EXCLUDE, Record
from hopback.frames.mld import Mld
from hopback.frames.raw import Raw
from hopback.frames.udp import Udp
from hopback.network.facts import DevId
from tests.build import HYPERVISOR, dev, link, links, listing, model

HOST = DevId("", "", "br0")
P1, P2, P3 = (DevId("", "", f"p{i}") for i in (1, 2, 3))
ANN = Mac(0x0200_0000_00A1)
MDNS6, NODE = IPv6Address("ff02::fb"), IPv6Address("ff02::1:ff00:11")
GROUP = IPv4Address("239.1.2.3")
BOTH: dict[Family, Any] = {4: (True, ()), 6: (True, ())}
ROUTER_ALERT = Extension(ipv6.HOP_BY_HOP, b"\x05\x02\0\0\1\0")


def bridge(*, p2: Any = None, **snooping: Any) -> BridgeState:
    """Three ports, ANN behind the first, a querier for both families."""
    ports = {P1: PortConfig(P1), P2: PortConfig(P2, **(p2 or {})), P3: PortConfig(P3)}
    state = Snooping(**{"queriers": BOTH, **snooping})
    return BridgeState(HOST, ports, {(ANN, 0): FdbEntry(P1)}, snooping=state)


def datagram(group: str) -> Frame:
    target = ip_address(group)
    message = Udp(5353, 5353, Raw(b"?"))
    if isinstance(target, IPv4Address):
        return _frame(IPV4, Ipv4(IPv4Address("192.0.2.7"), target, 17, message))
    return _frame(IPV6, Ipv6(IPv6Address("fe80::7"), target, 17, message))


def _frame(ethertype: int, packet: Ipv4 | Ipv6) -> Frame:
    return Frame(multicast_mac(packet.dst), ANN, (), ethertype, packet)


def igmp_frame(message: igmp.AnyIgmp, target: IPv4Address = GROUP) -> Frame:
    source = IPv4Address("192.0.2.7")
    return _frame(IPV4, Ipv4(source, target, igmp.PROTOCOL, message, ttl=1))


def mld_frame(message: mld.AnyMld, target: IPv6Address = MDNS6, source: str = "fe80::7") -> Frame:
    packet = Ipv6(
        IPv6Address(source), target, icmp.PROTOCOL_V6, message, 1, extensions=(ROUTER_ALERT,)
    )
    return _frame(IPV6, packet)


def reached(effects: tuple[Effect, ...]) -> list[str]:
    """The ports and the host, in order; a frame that is dropped as a whole reaches nobody."""
    return [e.dev.name for e in effects if isinstance(e, Send | Deliver)]


def at_p1(state: BridgeState, frame: Frame) -> list[str]:
    return reached(receive(state, {}, P1, frame))


EVERYBODY = ["p3", "p2", "br0"]


def test_without_a_querier_all_multicast_floods() -> None:
    state = bridge(queriers={4: (False, ()), 6: (False, ())}, groups={(GROUP, 0): ()})
    assert at_p1(state, datagram("239.1.2.3")) == EVERYBODY
    assert at_p1(state, dad_ns(ANN, IPv6Address("fe80::11"))) == EVERYBODY


def test_with_one_only_members_hear_a_group() -> None:
    state = bridge(groups={(GROUP, 0): (Member(P2),)})
    assert at_p1(state, datagram("239.1.2.3")) == ["p2"]
    joined = bridge(groups={(GROUP, 0): (Member(P2), Member(None))})
    assert at_p1(joined, datagram("239.1.2.3")) == ["p2", "br0"]


def test_who_never_reported_hears_no_solicitation() -> None:
    effects = receive(bridge(), {}, P1, dad_ns(ANN, IPv6Address("fe80::11")))
    drops = {e.dev.name: e.why.rule for e in effects if isinstance(e, Drop) and e.dev}
    assert drops == {"p2": "not-member", "p3": "not-member", "br0": "not-member"}


@pytest.mark.parametrize("group", ["224.0.0.251", "224.0.0.1", "ff02::1"])
def test_some_groups_are_never_pruned(group: str) -> None:
    assert at_p1(bridge(), datagram(group)) == EVERYBODY


@pytest.mark.parametrize("group", ["224.0.1.1", "ff02::fb", "ff02::2", "ff05::2"])
def test_all_others_are(group: str) -> None:
    assert at_p1(bridge(), datagram(group)) == []


def test_each_family_needs_its_own_querier() -> None:
    state = bridge(queriers={4: (True, ()), 6: (False, ())})
    assert at_p1(state, datagram("239.1.2.3")) == []
    assert at_p1(state, datagram("ff02::fb")) == EVERYBODY


def test_router_ports_hear_everything_of_their_family() -> None:
    state = bridge(routers={4: {P3: ()}})
    assert at_p1(state, datagram("239.1.2.3")) == ["p3"]
    assert at_p1(state, datagram("ff02::fb")) == []
    assert at_p1(bridge(host_is_router=True), datagram("239.1.2.3")) == ["br0"]


def test_old_reports_go_to_routers_and_new_ones_flood() -> None:
    state = bridge(routers={4: {P3: ()}, 6: {P3: ()}}, groups={(GROUP, 0): (Member(P2),)})
    assert at_p1(state, igmp_frame(Igmp(igmp.V2_REPORT, GROUP))) == ["p3"]
    assert at_p1(state, mld_frame(Mld(mld.V1_REPORT, MDNS6))) == ["p3"]
    modern = igmp_frame(IgmpV3Report((Record(TO_EXCLUDE, GROUP),)))
    assert at_p1(state, modern) == EVERYBODY
    query = igmp_frame(Igmp(igmp.QUERY, IPv4Address(0)), IPv4Address("224.0.0.1"))
    assert at_p1(state, query) == EVERYBODY


def test_flood_flags_do_not_concern_members() -> None:
    state = bridge(p2={"mcast_flood": False}, groups={(GROUP, 0): (Member(P2),)})
    assert at_p1(state, datagram("239.1.2.3")) == ["p2"]


def test_the_host_s_own_groups_are_pruned_as_well() -> None:
    state = bridge(groups={(GROUP, 0): (Member(P2), Member(None))})
    assert reached(transmit(state, {}, datagram("239.1.2.3"))) == ["p2"]


def test_a_group_of_another_vlan_is_another_group() -> None:
    state = bridge(groups={(GROUP, 7): (Member(P2),)})
    assert at_p1(state, datagram("239.1.2.3")) == []


def test_what_is_not_ip_goes_by_its_mac_and_needs_no_querier() -> None:
    group = parse_mac("01:00:0c:cc:cc:cc")
    other = Frame(group, ANN, (), 0x88B5, Raw(bytes(46)))
    known = bridge(queriers={}, groups={(group, 0): (Member(P2),)})
    assert at_p1(known, other) == ["p2"]
    assert at_p1(bridge(), other) == EVERYBODY
    twice = replace(datagram("239.1.2.3"), tags=(Vlan(7), Vlan(8)))
    assert at_p1(bridge(), twice) == EVERYBODY, "behind a second tag the kernel sees no IP"


# --- what is malformed ---------------------------------------------------------------------------


def flawed(frame: Frame, at: int, value: int) -> Frame:
    """The frame with another byte at offset ``at`` of its packet."""
    raw = bytearray(encode(frame))
    raw[14 + at] = value
    return decode(bytes(raw))


BROKEN = {
    "IPv4 header checksum": flawed(datagram("239.1.2.3"), 10, 0),
    "IPv4 length": flawed(datagram("239.1.2.3"), 3, 255),
    "IPv6 length": flawed(datagram("ff02::fb"), 5, 255),
    "IPv6 without payload": decode(encode(flawed(datagram("ff02::fb"), 5, 0))),
    "IGMP checksum": flawed(igmp_frame(Igmp(igmp.V2_REPORT, GROUP)), 22, 1),
    "IGMP records": igmp_frame(IgmpV3Report((), count=1)),
    "IGMP general query": igmp_frame(Igmp(igmp.QUERY, IPv4Address(0))),
    "MLD checksum": flawed(mld_frame(Mld(mld.V1_REPORT, MDNS6)), 50, 1),
    "MLD general query": mld_frame(Mld(mld.QUERY, IPv6Address("::"))),
    "MLD query's source": mld_frame(
        Mld(mld.QUERY, IPv6Address("::")), IPv6Address("ff02::1"), "2001:db8::1"
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_snooping_drops_what_contradicts_itself(what: str) -> None:
    (drop,) = (e for e in receive(bridge(), {}, P1, BROKEN[what]) if isinstance(e, Drop))
    assert drop.why.rule == "snooping-malformed"
    off = replace(bridge(), mcast_snooping=False)
    assert at_p1(off, BROKEN[what]) == EVERYBODY


def test_mld_without_its_router_alert_is_data() -> None:
    packet = mld_frame(Mld(mld.QUERY, MDNS6)).payload
    assert isinstance(packet, Ipv6)
    assert snoop(_frame(IPV6, replace(packet, extensions=()))).kind == "data"


# --- what is not known ---------------------------------------------------------------------------


def test_a_querier_that_no_table_tells_of_is_asked_for() -> None:
    state = bridge(queriers={}, groups={(GROUP, 0): (Member(P2),)})
    question = querier_question(state, 4)
    assert receive(state, {}, P1, datagram("239.1.2.3")) == (Ask(question),)
    assert reached(receive(state, {question: "no"}, P1, datagram("239.1.2.3"))) == EVERYBODY
    assert reached(receive(state, {question: "yes"}, P1, datagram("239.1.2.3"))) == ["p2"]
    assert question.default == "no"
    assert querier_question(bridge(queriers={}, likely=frozenset({4})), 4).default == "yes"


@pytest.mark.parametrize(
    "snooping",
    [
        {"listed": False},
        {"by_source": frozenset({(GROUP, 0)})},
        {"groups": {(GROUP, 0): (Member(P2, learned=True),)}, "p2": {"mcast_to_unicast": True}},
    ],
    ids=["no listing", "source-specific", "a copy for each station"],
)
def test_what_cannot_be_told_is_not_guessed(snooping: Any) -> None:
    (blind,) = receive(bridge(**snooping), {}, P1, datagram("239.1.2.3"))
    assert isinstance(blind, Blind)


def test_old_kernels_pruned_without_a_querier_and_let_discovery_through() -> None:
    state = bridge(queriers={4: (False, ()), 6: (False, ())})
    old = replace(state, kernel=replace(state.kernel, mcast_needs_querier=False, nd_snooped=False))
    assert at_p1(old, datagram("239.1.2.3")) == []
    assert at_p1(old, dad_ns(ANN, IPv6Address("fe80::11"))) == EVERYBODY


# --- from the tables -----------------------------------------------------------------------------


def snooping(settings: str, *more: str, mdb: tuple[str, ...] | None = ()) -> Snooping:
    text = HYPERVISOR.replace("stp_state 0", f"stp_state 0 {settings}") + "".join(more)
    if mdb is not None:
        text += listing("bridge -d mdb show", mdb)
    return model(text).bridges[dev("br0")].snooping


def told(found: Snooping) -> dict[Family, bool]:
    return {family: there for family, (there, _) in found.queriers.items()}


ADDRESSES = listing(
    "ip addr show",
    ["3: br0: <UP> mtu 1500", "    inet6 fe80::ec4:7aff:fe00:1/64 scope link "],
)


def test_the_bridge_s_own_querier() -> None:
    assert told(snooping("mcast_querier 1")) == {4: True}
    assert told(snooping("mcast_querier 1", ADDRESSES)) == {4: True, 6: True}
    without = ADDRESSES.replace(
        "fe80::ec4:7aff:fe00:1/64 scope link", "2001:db8::1/64 scope global"
    )
    assert told(snooping("mcast_querier 1", without)) == {4: True}, "it has nothing to ask from"
    assert told(snooping("mcast_querier 0")) == {}, "another's may have been heard"


def test_a_learned_router_port_tells_of_a_querier() -> None:
    assert snooping("", mdb=("router ports on br0: eth0 ",)).likely == {4}
    ordered = link(2, "eth0", "0c:c4:7a:00:00:01", master="br0", port="mcast_router 2")
    found = snooping("", links(ordered), mdb=("router ports on br0: eth0 ",))
    assert found.likely == frozenset()
    assert found.routers[6].keys() == {dev("eth0")}


def test_groups_and_their_members() -> None:
    rows = (
        "dev br0 port vnet0 grp 239.1.2.3 temp",
        "dev br0 port br0 grp 239.1.2.3 temp",
        "dev br0 port vnet1 grp ff02::fb permanent vid 7",
        "dev br0 port vnet1 grp 239.9.9.9 src 192.0.2.1 temp",
    )
    found = snooping("", mdb=rows)
    (members,) = found.groups.values()
    assert [(m.port, m.learned) for m in members] == [(dev("vnet0"), True), (None, True)]
    assert found.by_source == {(IPv4Address("239.9.9.9"), 0)}
    assert found.listed
    assert not snooping("", mdb=None).listed
    filtering = snooping("vlan_filtering 1", mdb=rows)
    assert filtering.groups.keys() == {(MDNS6, 7)}
