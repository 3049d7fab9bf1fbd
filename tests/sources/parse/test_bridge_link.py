"""``bridge link``, old and new, text and JSON."""

import pytest

from hopback.snapshot.rows import BridgePort, Link
from hopback.sources.parse import bridge_link
from tests.sources.parse.given import facts, listing, pasted, recorded, rows


@pytest.mark.parametrize("host", ["libvirt", "vm61-iproute"])
def test_text_and_json_tell_the_same(host: str) -> None:
    text = bridge_link.parse(recorded(f"{host}/bridge-d-link.txt"))
    json = bridge_link.parse(recorded(f"{host}/bridge-d-j-link.json"))
    assert [facts(row) for row in text.rows] == [facts(row) for row in json.rows]
    assert not text.problems
    assert not json.problems


def test_recorded_ports() -> None:
    parsed = bridge_link.parse(recorded("vm61-iproute/bridge-d-link.txt"))
    ports = rows(parsed, BridgePort)
    assert [(p.name, p.bridge, p.state, p.hairpin, p.isolated) for p in ports] == [
        ("bond0", "br0", "forwarding", False, False),
        ("v0", "br0", "forwarding", True, True),
        ("vx", "br0", "forwarding", False, False),
        ("tap0", "br0", "disabled", False, False),
    ]
    assert [port.vlan_tunnel for port in ports] == [False, False, True, False]
    links = rows(parsed, Link)
    assert [(link.index, link.up, link.carrier) for link in links][-1] == (12, True, False)
    assert {(link.port_of, link.master) for link in links} == {("bridge", "br0")}


def test_without_details_no_flag_is_known() -> None:
    ports = rows(bridge_link.parse(recorded("vm61-iproute/bridge-link.txt")), BridgePort)
    assert len(ports) == 4
    assert {(port.hairpin, port.learning, port.isolated) for port in ports} == {(None, None, None)}


def test_dialect_of_2014() -> None:
    parsed = bridge_link.parse(
        listing("""
            5: vnet0 state UNKNOWN : <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 master br0 state forwarding priority 32 cost 100
                hairpin on guard off root_block off fastleave off learning on flood on
            6: veth1 state UP @veth0: <BROADCAST,UP,LOWER_UP> mtu 1500 master br0 state blocking priority 32 cost 2
            7: eth0 state UP : <BROADCAST,UP,LOWER_UP> mtu 1500 hwmode VEB
        """)  # noqa: E501
    )
    found = rows(parsed, BridgePort)
    assert [(p.name, p.state, p.hairpin, p.cost) for p in found] == [
        ("vnet0", "forwarding", True, 100),
        ("veth1", "blocking", None, 2),
    ]
    assert [(link.name, link.lower, link.port_of) for link in rows(parsed, Link)] == [
        ("vnet0", None, "bridge"),
        ("veth1", "veth0", "bridge"),
        ("eth0", None, None),
    ]
    assert not parsed.problems


def test_prose_and_strays() -> None:
    text = """
        5: vnet0: <BROADCAST,UP> mtu 1500 master br0 state forwarding priority 32 cost 100
        and so on
    """
    assert len(bridge_link.parse(pasted(text)).rows) == 2
    assert not bridge_link.parse(pasted(text)).problems
    assert [problem.line for problem in bridge_link.parse(listing(text)).problems] == [2]


def test_shape() -> None:
    assert bridge_link.SHAPE is not None
    for name in ("bridge-link.txt", "bridge-d-j-link.json"):
        assert bridge_link.SHAPE.match(recorded(f"vm61-iproute/{name}").lines[0]), name
    for name in ("ip-link.txt", "ip-6-addr.txt", "ip-d-j-link.json"):
        assert not bridge_link.SHAPE.match(recorded(f"vm61-iproute/{name}").lines[0]), name
