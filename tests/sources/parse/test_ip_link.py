"""``ip link``: dialects, details, and text against JSON."""

import pytest

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import Blind, Bond, BondLeg, Bridge, BridgePort, Link, VlanDevice, Vrf
from hopback.sources.parse import ip_link
from tests.sources.parse.given import facts, listing, pasted, recorded, rows

# With a namespace's name at hand, the text prints it in place of the id that JSON keeps.
NAMESPACE = ("peer_netns", "lower_netnsid")


def told(name: str) -> list[dict[str, object]]:
    parsed = ip_link.parse(recorded(name))
    assert not parsed.problems
    found = []
    for row in parsed.rows:
        said = {key: value for key, value in facts(row).items() if key not in NAMESPACE}
        found.append({"row": type(row).__name__, **said})
    return found


@pytest.mark.parametrize(
    ("text", "json"),
    [
        ("libvirt/ip-d-link.txt", "libvirt/ip-d-s-j-link.json"),
        ("vm61-bond/ip-d-link.txt", "vm61-bond/ip-d-s-j-link.json"),
        ("vm61-iproute/ip-d-link.txt", "vm61-iproute/ip-d-j-link.json"),
        ("vm61-iproute/ip-d-link.txt", "vm61-iproute/ip-d-s-link.txt"),
        ("vm61-iproute/ip-d-link.txt", "vm61-iproute/ip-o-d-link.txt"),
        ("vm61-iproute/ip-link.txt", "vm61-iproute/ip-s-s-link.txt"),
        ("vm61-iproute/ip-link.txt", "vm61-iproute/ip-o-link.txt"),
        ("vm61-iproute/ip-br-link.txt", "vm61-iproute/ip-j-br-link.json"),
    ],
)
def test_text_and_json_tell_the_same(text: str, json: str) -> None:
    assert told(text) == told(json)


def test_recorded_port() -> None:
    parsed = ip_link.parse(recorded("libvirt/ip-d-link.txt"))
    ports = {row.name: row for row in rows(parsed, BridgePort)}
    assert [(p.number, p.hairpin, p.bridge) for p in ports.values()] == [
        (1, True, "vml-br"),
        (2, True, "vml-br"),
        (3, False, "vml-br"),
    ]
    assert facts(ports["vnet7"]) == {
        "name": "vnet7",
        "bridge": "vml-br",
        "number": 1,
        "state": "forwarding",
        "hairpin": True,
        "learning": True,
        "flood": True,
        "mcast_flood": True,
        "bcast_flood": True,
        "isolated": False,
        "locked": False,
        "proxyarp": False,
        "proxyarp_wifi": False,
        "neigh_suppress": False,
        "mcast_to_unicast": False,
        "mcast_router": 1,
        "group_fwd_mask": 0,
        "vlan_tunnel": False,
        "guard": False,
        "root_block": False,
        "cost": 2,
        "priority": 32,
    }


def test_recorded_bridge_and_bond() -> None:
    parsed = ip_link.parse(recorded("vm61-bond/ip-d-link.txt"))
    (bridge,) = rows(parsed, Bridge)
    assert facts(bridge) == {
        "name": "br0",
        "bridge_id": "8000.62e9dba090f3",
        "stp": False,
        "vlan_filtering": True,
        "vlan_protocol": 0x8100,
        "vlan_default_pvid": 1,
        "forward_delay": 0,
        "ageing_time": 300_000_000_000,
        "group_fwd_mask": 0,
        "mcast_snooping": True,
        "mcast_querier": False,
        "mcast_router": 1,
        "nf_call_iptables": False,
        "topology_change": False,
    }
    (bond,) = rows(parsed, Bond)
    assert (bond.mode, bond.xmit_hash_policy) == ("balance-xor", "layer3+4")
    assert bond.all_slaves_active is False
    assert [(leg.name, leg.bond, leg.active) for leg in rows(parsed, BondLeg)] == [
        ("b0", "bond0", True),
        ("b1", "bond0", True),
    ]
    (vlan,) = rows(parsed, VlanDevice)
    assert (vlan.name, vlan.vid, vlan.lower, vlan.protocol) == ("bond0.10", 10, "bond0", "802.1Q")


