"""bond-reflection: a static bond whose legs are not one LAG returns its own frames."""

from pathlib import Path

import pytest

from hopback.checks.diagnose import diagnose
from hopback.sources.open import open_source
from tests.build import (
    GUEST0,
    TUN,
    TWIN0,
    checks,
    cited,
    dmesg,
    domiflist,
    fdb,
    link,
    links,
    listing,
    monitor,
    only,
    own_address,
    report,
)

NAME = "bond-reflection"
FIXTURES = Path(__file__).parents[1] / "fixtures"
HOST = "0c:c4:7a:00:00:0a"
BOND = link(4, "bond0", HOST, "bond mode balance-xor", master="br0", port="")
LINKS = (
    link(2, "eth0", HOST, master="bond0"),
    link(3, "eth1", HOST, master="bond0"),
    link(5, "br0", HOST, "bridge stp_state 0"),
    link(6, "vnet0", TWIN0, TUN, master="br0", port=""),
)
OWN = dmesg(own_address("bond0", HOST))
AWAY = fdb(f"{GUEST0} dev bond0 used 3/3 master br0", f"{TWIN0} dev vnet0 master br0 permanent")

MODES = {
    "balance-rr": "load balancing (round-robin)",
    "active-backup": "fault-tolerance (active-backup)",
    "balance-xor": "load balancing (xor)",
    "broadcast": "fault-tolerance (broadcast)",
    "802.3ad": "IEEE 802.3ad Dynamic link aggregation",
    "balance-tlb": "transmit load balancing",
    "balance-alb": "adaptive load balancing",
}
REFLECTING = ("balance-rr", "balance-xor", "broadcast")


def bonding(mode: str, *, second: str = "up") -> str:
    """``/proc/net/bonding/bond0`` with two legs, the second one with or without a link."""
    lines = [
        "Ethernet Channel Bonding Driver: v6.1.0",
        f"Bonding Mode: {MODES[mode]}",
        *(["Currently Active Slave: eth0"] if mode in ("active-backup", "balance-alb") else []),
        "Slave Interface: eth0",
        "MII Status: up",
        "Slave Interface: eth1",
        f"MII Status: {second}",
    ]
    return listing("cat /proc/net/bonding/bond0", lines)


def host(mode: str, *, second: str = "up") -> str:
    return links(*LINKS, BOND.replace("balance-xor", mode)) + bonding(mode, second=second)


@pytest.mark.parametrize("mode", REFLECTING)
def test_a_static_bond_that_hears_itself(mode: str) -> None:
    given = report(host(mode) + OWN)
    finding = only(given, NAME)
    assert (finding.group, finding.severity, finding.confidence) == (
        "comes-back",
        "error",
        "likely",
    )
    assert (finding.subject, finding.details["mode"]) == ("bond0", mode)
    assert finding.details["legs"] == ["eth0", "eth1"]
    assert finding.explains == ("own-source",)
    assert "uplink-echo" not in checks(given), "the same is not said twice"
    assert given.sentence == finding.summary


@pytest.mark.parametrize("mode", sorted(set(MODES) - set(REFLECTING)))
def test_a_bond_that_keeps_one_leg_is_not_accused(mode: str) -> None:
    given = report(host(mode) + OWN)
    assert NAME not in checks(given)
    assert only(given, "uplink-echo").subject == "bond0"


def test_a_static_bond_that_hears_nothing_is_not_accused() -> None:
    assert NAME not in checks(report(host("balance-xor")))


def test_one_leg_reflects_nothing() -> None:
    given = report(host("balance-xor", second="down") + OWN)
    assert NAME not in checks(given)
    assert "uplink-echo" in checks(given)


def test_another_way_out_is_not_the_bond_s() -> None:
    wan = link(7, "eth5", "0c:c4:7a:00:00:05", master="br0", port="")
    text = links(*LINKS, BOND, wan) + bonding("balance-xor") + dmesg(own_address("eth5", HOST))
    given = report(text)
    assert NAME not in checks(given)
    assert only(given, "uplink-echo").subject == "eth5"


def test_active_backup_with_all_slaves_active() -> None:
    files = [
        "/sys/class/net/bond0/bonding/mode:active-backup 1",
        "/sys/class/net/bond0/bonding/all_slaves_active:1",
    ]
    told = listing('grep "" /sys/class/net/bond0/bonding/*', files)
    finding = only(report(host("active-backup") + told + OWN), NAME)
    assert "all_slaves_active" in finding.summary
    assert any("all_slaves_active:1" in line for line in cited(finding))


def test_the_way_of_a_misplaced_station_s_frame() -> None:
    guest = domiflist(f"vnet0 br0 {GUEST0}")
    finding = only(report(host("broadcast") + guest + AWAY), NAME)
    ways = [(step.device, step.direction) for step in finding.path]
    assert ways[:2] == [("vnet0", "in"), ("bond0", "out")]
    assert ways[-1] == ("bond0", "in")
    assert {name for name, _ in ways[2:-1]} == {"eth0", "eth1"}
    assert finding.details["stations"] == [GUEST0]


def test_through_a_vlan_device_on_the_bond() -> None:
    tagged = link(
        7,
        "bond0.2222@bond0",
        HOST,
        "vlan protocol 802.1Q id 2222 <REORDER_HDR>",
        master="br0",
        port="",
    )
    below = BOND.replace(" master br0", "").partition("    bridge_slave")[0]
    text = links(*LINKS, below, tagged) + bonding("balance-rr")
    finding = only(report(text + dmesg(own_address("bond0.2222", HOST))), NAME)
    assert (finding.subject, finding.details["uplink"]) == ("bond0", "bond0.2222")


def test_advice_is_to_look_at_each_leg() -> None:
    commands = [step.command for step in report(host("balance-xor") + OWN).next]
    assert any("-i eth0 " in command for command in commands)
    assert any("-i eth1 " in command for command in commands)


def test_moves_to_the_bond_and_back() -> None:
    lines = [f"{GUEST0} dev {port} master br0" for port in ("vnet0", "bond0", "vnet0")]
    assert only(report(host("balance-rr") + monitor(*lines)), NAME).explains == ("mac-move",)


def test_two_plain_ports_below_a_real_bond() -> None:
    given = diagnose(open_source(str(FIXTURES / "vm61-bond")).snapshots)
    finding = only(given, NAME)
    assert set(finding.explains) == {"own-source", "mac-move", "fdb-misplaced"}
    assert given.verdict == "comes-back"
    assert "uplink-echo" not in checks(given)
    assert any("mode:balance-xor" in line for line in cited(finding))
