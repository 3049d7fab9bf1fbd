"""Which stage a frame meets at each place."""

from ipaddress import IPv4Address

from hopback.datapath.effects import (
    Blind,
    Cross,
    Deliver,
    Effect,
    Leave,
    Place,
    Send,
)
from hopback.datapath.path import nic_of, step, uplink_question
from hopback.datapath.skb import FRESH, Skb
from hopback.frames.build import arp_probe
from hopback.frames.ethernet import Frame
from hopback.frames.mac import Mac, parse_mac
from hopback.frames.raw import Raw
from tests.build import (
    GUEST0,
    GUEST1,
    HYPERVISOR,
    RING,
    VETH,
    dev,
    domiflist,
    link,
    links,
    model,
)

PROBE = arp_probe(parse_mac("02:00:00:00:00:99"), IPv4Address("192.0.2.1"))
MODEL = model(HYPERVISOR + domiflist(f"vnet0 br0 {GUEST0}"))


def to(dst: str) -> Frame:
    return Frame(parse_mac(dst), Mac(0x0200_0000_0099), (), 0x88B5, Raw(bytes(46)))


def only(effects: tuple[Effect, ...]) -> Effect:
    (effect,) = effects
    return effect


def test_into_a_port_is_into_its_bridge() -> None:
    effects = step(MODEL, {}, Place(dev("eth0"), "in"), PROBE)
    sent = [e.dev.name for e in effects if isinstance(e, Send)]
    assert sent == ["vnet1", "vnet0"], "newest port first"


def test_out_of_a_bridge_device_is_the_host_sending() -> None:
    effects = step(MODEL, {}, Place(dev("br0"), "out"), PROBE)
    assert {e.dev.name for e in effects if isinstance(e, Send)} == {"eth0", "vnet0", "vnet1"}


def test_out_of_a_veth_is_into_its_peer() -> None:
    effect = only(step(model(links(*RING)), {}, Place(dev("a0"), "out"), PROBE))
    assert isinstance(effect, Cross)
    assert effect.dev == dev("b0")
    assert effect.why.refs != ()


def test_out_of_a_tap_is_into_the_guest() -> None:
    (station,) = MODEL.network.stations
    effect = only(step(MODEL, {}, Place(dev("vnet0"), "out"), to(GUEST0)))
    assert isinstance(effect, Deliver)
    assert (effect.dev, effect.packet_type) == (nic_of(station), "host")
    other = only(step(MODEL, {}, Place(dev("vnet0"), "out"), to("02:00:00:00:00:77")))
    assert isinstance(other, Deliver)
    assert other.packet_type == "otherhost"


def test_out_of_anything_else_is_beyond_the_tables() -> None:
    effect = only(step(MODEL, {}, Place(dev("eth0"), "out"), PROBE))
    assert isinstance(effect, Leave)


def test_an_uplink_that_returns_what_it_gets() -> None:
    world = {uplink_question(dev("eth0")): "returns"}
    effects = step(MODEL, world, Place(dev("eth0"), "out"), PROBE)
    assert [type(e) for e in effects] == [Leave, Cross]
    assert isinstance(effects[1], Cross)
    assert effects[1].dev == dev("eth0")


def test_into_a_device_that_is_nobody_s_port() -> None:
    lone = model(links(link(2, "eth0", "0c:c4:7a:00:00:01")))
    at = Place(dev("eth0"), "in")
    for target, kind in (("0c:c4:7a:00:00:01", "host"), ("02:00:00:00:00:77", "otherhost")):
        effect = only(step(lone, {}, at, to(target)))
        assert isinstance(effect, Deliver)
        assert effect.packet_type == kind


def test_into_a_leg_of_something_that_is_not_modelled() -> None:
    bond = model(
        links(
            link(2, "eth0", "0c:c4:7a:00:00:01", master="bond0"),
            link(3, "bond0", "0c:c4:7a:00:00:01", "bond mode 802.3ad"),
        )
    )
    effect = only(step(bond, {}, Place(dev("eth0"), "in"), PROBE))
    assert isinstance(effect, Blind)
    assert effect.what == "eth0 is a leg of bond0"


def test_a_station_in_a_namespace_is_the_far_end_itself() -> None:
    text = links(
        link(3, "br0", "02:00:00:00:0a:01", "bridge stp_state 0"),
        link(4, "v@if2", "02:00:00:00:0a:02", VETH, master="br0", port="", extra=" link-netns pod"),
    ) + links(link(2, "eth0@if4", GUEST0, VETH, extra=" link-netnsid 0"), netns="pod")
    inside = dev("eth0", netns="pod")
    (station,) = model(text).network.stations
    assert nic_of(station) == inside
    effect = only(step(model(text), {}, Place(dev("v"), "out"), PROBE))
    assert isinstance(effect, Cross)
    assert effect.dev == inside
    assert isinstance(only(step(model(text), {}, Place(inside, "out"), PROBE)), Cross)


MARKED = Skb(mark=7, physin="eth9")


def skb_after(text: str, at: Place) -> Skb:
    effect = only(step(model(text), {}, at, PROBE, MARKED))
    assert isinstance(effect, Cross | Send)
    return effect.skb


def test_what_travels_beside_a_frame_goes_on_by_a_vlan_device() -> None:
    text = links(
        link(2, "eth0", "0c:c4:7a:00:00:01"),
        link(3, "eth0.5@eth0", "0c:c4:7a:00:00:01", "vlan protocol 802.1Q id 5 <REORDER_HDR>"),
    )
    assert skb_after(text, Place(dev("eth0.5"), "out")) == MARKED


def test_a_veth_pair_leaves_the_mark_and_another_namespace_nothing() -> None:
    assert skb_after(links(*RING), Place(dev("a0"), "out")) == Skb(mark=7)
    text = links(link(4, "v@if2", GUEST0, VETH, extra=" link-netns pod")) + links(
        link(2, "eth0@if4", GUEST1, VETH, extra=" link-netnsid 0"), netns="pod"
    )
    assert skb_after(text, Place(dev("v"), "out")) == FRESH
