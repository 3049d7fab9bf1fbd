"""Devices of kinds that not every kernel has.

The bytes are built here after the layouts of ``include/uapi/linux/if_link.h``; no kernel sent them.
"""

import struct

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import Blind, Bond, BondLeg, Fdb, Link, PortVlan, VlanDevice, Vrf
from hopback.snapshot.table import Cite
from hopback.sources.live import fdb, links, members
from hopback.sources.live.netlink import pack_attribute as a
from hopback.sources.live.reading import Names, Origin

MAC = bytes.fromhex("0200000000aa")


def u8(value: int) -> bytes:
    return struct.pack("=B", value)


def u16(value: int) -> bytes:
    return struct.pack("=H", value)


def u32(value: int) -> bytes:
    return struct.pack("=I", value)


def newlink(index: int, name: str, *rest: bytes) -> bytes:
    return (
        struct.pack("=BxHiII", 0, 1, index, 0x1, 0) + a(3, name.encode() + b"\0") + b"".join(rest)
    )


def decode(*messages: bytes) -> list[object]:
    return list(links.decode(Origin(0, "", links.names(messages)), messages))


def test_vrf() -> None:
    info = a(18, a(1, b"vrf\0") + a(2, a(1, u32(10))))
    found = decode(newlink(5, "red", info), newlink(6, "eth0", a(10, u32(5))))
    assert [row for row in found if isinstance(row, Vrf)] == [
        Vrf(cite=Cite(0, 1), dev="red", table="10")
    ]


def test_bond_and_leg() -> None:
    """Mode and hash by name, the active leg by name, LACP state bits."""
    lacp = a(1, u16(2)) + a(5, MAC)
    data = a(1, u8(4)) + a(2, u32(3)) + a(14, u8(1)) + a(17, u8(0)) + a(23, lacp)
    slave = a(1, u8(1)) + a(2, u8(0)) + a(4, MAC) + a(6, u16(2)) + a(7, u8(0x3D)) + a(8, u16(0x3F))
    rows = decode(
        newlink(2, "bond0", a(18, a(1, b"bond\0") + a(2, data))),
        newlink(3, "eth0", a(10, u32(2)), a(18, a(4, b"bond\0") + a(5, slave))),
    )
    (bond,) = (row for row in rows if isinstance(row, Bond))
    (leg,) = (row for row in rows if isinstance(row, BondLeg))
    mac = parse_mac("02:00:00:00:00:aa")
    assert (bond.name, bond.mode, bond.xmit_hash_policy) == ("bond0", "802.3ad", "layer3+4")
    assert (bond.active_slave, bond.all_slaves_active) == ("eth0", False)
    assert (bond.active_aggregator, bond.partner_mac) == (2, mac)
    assert (leg.name, leg.bond, leg.active, leg.mii_up) == ("eth0", "bond0", False, True)
    assert (leg.aggregator, leg.actor_state, leg.partner_state) == (2, 0x3D, 0x3F)
    assert (leg.perm_mac, leg.partner_mac) == (mac, None)


def test_what_a_bond_does_not_say_is_none() -> None:
    """No active leg in modes without one, no aggregator outside 802.3ad."""
    (_, bond) = decode(newlink(2, "bond0", a(18, a(1, b"bond\0") + a(2, a(1, u8(0))))))
    assert isinstance(bond, Bond)
    assert bond.mode == "balance-rr"
    assert (bond.active_slave, bond.active_aggregator, bond.all_slaves_active) == (None, None, None)


def test_vlan() -> None:
    """VLAN id, protocol and the device below."""
    data = a(1, u16(2222)) + a(5, b"\x88\xa8")
    rows = decode(
        newlink(2, "bond0"),
        newlink(5, "bond0.2222", a(5, u32(2)), a(18, a(1, b"vlan\0") + a(2, data))),
    )
    (vlan,) = (row for row in rows if isinstance(row, VlanDevice))
    assert (vlan.name, vlan.vid, vlan.lower, vlan.protocol) == (
        "bond0.2222",
        2222,
        "bond0",
        "802.1ad",
    )
    assert [row.lower for row in rows if isinstance(row, Link)] == ["", "bond0"]


def test_a_lower_device_in_another_namespace_is_not_named() -> None:
    """Its index means nothing here."""
    data = a(1, u16(7)) + a(5, b"\x81\x00")
    info = a(18, a(1, b"vlan\0") + a(2, data))
    (link, vlan) = decode(newlink(2, "v7", a(5, u32(2)), a(37, struct.pack("=i", 0)), info))
    assert isinstance(link, Link)
    assert isinstance(vlan, VlanDevice)
    assert (link.lower, link.lower_index, link.lower_netnsid, vlan.lower) == (None, 2, 0, None)


