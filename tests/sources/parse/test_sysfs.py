"""sysfs values in all the forms in which people show them."""

import pytest

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import Bond, BondLeg, Bridge, BridgePort, UnnamedPort, Unread
from hopback.sources.parse import sysfs
from tests.sources.parse.given import facts, listing, pasted, recorded, rows


def test_device_in_the_file_name() -> None:
    parsed = sysfs.parse(recorded("libvirt/sysfs-brport-vnet7.txt"))
    ports = rows(parsed, BridgePort)
    assert {port.name for port in ports} == {"vnet7"}
    merged: dict[str, object] = {}
    for port in ports:
        merged |= facts(port)
    assert merged == {
        "name": "vnet7",
        "hairpin": True,
        "learning": True,
        "state": "forwarding",
        "flood": True,
        "mcast_flood": True,
        "bcast_flood": True,
        "isolated": False,
        "number": 1,
        "proxyarp": False,
    }
    assert next(port for port in ports if port.hairpin).cite.line == 1
    assert not parsed.problems


def test_device_with_dashes_in_the_file_name() -> None:
    text = listing("hairpin_mode 1")._replace(command=("sysfs", "brport", "tap0b5f208b", "76"))
    assert [port.name for port in rows(sysfs.parse(text), BridgePort)] == ["tap0b5f208b-76"]


def test_recorded_bonding() -> None:
    parsed = sysfs.parse(recorded("vm61-bond/sysfs-bonding.txt"))
    assert [facts(row) for row in rows(parsed, Bond)] == [
        {"name": "bond0", "mode": "balance-xor"},
        {"name": "bond0", "xmit_hash_policy": "layer3+4"},
        {"name": "bond0", "all_slaves_active": False},
    ]
    assert [(leg.name, leg.bond) for leg in rows(parsed, BondLeg)] == [
        ("b0", "bond0"),
        ("b1", "bond0"),
    ]
    assert not parsed.problems


@pytest.mark.parametrize(
    ("line", "bridge"),
    [
        ("/sys/class/net/vnet0/brport/hairpin_mode:1", None),
        ("/sys/class/net/br0/brif/vnet0/hairpin_mode:1", "br0"),
        ("/sys/devices/virtual/net/vnet0/brport/hairpin_mode:1", None),
        ("/sys/devices/virtual/net/br0/brif/vnet0/hairpin_mode = 1", "br0"),
        ("/sys/class/net/vnet0/brport/hairpin_mode 1", None),
        ("./vnet0/brport/hairpin_mode:1", None),
    ],
)
def test_path_and_value(line: str, bridge: str | None) -> None:
    assert sysfs.SHAPE is not None
    assert sysfs.SHAPE.match(line)
    (port,) = rows(sysfs.parse(pasted(f"look at this:\n{line}")), BridgePort)
    assert (port.name, port.hairpin, port.bridge, port.cite.line) == ("vnet0", True, bridge, 2)


def test_bridge_values_have_units() -> None:
    parsed = sysfs.parse(
        listing(
            """
            /sys/class/net/br0/bridge/ageing_time:30000
            /sys/class/net/br0/bridge/forward_delay:1500
            /sys/class/net/br0/bridge/stp_state:0
            /sys/class/net/br0/bridge/group_fwd_mask:0x8
            /sys/class/net/br0/mtu:1500
            """
        )
    )
    assert [facts(row) for row in rows(parsed, Bridge)] == [
        {"name": "br0", "ageing_time": 300 * 10**9},
        {"name": "br0", "forward_delay": 15 * 10**9},
        {"name": "br0", "stp": False},
        {"name": "br0", "group_fwd_mask": 8},
    ]
    assert not parsed.problems


def test_lone_values_in_the_order_of_their_paths() -> None:
    command = "cat /sys/class/net/a/brport/hairpin_mode /sys/class/net/b/brport/state"
    parsed = sysfs.parse(pasted("0\n3", command))
    assert [facts(row) for row in parsed.rows] == [
        {"name": "a", "hairpin": False},
        {"name": "b", "state": "forwarding"},
    ]


def test_lone_mode_of_a_bond() -> None:
    parsed = sysfs.parse(listing("broadcast 3", "cat /sys/class/net/bond0/bonding/mode"))
    assert [facts(row) for row in parsed.rows] == [{"name": "bond0", "mode": "broadcast"}]


def test_leg_of_a_bond() -> None:
    parsed = sysfs.parse(
        listing(
            """
            /sys/class/net/eth1/bonding_slave/state:backup
            /sys/class/net/eth1/bonding_slave/mii_status:up
            /sys/class/net/eth1/bonding_slave/perm_hwaddr:02:00:00:00:00:01
            /sys/class/net/eth1/bonding_slave/ad_actor_oper_port_state:7
            """
        )
    )
    assert [facts(row) for row in rows(parsed, BondLeg)] == [
        {"name": "eth1", "active": False},
        {"name": "eth1", "mii_up": True},
        {"name": "eth1", "perm_mac": parse_mac("02:00:00:00:00:01")},
        {"name": "eth1", "actor_state": 7},
    ]


@pytest.mark.parametrize(("values", "unread"), [("0\n0\n0", 0), ("0\n1\n0", 1)])
def test_values_of_a_glob_cannot_be_assigned(values: str, unread: int) -> None:
    command = "cat /sys/devices/virtual/net/br0/brif/veth*/hairpin_mode"
    parsed = sysfs.parse(pasted(values, command))
    assert not rows(parsed, BridgePort)
    assert [("br0", value == "1") for value in values.split()] == [
        (row.bridge, row.hairpin) for row in rows(parsed, UnnamedPort)
    ]
    assert len(rows(parsed, Unread)) == unread
    (problem,) = parsed.problems
    assert "grep ." in problem.message


def test_damaged_values_make_no_rows() -> None:
    parsed = sysfs.parse(
        listing(
            """
            /sys/class/net/vnet0/brport/hairpin_mode:
            /sys/class/net/vnet0/brport/state:99
            /sys/class/net/vnet0/brport/port_no:0xzz
            """
        )
    )
    assert not parsed.rows


def test_writing_to_sysfs_is_no_value() -> None:
    assert sysfs.SHAPE is not None
    assert not sysfs.SHAPE.match("echo 0 > /sys/class/net/br0/brif/vnet0/hairpin_mode")
