"""``bridge vlan``, old and new, text and JSON."""

import pytest

from hopback.snapshot.rows import PortVlan
from hopback.sources.parse import bridge_vlan
from tests.sources.parse.given import facts, listing, recorded, rows


def vlans(name: str) -> list[tuple[object, ...]]:
    parsed = bridge_vlan.parse(recorded(name))
    assert not parsed.problems
    found = [facts(row) for row in rows(parsed, PortVlan)]
    return sorted(tuple(said.values()) for said in found)


@pytest.mark.parametrize(
    "name",
    [
        "bridge-j-vlan.json",
        "bridge-d-vlan.txt",
        "bridge-d-j-vlan.json",
        "bridge-s-vlan.txt",
        "bridge-s-j-vlan.json",
        "bridge-compressvlans-vlan.txt",
        "bridge-j-compressvlans-vlan.json",
    ],
)
def test_dialects_tell_the_same(name: str) -> None:
    assert vlans(f"vm61-iproute/{name}") == vlans("vm61-iproute/bridge-vlan.txt")


def test_recorded_vlans() -> None:
    found = vlans("vm61-iproute/bridge-vlan.txt")
    assert ("v0", 1, False, True) in found
    assert ("v0", 99, True, True) in found
    assert [vid for dev, vid, *_ in found if dev == "v0"] == [1, *range(10, 21), 99]
    assert ("br0", 10, False, False) in found


def test_bond_fixture() -> None:
    assert vlans("vm61-bond/bridge-vlan.txt") == vlans("vm61-bond/bridge-d-j-vlan.json")


def test_dialect_of_2014() -> None:
    parsed = bridge_vlan.parse(
        listing("port\tvlan ids\nvnet0\t 1 PVID Egress Untagged\n\t 10\n\ndocker0\tNone\nbr0\t 2\n")
    )
    assert [(row.dev, row.vid, row.pvid) for row in rows(parsed, PortVlan)] == [
        ("vnet0", 1, True),
        ("vnet0", 10, False),
        ("br0", 2, False),
    ]
    assert not parsed.problems


def test_json_of_2017_has_ports_as_keys() -> None:
    parsed = bridge_vlan.parse(
        listing('{"vnet0":[{"vlan":1,"flags":["PVID","Egress Untagged"]},{"vlan":5,"vlanEnd":6}]}')
    )
    assert [(row.dev, row.vid, row.pvid, row.untagged) for row in rows(parsed, PortVlan)] == [
        ("vnet0", 1, True, True),
        ("vnet0", 5, False, False),
        ("vnet0", 6, False, False),
    ]


@pytest.mark.parametrize("name", ["bridge-vlan-global.txt", "bridge-vlan-tunnelshow.txt"])
def test_other_tables_of_vlans_are_no_ports(name: str) -> None:
    parsed = bridge_vlan.parse(recorded(f"vm61-iproute/{name}"))
    assert not parsed.rows
    assert len(parsed.problems) == 1


def test_impossible_vlans_are_problems() -> None:
    parsed = bridge_vlan.parse(listing("port vlan-id\nv0  4095\n    30-10\n    7\nwhat is this"))
    assert [row.vid for row in rows(parsed, PortVlan)] == [7]
    assert [problem.line for problem in parsed.problems] == [2, 3, 5]


def test_dump_that_failed_is_not_an_empty_table() -> None:
    """A kernel without VLAN filtering answers with an error after the first bracket."""
    parsed = bridge_vlan.parse(recorded("libvirt/bridge-d-j-vlan.json"))
    assert not parsed.rows
    assert len(parsed.problems) == 1


def test_shape() -> None:
    assert bridge_vlan.SHAPE is not None
    for name in ("bridge-vlan.txt", "bridge-s-vlan.txt", "bridge-j-vlan.json"):
        assert bridge_vlan.SHAPE.match(recorded(f"vm61-iproute/{name}").lines[0]), name
    tunnels = recorded("vm61-iproute/bridge-vlan-tunnelshow.txt").lines[0]
    assert not bridge_vlan.SHAPE.match(tunnels)
