"""VLAN devices: who takes a frame first, and what goes down to the device below."""

from msgspec.structs import replace

from hopback.datapath.effects import Cross, Deliver, Effect, Place, Send
from hopback.datapath.path import entrance, outlet, step
from hopback.frames.ethernet import DOT1AD, Frame, Vlan
from hopback.frames.mac import BROADCAST, Mac, format_mac
from hopback.frames.raw import Raw
from tests.build import TUN, dev, link, links, listing, model

BRIDGE = "bridge stp_state 0"
UNTAGGED = Frame(BROADCAST, Mac(0x0200_0000_0099), (), 0x88B5, Raw(bytes(46)))
TAGGED = replace(UNTAGGED, tags=(Vlan(2222, pcp=3),))

HOST = links(
    link(2, "eth0", "0c:c4:7a:00:00:0a", master="bond0"),
    link(3, "eth1", "0c:c4:7a:00:00:0a", master="bond0"),
    link(4, "bond0", "0c:c4:7a:00:00:0a", "bond mode active-backup", master="br1", port=""),
    link(
        5,
        "bond0.2222@bond0",
        "0c:c4:7a:00:00:0a",
        "vlan protocol 802.1Q id 2222 <REORDER_HDR>",
        master="br0",
        port="",
    ),
    link(6, "br0", "0c:c4:7a:00:00:0a", BRIDGE),
    link(7, "br1", "0c:c4:7a:00:00:0a", BRIDGE),
    link(8, "vnet0", "fe:54:00:00:00:01", TUN, master="br0", port=""),
) + listing(
    "cat /proc/net/bonding/bond0",
    [
        "Ethernet Channel Bonding Driver: v6.1.0",
        "Bonding Mode: fault-tolerance (active-backup)",
        "Currently Active Slave: eth1",
        "Slave Interface: eth0",
        "MII Status: up",
        "Slave Interface: eth1",
        "MII Status: up",
    ],
)
MODEL = model(HOST)


def at(name: str, way: str, frame: Frame) -> tuple[Effect, ...]:
    return step(MODEL, {}, Place(dev(name), "in" if way == "in" else "out"), frame)


def test_it_takes_its_vlan_before_the_bridge_of_the_device_below() -> None:
    (effect,) = at("bond0", "in", TAGGED)
    assert isinstance(effect, Cross)
    assert (effect.dev, effect.frame) == (dev("bond0.2222"), UNTAGGED)
    for other in (UNTAGGED, replace(UNTAGGED, tags=(Vlan(2222, tpid=DOT1AD),))):
        assert any(isinstance(e, Deliver) and e.dev == dev("br1") for e in at("bond0", "in", other))


def test_what_it_sends_goes_down_with_its_tag_outermost() -> None:
    (effect,) = at("bond0.2222", "out", replace(UNTAGGED, tags=(Vlan(7),)))
    assert isinstance(effect, Send)
    assert effect.dev == dev("bond0")
    assert [tag.vid for tag in effect.frame.tags] == [2222, 7]


def test_the_way_in_is_the_way_out_backwards() -> None:
    place, frame = entrance(MODEL, dev("bond0.2222"), UNTAGGED)
    assert place == Place(dev("eth1"), "in"), "the active leg"
    assert [tag.vid for tag in frame.tags] == [2222]
    assert entrance(MODEL, dev("vnet0"), UNTAGGED) == (Place(dev("vnet0"), "in"), UNTAGGED)


def test_what_lies_beyond_is_asked_of_the_bond_as_a_whole() -> None:
    assert {outlet(MODEL, dev(name)) for name in ("bond0.2222", "bond0", "eth0")} == {dev("bond0")}


def test_what_the_device_below_takes_for_its_own_is_its_vlan_device_s_too() -> None:
    """vlan_do_receive adds the VLAN device's own address, and takes none away."""
    lower, own, stranger = (Mac(0x0200_0000_0700 + i) for i in range(3))
    below = model(
        links(
            link(2, "eth0", format_mac(lower)),
            link(3, "eth0.7@eth0", format_mac(own), "vlan protocol 802.1Q id 7 <REORDER_HDR>"),
        )
    )
    types = {}
    for target in (lower, own, stranger):
        frame = replace(UNTAGGED, dst=target)
        (effect,) = step(below, {}, Place(dev("eth0.7"), "in"), frame)
        assert isinstance(effect, Deliver)
        types[target] = effect.packet_type
    assert types == {lower: "host", own: "host", stranger: "otherhost"}


def test_devices_that_stand_on_each_other_are_none() -> None:
    """Listings from before and after a change of names: a walk down would never end."""
    circular = model(
        links(
            link(2, "a@b", "0c:c4:7a:00:00:0a", "vlan protocol 802.1Q id 5", master="br0", port=""),
            link(3, "b@a", "0c:c4:7a:00:00:0a", "vlan protocol 802.1Q id 6"),
            link(4, "c@a", "0c:c4:7a:00:00:0a", "vlan protocol 802.1Q id 7"),
            link(5, "br0", "0c:c4:7a:00:00:0a", BRIDGE),
        )
    )
    assert not circular.vlans.by_id
    assert outlet(circular, dev("a")) == dev("a")
