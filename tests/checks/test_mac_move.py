"""mac-move: one MAC is learned on two ports in turn."""

import pytest

from tests.build import (
    GUEST0,
    HYPERVISOR,
    TWIN0,
    checks,
    cited,
    fdb,
    listing,
    monitor,
    of,
    only,
    report,
)

NAME = "mac-move"
STRANGER = "52:54:00:00:00:99"


def there(mac: str = STRANGER, vlan: str = "") -> str:
    return f"{mac} dev eth0{vlan} master br0"


def here(mac: str = STRANGER, vlan: str = "") -> str:
    return f"{mac} dev vnet1{vlan} master br0"


def test_notifications_that_it_went_and_came_back() -> None:
    finding = only(report(HYPERVISOR + monitor(there(), here(), there())), NAME)
    assert finding.subject == STRANGER
    assert (finding.severity, finding.confidence) == ("warning", "certain")
    assert finding.details["ports"] == ["eth0", "vnet1"]
    assert cited(finding) == [there(), here(), there()]


@pytest.mark.parametrize(
    "lines",
    [
        (there(), here()),
        (there(), there(), there()),
        (there(), "Deleted " + there(), here()),
        (there(vlan=" vlan 5"), here(vlan=" vlan 6"), there(vlan=" vlan 5")),
        (there(), f"{STRANGER} dev vnet1 master br0 permanent", there()),
    ],
    ids=["one change", "refreshed", "migrated", "a router in two VLANs", "a local entry"],
)
def test_no_move_in_turn(lines: tuple[str, ...]) -> None:
    assert not of(report(HYPERVISOR + monitor(*lines)), NAME)


def test_three_looks_at_one_table() -> None:
    own = f"{TWIN0} dev vnet0 master br0 permanent"
    looks = [fdb(f"{GUEST0} dev {port} master br0", own) for port in ("vnet0", "eth0", "vnet0")]
    assert only(report(HYPERVISOR + "".join(looks)), NAME).subject == GUEST0
    assert not of(report(HYPERVISOR + "".join(looks[:2])), NAME)


def test_dead_entries_of_a_vlan_are_no_moves() -> None:
    look = fdb(there(), f"{STRANGER} dev vnet1 vlan 1 master br0 static")
    assert not of(report(HYPERVISOR + 3 * look), NAME)


def test_looks_are_not_strung_after_notifications() -> None:
    """Nobody knows which came first."""
    assert not of(report(HYPERVISOR + monitor(there(), here()) + 3 * fdb(there())), NAME)


@pytest.mark.parametrize("mac", ["00:00:5e:00:01:0a", "00:00:5e:00:02:0a"])
def test_a_virtual_router_s_address_moves_by_design(mac: str) -> None:
    given = report(HYPERVISOR + monitor(there(mac), here(mac), there(mac)))
    assert checks(given) == {"expected-duplicate"}
    assert given.verdict == "clear"


EVPN = """\
Number of MACs (local and remote) known for this VNI: 1
Flags: N=sync-neighs, I=local-inactive, P=peer-active, X=peer-proxy
MAC               Type   Flags Intf/Remote ES/VTEP            VLAN  Seq #'s
52:54:00:00:00:99 local        bond9                          100   {}
"""


def test_evpn_mobility_sequences() -> None:
    def evpn(sequences: str) -> str:
        return listing('vtysh -c "show evpn mac vni 100"', [EVPN.format(sequences)])

    given = report(evpn("7/6"))
    assert only(given, NAME).details["ports"] == ["bond9"]
    assert given.sentence.startswith("What 52:54:00:00:00:99 sends by bond9 comes in again")
    assert given.next[-1].host == "the switch"
    assert not [step for step in given.next if "tcpdump" in step.command]
    assert not of(report(evpn("7/1")), NAME)
    assert not of(report(evpn("0/0")), NAME)


def test_a_switch_that_says_flapping_is_believed_at_once() -> None:
    line = (
        "%SW_MATM-4-MACFLAP_NOTIF: Host 5254.0000.0011 in vlan 10 is flapping between port Gi1/0/1"
        " and port Po2"
    )
    given = report(listing("show logging", [line]))
    finding = only(given, NAME)
    assert (finding.subject, finding.details["ports"]) == (
        "52:54:00:00:00:11",
        ["Gi1/0/1", "Po2"],
    )
    # A bond that sends by all legs into ports that are no LAG looks the same, and returns nothing.
    assert (checks(given), given.verdict) == ({NAME}, "undecided")
    assert [step.host for step in given.next][:2] == [
        "the switch",
        "the host that has 52:54:00:00:00:11",
    ]


def test_a_switch_that_tells_of_moves_has_to_tell_of_the_way_back() -> None:
    def moved(*ways: tuple[str, str]) -> str:
        line = "%L2FM-4-L2FM_MAC_MOVE: Mac 5254.0000.0011 in vlan 10 has moved from {} to {}"
        return listing("show logging", [line.format(*way) for way in ways])

    assert not of(report(moved(("Eth1/1", "Po2"))), NAME)
    assert of(report(moved(("Eth1/1", "Po2"), ("Po2", "Eth1/1"))), NAME)