def test_recorded_peers() -> None:
    links = {
        row.name: row for row in rows(ip_link.parse(recorded("vm61-bond/ip-d-link.txt")), Link)
    }
    away = links["vnet0"]
    assert (away.lower, away.lower_index, away.peer_netns) == (None, 4, "G")
    assert (away.kind, away.master, away.port_of) == ("veth", "br0", "bridge")
    assert (links["tunl0"].lower, links["tunl0"].mac) == ("", None)
    assert links["mv0"].lower == "vx0"


def test_without_details_only_devices_are_told() -> None:
    parsed = ip_link.parse(recorded("vm61-iproute/ip-link.txt"))
    assert {type(row) for row in parsed.rows} == {Link}
    links = {row.name: row for row in rows(parsed, Link)}
    assert (links["v0"].promisc, links["v0"].master, links["v0"].port_of) == (True, "br0", None)
    assert (links["br0"].master, links["br0"].promisc, links["br0"].xdp) == ("", False, False)


def test_busybox_names_no_promisc() -> None:
    links = {
        row.name: row
        for row in rows(ip_link.parse(recorded("vm61-iproute/busybox-ip-link.txt")), Link)
    }
    assert (links["v0"].promisc, links["v1"].promisc) == (True, False)
    assert (links["v0"].up, links["v0"].carrier, links["v0"].master) == (True, True, "br0")


def test_dialect_of_2010() -> None:
    """No group, no mode, no kind, no vlan protocol, and a veth that does not tell its peer."""
    parsed = ip_link.parse(
        listing("""
            4: veth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc pfifo_fast state UP qlen 1000
                link/ether 02:00:00:00:00:04 brd ff:ff:ff:ff:ff:ff
                veth
            5: eth0.7@eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP
                link/ether 02:00:00:00:00:05 brd ff:ff:ff:ff:ff:ff
                vlan id 7 <REORDER_HDR>
        """)
    )
    veth, tagged = rows(parsed, Link)
    assert (veth.kind, veth.lower, veth.master) == ("veth", None, "")
    assert tagged.lower == "eth0"
    assert [facts(row) for row in rows(parsed, VlanDevice)] == [
        {"name": "eth0.7", "vid": 7, "lower": "eth0"}
    ]


def test_lacp_details() -> None:
    parsed = ip_link.parse(
        listing("""
            3: eth2: <BROADCAST,MULTICAST,SLAVE,UP> mtu 1500 qdisc mq master bond9 state UP mode DEFAULT
                link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff permaddr 02:00:00:00:00:03 promiscuity 1
                bond_slave state BACKUP mii_status DOWN perm_hwaddr 02:00:00:00:00:03 ad_aggregator_id 2 ad_actor_oper_port_state 79 ad_actor_oper_port_state_str <active> ad_partner_oper_port_state 1
            9: bond9: <BROADCAST,MULTICAST,MASTER,UP> mtu 1500 qdisc noqueue state UP mode DEFAULT
                bond mode 802.3ad active_slave eth2 all_slaves_active 1 ad_aggregator 2 ad_num_ports 1 ad_partner_mac 02:00:00:00:00:99
        """)  # noqa: E501
    )
    (leg,) = rows(parsed, BondLeg)
    assert facts(leg) == {
        "name": "eth2",
        "bond": "bond9",
        "active": False,
        "mii_up": False,
        "aggregator": 2,
        "actor_state": 79,
        "partner_state": 1,
        "perm_mac": parse_mac("02:00:00:00:00:03"),
    }
    (bond,) = rows(parsed, Bond)
    assert (bond.active_slave, bond.active_aggregator) == ("eth2", 2)
    assert bond.partner_mac == parse_mac("02:00:00:00:00:99")
    assert rows(parsed, Link)[0].perm_mac == parse_mac("02:00:00:00:00:03")


def test_blind_spots() -> None:
    parsed = ip_link.parse(
        listing("""
            2: eth0: <UP,LOWER_UP> mtu 1500 xdpgeneric/id:9 qdisc mq state UP mode DEFAULT
                link/ether 02:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff
                vf 0     link/ether 02:00:00:00:01:00 brd ff:ff:ff:ff:ff:ff, spoof checking on
            3: eth1: <UP,LOWER_UP> mtu 1500 qdisc mq master ovs-system state UP mode DEFAULT
                link/ether 02:00:00:00:00:03 brd ff:ff:ff:ff:ff:ff portname p0 switchid 00154d130d2f
                prog/xdp id 12
            4: br-int: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN mode DEFAULT
                link/ether 02:00:00:00:00:04 brd ff:ff:ff:ff:ff:ff
                openvswitch addrgenmode eui64
        """)
    )
    assert [(row.dev, row.what) for row in rows(parsed, Blind)] == [
        ("eth0", "XDP"),
        ("eth0", "SR-IOV"),
        ("eth1", "XDP"),
        ("eth1", "Open vSwitch"),
        ("eth1", "switchdev"),
        ("br-int", "Open vSwitch"),
    ]
    assert [row.xdp for row in rows(parsed, Link)] == [True, True, False]


