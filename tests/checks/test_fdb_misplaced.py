"""fdb-misplaced: the table has a station's MAC where the station is not."""

import pytest

from hopback.findings import Finding
from tests.build import (
    GUEST0,
    GUEST1,
    HYPERVISOR,
    LINKS,
    TWIN0,
    brctl_show,
    checks,
    cited,
    dmesg,
    domiflist,
    fdb,
    links,
    listing,
    of,
    only,
    report,
    showmacs,
)

NAME = "fdb-misplaced"
OWN = f"{TWIN0} dev vnet0 used 9/9 master br0 permanent"


def misplaced(text: str) -> Finding:
    return only(report(text), NAME)


def silent(text: str) -> bool:
    return not of(report(text), NAME)


def test_a_guest_s_address_on_the_uplink() -> None:
    finding = misplaced(HYPERVISOR + fdb(f"{GUEST0} dev eth0 used 3/4 master br0", OWN))
    assert finding.subject == GUEST0
    assert (finding.group, finding.severity, finding.confidence) == ("symptom", "error", "certain")
    assert finding.details["actual_port"] == "eth0"
    assert finding.details["actual_port_role"] == "uplink"
    assert finding.details["expected_port"] == "vnet0"
    assert finding.details["age_seconds"] == 4
    assert f"{GUEST0} dev eth0 used 3/4 master br0" in cited(finding)


def test_the_way_a_frame_then_takes_is_drawn() -> None:
    finding = misplaced(HYPERVISOR + fdb(f"{GUEST0} dev eth0 master br0", OWN))
    assert [(s.device, s.direction) for s in finding.path] == [("br0", "in"), ("eth0", "out")]


@pytest.mark.parametrize(
    "text",
    [
        HYPERVISOR + fdb(f"{GUEST0} dev vnet0 used 1/1 master br0", OWN),
        HYPERVISOR + fdb(f"{GUEST1} dev vnet1 used 1/1 master br0", OWN),
        HYPERVISOR + fdb("52:54:00:00:00:99 dev eth0 used 1/1 master br0", OWN),
        HYPERVISOR + fdb(f"{GUEST0} dev eth0 self permanent", OWN),
        HYPERVISOR + fdb(f"{GUEST0} dev eth0 master br0 permanent", OWN),
    ],
    ids=["own port", "another guest at home", "a stranger outside", "a NIC's filter", "local"],
)
def test_nothing_is_misplaced(text: str) -> None:
    assert silent(text)


def test_a_migrated_guest_without_its_tap_is_no_station() -> None:
    assert silent(links(*LINKS[:2]) + fdb(f"{GUEST0} dev eth0 used 1/1 master br0"))


BESIDE = f"{GUEST0} dev eth0 vlan 1 used 200/200 master br0 static"


def test_an_entry_of_a_vlan_beside_the_right_one_is_dead_weight() -> None:
    assert silent(HYPERVISOR + fdb(f"{GUEST0} dev vnet0 used 1/1 master br0", BESIDE, OWN))


def test_an_entry_of_a_vlan_alone_counts_unless_the_bridge_is_known_not_to_filter() -> None:
    alone = fdb(BESIDE, OWN)
    assert misplaced(HYPERVISOR + alone).details["vlan"] == 1
    assert silent(HYPERVISOR.replace("stp_state 0", "stp_state 0 vlan_filtering 0") + alone)


def test_under_vlan_filtering_each_vlan_has_its_own_entry() -> None:
    filtering = HYPERVISOR.replace("stp_state 0", "stp_state 0 vlan_filtering 1")
    finding = misplaced(
        filtering
        + fdb(
            f"{GUEST0} dev vnet0 used 1/1 master br0",
            f"{GUEST0} dev eth0 vlan 7 used 1/1 master br0",
            OWN,
        )
    )
    assert finding.details["vlan"] == 7
    assert any("vlan_filtering 1" in line for line in cited(finding))


def test_the_wrong_entry_without_vlan_counts_beside_a_right_one_of_a_vlan() -> None:
    pinned = f"{GUEST0} dev vnet0 vlan 1 used 1/1 master br0 static"
    finding = misplaced(HYPERVISOR + fdb(f"{GUEST0} dev eth0 used 1/1 master br0", pinned, OWN))
    assert finding.details["vlan"] == 0


def test_what_a_control_plane_entered_came_back_by_no_wire() -> None:
    text = HYPERVISOR + fdb(f"{GUEST0} dev eth0 used 1/1 master br0 extern_learn", OWN)
    assert misplaced(text).details["learned"] is False
    assert "a control plane put the entry there" in misplaced(text).alternatives
    assert "uplink-echo" not in checks(report(text))


def test_two_stations_with_one_address_are_not_misplaced() -> None:
    text = (
        HYPERVISOR
        + domiflist(f"vnet0 br0 {GUEST0}", f"vnet1 br0 {GUEST0}")
        + fdb(f"{GUEST0} dev vnet1 used 1/1 master br0")
    )
    assert silent(text)


# --- brctl numbers ports -------------------------------------------------------------------------

WIRED = brctl_show("eth0", "vnet0", "vnet1") + domiflist(f"vnet0 br0 {GUEST0}")


def test_numbers_told_by_the_tap_s_own_address() -> None:
    finding = misplaced(WIRED + showmacs(f"2 {TWIN0} yes 0.00", f"1 {GUEST0} no 1.35"))
    assert finding.details["expected_port_number"] == 2
    assert finding.details["actual_port_number"] == 1
    assert (finding.details["actual_port"], finding.details["actual_port_known"]) == (
        "eth0",
        "likely",
    )


def test_a_number_that_cannot_be_matched_is_a_gap_and_no_finding() -> None:
    given = report(WIRED + showmacs(f"7 {GUEST0} no 1.35"))
    assert not of(given, NAME)
    assert given.verdict == "undecided"
    assert [g.reason for g in given.gaps] == [
        "the table numbers its ports, and the number of vnet0 is not known"
    ]


def test_a_port_known_by_number_alone_is_still_not_the_station_s() -> None:
    finding = misplaced(WIRED + showmacs(f"2 {TWIN0} yes 0.00", f"7 {GUEST0} no 1.35"))
    assert finding.details["actual_port"] == "port 7"
    assert "on port 7, but that station is behind vnet0 (port 2)" in finding.summary


def test_a_certain_name_needs_no_number_of_the_station_s_own_port() -> None:
    sysfs = listing("cat /sys/class/net/eth0/brport/port_no", ["0x1"])
    assert misplaced(WIRED + sysfs + showmacs(f"1 {GUEST0} no 1.35")).details["actual_port"] == (
        "eth0"
    )


def test_a_log_s_word_for_the_other_port_alone_is_not_enough() -> None:
    log = dmesg("br0: port 1(eth0) entered forwarding state")
    assert silent(WIRED + log + showmacs(f"1 {GUEST0} no 1.35"))


def test_the_latest_entry_is_the_one_shown() -> None:
    first = fdb(f"{GUEST0} dev eth0 used 1/50 master br0", OWN)
    later = fdb(f"{GUEST0} dev eth0 used 1/2 master br0", OWN)
    assert misplaced(HYPERVISOR + first + later).details["age_seconds"] == 2


def test_two_bridges_do_not_mix() -> None:
    other = brctl_show("eth7", "vnet7", bridge="br7")
    text = HYPERVISOR + other + fdb(f"{GUEST0} dev vnet0 used 1/1 master br0", OWN)
    text += listing("bridge fdb show br br7", [f"{GUEST0} dev eth7 master br7"])
    assert silent(text)
