"""A frame that leaves one given host for another, in the stages."""

from ipaddress import IPv4Address

from msgspec.structs import replace

from hopback.datapath.effects import Cross, Leave, Place
from hopback.datapath.path import step
from hopback.engines.trace import trace
from hopback.frames import ethernet
from hopback.frames.ethernet import Frame, Vlan
from hopback.frames.ipv4 import Ipv4
from hopback.frames.mac import BROADCAST, Mac, parse_mac
from hopback.frames.raw import Raw
from tests.build import (
    GUEST0,
    GUEST1,
    HYPERVISOR,
    dev,
    domiflist,
    fdb,
    link,
    links,
    listing,
    model,
)
from tests.network.test_segments import BOTH, B, C, addressed, nic

MODEL = model(BOTH)
OUT = Place(dev("eth0", "lb1"), "out")


def to(mac: Mac) -> Frame:
    return Frame(mac, Mac(0x0200_0000_000A), (), 0x88B5, Raw(bytes(46)))


def test_it_crosses_to_the_host_whose_address_it_has() -> None:
    (effect,) = step(MODEL, {}, OUT, to(parse_mac(B)))
    assert isinstance(effect, Cross)
    assert (effect.dev, effect.why.rule) == (dev("eth0", "lb2"), "segment")
    (journey,) = trace(MODEL, OUT, to(parse_mac(B)))
    assert journey.delivered_to(dev("eth0", "lb2"))


def test_a_stranger_s_leaves_what_the_tables_show() -> None:
    (effect,) = step(MODEL, {}, OUT, to(parse_mac(C)))
    assert isinstance(effect, Leave)
    assert effect.why.rule == "beyond"


def test_a_group_also_leaves() -> None:
    effects = step(MODEL, {}, OUT, to(BROADCAST))
    assert [type(effect) for effect in effects] == [Leave, Cross]


def test_that_it_is_unclear_is_said() -> None:
    (effect,) = step(model(BOTH + nic("lb3", B, "192.0.2.3/24")), {}, OUT, to(parse_mac(B)))
    assert isinstance(effect, Leave)
    assert effect.why.rule == "segment-unclear"


def test_a_tag_stays_on_the_wire_and_a_bond_takes_it_by_one_leg() -> None:
    vlan = "vlan protocol 802.1Q id 7 <REORDER_HDR>"
    there = links(
        link(2, "eno1", B, "bond_slave state BACKUP mii_status UP", master="bond0"),
        link(3, "eno2", B, "bond_slave state ACTIVE mii_status UP", master="bond0"),
        link(4, "bond0", B, "bond mode active-backup miimon 100 active_slave eno2"),
        link(5, "bond0.7@bond0", B, vlan),
        host="lb2",
    )
    tagging = model(
        nic("lb1", "02:00:00:00:00:0a", "192.0.2.1/24")
        + there
        + addressed("lb2", "bond0.7 192.0.2.2/24")
    )
    frame = replace(to(parse_mac(B)), tags=(Vlan(7),))
    (effect,) = step(tagging, {}, OUT, frame)
    assert isinstance(effect, Cross)
    assert (effect.dev, effect.frame.tags) == (dev("eno2", "lb2"), frame.tags)
    assert trace(tagging, OUT, frame)[0].delivered_to(dev("bond0.7", "lb2"))


GUESTS = (
    HYPERVISOR
    + domiflist(f"vnet0 br0 {GUEST0}", guest="web1")
    + domiflist(f"vnet1 br0 {GUEST1}", guest="web2")
    + addressed("kvm1", "br0 192.0.2.1/24")
    + nic("web1", GUEST0, "192.0.2.11/24")
    + nic("web2", GUEST1, "192.0.2.12/24")
)
ROUTES = listing("ip route show", ["192.0.2.0/24 dev eth0 proto kernel scope link"], "web2")


def way(text: str, place: Place, frame: Frame) -> list[tuple[str, str]]:
    """The devices on the frame's ways, and those that take it."""
    journey = trace(model(text), place, frame)[0]
    hops = [(hop.place.dev.host, hop.place.dev.name) for hop in journey.hops]
    return hops + [(e.dev.host, e.dev.name) for e in journey.ends if e.dev and e.fate != "left"]


def test_a_guest_that_is_given_sends_by_its_port_and_nowhere_else() -> None:
    found = way(GUESTS, Place(dev("eth0", "web1"), "out"), to(BROADCAST))
    assert found[:2] == [("web1", "eth0"), ("kvm1", "vnet0")]
    assert [host for host, _ in found].count("web1") == 1, "it does not hear itself"


def test_its_frames_come_to_another_that_is_given_if_that_is_known_to_take_them() -> None:
    datagram = Ipv4(IPv4Address("192.0.2.11"), IPv4Address("192.0.2.12"), 17, Raw(bytes(8)))
    frame = Frame(parse_mac(GUEST1), parse_mac(GUEST0), (), ethernet.IPV4, datagram)
    out = Place(dev("eth0", "web1"), "out")
    known = fdb(f"{GUEST1} dev vnet1 master br0", host="kvm1")
    assert way(GUESTS + known + ROUTES, out, frame)[-2:] == [("web2", "eth0"), ("web2", "eth0")]
    assert way(GUESTS + known, out, frame)[-1] == ("kvm1", f"NIC {GUEST1}")


def test_from_another_host_a_guest_is_reached_by_its_hypervisor() -> None:
    text = GUESTS + nic("far", C, "192.0.2.99/24")
    found = way(text, Place(dev("eth0", "far"), "out"), to(parse_mac(GUEST0)))
    assert found[1] == ("kvm1", "eth0")
