"""/proc/net/bonding: static and LACP bonds, and where the name of a bond can come from."""

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import Bond, BondLeg
from hopback.sources.parse import bonding
from tests.sources.parse.given import facts, listing, pasted, recorded, rows


def test_recorded_xor() -> None:
    parsed = bonding.parse(recorded("vm61-bond/proc-net-bonding-bond0.txt"))
    assert [facts(row) for row in rows(parsed, Bond)] == [
        {"name": "bond0", "mode": "balance-xor", "xmit_hash_policy": "layer3+4"}
    ]
    assert [facts(row) for row in rows(parsed, BondLeg)] == [
        {
            "name": "b0",
            "bond": "bond0",
            "mii_up": True,
            "perm_mac": parse_mac("62:e9:db:a0:90:f3"),
        },
        {
            "name": "b1",
            "bond": "bond0",
            "mii_up": True,
            "perm_mac": parse_mac("96:28:71:6a:3c:98"),
        },
    ]
    assert not parsed.problems


LACP = """
    Ethernet Channel Bonding Driver: v5.10.0

    Bonding Mode: IEEE 802.3ad Dynamic link aggregation
    Transmit Hash Policy: layer2 (0)
    MII Status: up
    802.3ad info
    LACP rate: slow
    Active Aggregator Info:
    \tAggregator ID: 1
    \tNumber of ports: 1
    \tPartner Mac Address: 02:00:00:00:0a:01

    Slave Interface: eth0
    MII Status: up
    Permanent HW addr: 02:00:00:00:00:01
    Aggregator ID: 1
    Actor Churn State: none
    details actor lacp pdu:
        system priority: 65535
        system mac address: 02:00:00:00:00:01
        port state: 61
    details partner lacp pdu:
        system mac address: 02:00:00:00:0a:01
        port state: 63

    Slave Interface: eth1
    MII Status: down
    Aggregator ID: 2
    details actor lacp pdu:
        port state: 7
    details partner lacp pdu:
        system mac address: 02:00:00:00:0b:01
        port state: 15
"""


def test_lacp_states_and_partners() -> None:
    parsed = bonding.parse(listing(LACP, "cat /proc/net/bonding/bond1"))
    (bond,) = rows(parsed, Bond)
    assert (bond.name, bond.mode, bond.active_aggregator) == ("bond1", "802.3ad", 1)
    assert bond.partner_mac == parse_mac("02:00:00:00:0a:01")
    one, two = rows(parsed, BondLeg)
    assert (one.aggregator, one.actor_state, one.partner_state, one.mii_up) == (1, 61, 63, True)
    assert (two.aggregator, two.actor_state, two.partner_state, two.mii_up) == (2, 7, 15, False)
    assert two.partner_mac == parse_mac("02:00:00:00:0b:01")
    assert one.active is None
    assert not parsed.problems


BACKUP = """
    Ethernet Channel Bonding Driver: v3.4.0 (October 7, 2008)

    Bonding Mode: fault-tolerance (active-backup) (fail_over_mac active)
    Primary Slave: None
    Currently Active Slave: eth1
    MII Status: up

    Slave Interface: eth0
    MII Status: up

    Slave Interface: eth1
    MII Status: up
"""


def test_active_backup_tells_which_leg_is_used() -> None:
    parsed = bonding.parse(pasted(BACKUP, "cat /proc/net/bonding/bond0"))
    (bond,) = rows(parsed, Bond)
    assert (bond.mode, bond.active_slave) == ("active-backup", "eth1")
    assert [(leg.name, leg.active) for leg in rows(parsed, BondLeg)] == [
        ("eth0", False),
        ("eth1", True),
    ]


def test_two_bonds_under_their_file_names() -> None:
    text = "==> /proc/net/bonding/b1 <==\n{0}\n==> /proc/net/bonding/b2 <==\n{0}"
    body = "Ethernet Channel Bonding Driver: v6\nBonding Mode: load balancing (round-robin)"
    parsed = bonding.parse(listing(text.format(body), "head /proc/net/bonding/*"))
    assert [(bond.name, bond.mode) for bond in rows(parsed, Bond)] == [
        ("b1", "balance-rr"),
        ("b2", "balance-rr"),
    ]


def test_prefix_of_grep() -> None:
    parsed = bonding.parse(
        pasted(
            """
            /proc/net/bonding/b7:Bonding Mode: adaptive load balancing
            /proc/net/bonding/b7:Slave Interface: eth0
            /proc/net/bonding/b7:MII Status: going down
            """
        )
    )
    assert [(bond.name, bond.mode) for bond in rows(parsed, Bond)] == [("b7", "balance-alb")]
    assert [(leg.bond, leg.mii_up) for leg in rows(parsed, BondLeg)] == [("b7", False)]


def test_bond_without_a_name_is_a_problem_and_keeps_its_legs() -> None:
    parsed = bonding.parse(pasted(BACKUP))
    assert not rows(parsed, Bond)
    assert [(leg.name, leg.bond) for leg in rows(parsed, BondLeg)] == [
        ("eth0", None),
        ("eth1", None),
    ]
    assert [problem.line for problem in parsed.problems] == [1]