def test_what_a_cut_hides_is_unknown() -> None:
    parsed = ip_link.parse(
        pasted("""
            This is the port:
            5: eth3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq [...]
            link/ether 02:15:5d:bf:ba:59 [...] promiscuity 1
            bridge_slave state forwarding hairpin off guard off [...] port_id 0x8002 [...]
            bridge on the other host is fine
            6: br0: <BROADCAST,MULTI
            7: br1: [...]
        """)
    )
    cut, half, nothing = rows(parsed, Link)
    assert (cut.master, cut.up, cut.mtu, cut.port_of) == (None, True, 1500, "bridge")
    assert (half.up, half.carrier, half.mtu) == (None, None, None)
    assert (nothing.name, nothing.up, nothing.master) == ("br1", None, None)
    (port,) = rows(parsed, BridgePort)
    assert (port.bridge, port.hairpin, port.number, port.learning) == (None, False, None, None)
    assert not rows(parsed, Bridge)
    assert not parsed.problems


def test_redacted_and_stray_lines_are_problems() -> None:
    parsed = ip_link.parse(
        listing("""
            $ ip link
            2: eth0: <BROADCAST,UP> mtu 1500 qdisc mq state UP mode DEFAULT
                link/ether 02:00:##:##:##:## brd ff:ff:ff:ff:ff:ff
            Dump terminated
        """)
    )
    assert sorted(problem.line for problem in parsed.problems) == [3, 4]
    assert rows(parsed, Link)[0].mac is None


def test_truncated_json_keeps_whole_objects() -> None:
    whole = recorded("vm61-iproute/ip-d-j-link.json")
    cut = whole._replace(lines=[whole.lines[0][: len(whole.lines[0]) // 2]])
    parsed = ip_link.parse(cut)
    assert len(parsed.problems) == 1
    before = ip_link.parse(whole).rows
    assert 0 < len(parsed.rows) < len(before)
    assert list(parsed.rows) == list(before[: len(parsed.rows)])


def test_invalid_json_of_old_versions() -> None:
    parsed = ip_link.parse(
        listing(
            '[{},{"ifindex":2,"ifname":"eth0","flags":["UP"],"mtu":1500},{,\n{"ifname":"eth1"}]'
        )
    )
    assert [(row.name, row.cite.line) for row in rows(parsed, Link)] == [("eth0", 1), ("eth1", 2)]
    assert [problem.line for problem in parsed.problems] == [1]


def test_json_that_was_no_text() -> None:
    parsed = ip_link.parse(listing('[{"e\udc80":1,"ifname":"eth0"},{"ifname":"eth1"}]'))
    assert [row.name for row in rows(parsed, Link)] == ["eth1"]
    assert len(parsed.problems) == 1


@pytest.mark.parametrize("name", ["vm61-iproute/ip-d-link.txt", "vm61-iproute/ip-br-link.txt"])
def test_shape(name: str) -> None:
    assert ip_link.SHAPE is not None
    assert ip_link.SHAPE.match(recorded(name).lines[0])
    assert not ip_link.SHAPE.match(recorded("vm61-iproute/ip-addr.txt").lines[0])
    assert not ip_link.SHAPE.match(recorded("vm61-iproute/bridge-link.txt").lines[0])


@pytest.mark.parametrize("name", ["ip-d-link.txt", "ip-d-j-link.json"])
def test_a_vrf_and_what_is_enslaved_to_it(name: str) -> None:
    parsed = ip_link.parse(recorded(f"vm61-iproute/{name}"))
    assert [(row.dev, row.table) for row in rows(parsed, Vrf)] == [("vrf1", "10")]
    (enslaved,) = (row for row in rows(parsed, Link) if row.name == "d0")
    assert (enslaved.master, enslaved.port_of) == ("vrf1", "vrf")