def test_blind_spots() -> None:
    """XDP, virtual functions, hardware switches and Open vSwitch; not their absence."""
    rows = decode(
        newlink(2, "a", a(43, a(2, u8(2)))),
        newlink(3, "b", a(21, u32(4))),
        newlink(4, "c", a(36, b"\x01\x02")),
        newlink(5, "d", a(18, a(1, b"openvswitch\0"))),
        newlink(6, "e", a(18, a(4, b"openvswitch\0"))),
        newlink(7, "f", a(43, a(2, u8(0))), a(21, u32(0))),
    )
    assert [(row.dev, row.what) for row in rows if isinstance(row, Blind)] == [
        ("a", "XDP"),
        ("b", "SR-IOV"),
        ("c", "switchdev"),
        ("d", "Open vSwitch"),
        ("e", "Open vSwitch"),
    ]
    assert [row.xdp for row in rows if isinstance(row, Link)] == [True] + [False] * 5


def test_a_tunnel_has_no_mac() -> None:
    """IFLA_ADDRESS of an IP tunnel is four bytes."""
    (link,) = decode(newlink(2, "tunl0", a(1, bytes(4))))
    assert isinstance(link, Link)
    assert link.mac is None


def neigh(index: int, state: int, flags: int, *rest: bytes) -> bytes:
    return struct.pack("=BxxxiHBB", 7, index, state, flags, 0) + b"".join(rest)


def rows_of(*messages: bytes) -> list[Fdb]:
    return fdb.decode(Origin(3, "x", Names({1: "br0", 2: "p0", 9: "vx"})), messages)


def test_fdb_vlan_offload_and_tunnel_remote() -> None:
    """Attributes that a bridge without VLANs and hardware never sends."""
    tagged = neigh(
        2, 0x2, 0x30, a(2, MAC), a(9, u32(1)), a(3, struct.pack("=4I", 1, 2, 3, 0)), a(5, u16(42))
    )
    tunnel = neigh(9, 0x80, 0x02, a(2, MAC), a(1, bytes([192, 0, 2, 1])))
    (first, second) = rows_of(tagged, tunnel)
    assert (first.vlan, first.offload, first.extern_learn) == (42, True, True)
    assert (first.dev, first.bridge, first.age, first.cite) == ("p0", "br0", 30_000_000, Cite(3, 1))
    assert (second.dst, second.on_device, second.local) == ("192.0.2.1", True, True)
    assert (second.bridge, second.age, second.netns, second.cite) == (None, None, "x", Cite(3, 2))


def test_fdb_entry_that_sends_to_another_vni() -> None:
    """Only such an entry of a VXLAN device carries NDA_VNI."""
    own = neigh(9, 0x80, 0x02, a(2, MAC), a(1, bytes([192, 0, 2, 1])))
    other = neigh(9, 0x80, 0x02, a(2, MAC), a(1, bytes([192, 0, 2, 1])), a(7, u32(77)))
    assert [row.vni for row in rows_of(own, other)] == [None, 77]


def test_fdb_messages_of_one_length_may_differ_in_layout() -> None:
    """A remembered layout is checked, not trusted."""
    one = neigh(2, 0x2, 0, a(2, MAC), a(9, u32(1)))
    other = neigh(2, 0x2, 0, a(9, u32(1)), a(2, MAC))
    assert len(one) == len(other)
    assert len({(row.mac, row.bridge) for row in rows_of(one, other, one)}) == 1


def test_fdb_entry_of_a_device_that_has_just_come() -> None:
    """It is not in the dump of devices; iproute2 writes the index."""
    (row,) = rows_of(neigh(77, 0x2, 0, a(2, MAC), a(9, u32(78))))
    assert (row.dev, row.bridge) == ("if77", "if78")


def test_fdb_without_a_mac_gives_no_row() -> None:
    """Twenty bytes of InfiniBand are none; the next message keeps its line."""
    rows = rows_of(neigh(2, 0x80, 2, a(2, bytes(20))), neigh(2, 0x80, 2, a(2, MAC)))
    assert [row.cite.line for row in rows] == [2]


def test_port_vlans() -> None:
    """IFLA_AF_SPEC repeats one attribute for each VLAN."""
    vlans = a(2, struct.pack("=HH", 6, 1)) + a(2, struct.pack("=HH", 0, 22))
    message = newlink(2, "p0", a(26, vlans))
    rows = list(members.decode_vlans(Origin(0, "", Names({2: "p0"})), [message]))
    assert [(r.dev, r.vid, r.pvid, r.untagged) for r in rows] == [
        ("p0", 1, True, True),
        ("p0", 22, False, False),
    ]
    assert all(isinstance(row, PortVlan) for row in rows)
