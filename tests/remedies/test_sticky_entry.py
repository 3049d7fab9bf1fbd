"""The pin: proved where the model shows that it helps, rejected where it does not, else neither."""

import pytest

from hopback.checks.diagnose import diagnose
from hopback.findings import Finding, Fix, Report
from hopback.remedies.attach import with_remedies
from tests.build import (
    GUEST0,
    HYPERVISOR,
    LINKS,
    RING,
    TUN,
    TWIN0,
    VETH,
    brctl_show,
    domiflist,
    fdb,
    link,
    links,
    listing,
    pasted,
    showmacs,
)

GUEST = domiflist(f"vnet0 br0 {GUEST0}")
OWN = f"{TWIN0} dev vnet0 master br0 permanent"
WRONG = fdb(f"{GUEST0} dev eth0 used 1/1 master br0", OWN)
AWAY = HYPERVISOR + GUEST + WRONG


def treated(text: str) -> Report:
    snapshots = pasted(text)
    return with_remedies(snapshots, diagnose(snapshots))


def fix(text: str) -> Fix:
    (found,) = {f for finding in treated(text).findings for f in finding.fixes}
    return found


def test_proved_both_ways_and_against_the_echo() -> None:
    found = fix(AWAY)
    assert found.proved
    assert found.rejected_because is None
    assert found.keeps == ("DHCP both ways, also while the way out returns frames",)
    assert found.commands == (f"bridge fdb replace {GUEST0} dev vnet0 master static sticky",)
    assert found.undo == (f"bridge fdb del {GUEST0} dev vnet0 master",)
    assert found.limits is not None


def carriers(report: Report) -> list[Finding]:
    return [f for f in report.findings if f.fixes]


def test_the_remedy_stands_with_the_cause_that_explains_the_symptom() -> None:
    assert [f.check for f in carriers(treated(AWAY))] == ["uplink-echo"]
    other = HYPERVISOR + GUEST + fdb(f"{GUEST0} dev vnet1 used 1/1 master br0", OWN)
    assert [f.check for f in carriers(treated(other))] == ["fdb-misplaced"]


def test_nothing_to_mend_nothing_offered() -> None:
    assert carriers(treated(HYPERVISOR + GUEST)) == []


def test_a_table_that_numbers_its_ports() -> None:
    text = brctl_show("eth0", "vnet0") + GUEST
    text += showmacs(f"2 {TWIN0} yes 0.00", f"1 {GUEST0} no 1.35")
    assert fix(text).proved


def test_in_another_namespace_and_vlan_the_commands_say_so() -> None:
    inside = AWAY.replace("kvm1# ", "kvm1# ip netns exec red ")
    assert fix(inside).commands[0].startswith("bridge -n red fdb replace ")
    filtering = HYPERVISOR.replace("stp_state 0", "stp_state 0 vlan_filtering 1")
    found = fix(filtering + GUEST + fdb(f"{GUEST0} dev eth0 vlan 7 master br0", OWN))
    assert " vlan 7 static sticky" in found.commands[0]
    assert found.undo[0].endswith(" vlan 7")


@pytest.mark.parametrize(
    "second",
    ["", link(6, "eth1", "0c:c4:7a:00:00:09", master="br0", port="")],
    ids=["one way out", "two ways out"],
)
def test_a_kernel_before_4_20_takes_no_pin(second: str) -> None:
    text = links(*LINKS, second) + GUEST + WRONG + listing("uname -r", ["4.19.0-26-amd64"])
    found = fix(text)
    assert not found.proved
    assert found.rejected_because is not None
    assert "4.20" in found.rejected_because


def test_a_pin_that_was_not_tried_against_an_echo_does_not_say_so() -> None:
    second = link(6, "eth1", "0c:c4:7a:00:00:09", master="br0", port="")
    found = fix(links(*LINKS, second) + GUEST + WRONG)
    assert (found.proved, found.keeps) == (True, ("DHCP both ways",))


def test_a_ring_in_sight_is_not_mended_by_a_pin() -> None:
    tap = link(9, "vnet0", TWIN0, TUN, master="br0", port="")
    up = link(10, "eth0", "0c:c4:7a:00:00:01", master="br0", port="")
    found = fix(links(*RING, tap, up) + GUEST + WRONG)
    assert not found.proved
    assert found.rejected_because is not None
    assert "round for ever" in found.rejected_because


@pytest.mark.parametrize(
    ("usual", "blinding"),
    [("stp_state 0", "stp_state 0 vlan_filtering 1"), ("mtu 1500", "mtu 1500 xdp")],
)
def test_where_the_model_is_blind_it_is_neither_proved_nor_rejected(
    usual: str, blinding: str
) -> None:
    found = fix(AWAY.replace(usual, blinding, 1))
    assert (found.proved, found.rejected_because) == (False, None)


def test_a_loss_that_no_pin_mends() -> None:
    cut = fix(AWAY.replace("isolated off", "isolated on"))
    assert not cut.proved
    assert cut.rejected_because == "the DISCOVER is lost even with it in place"


def test_the_same_address_in_another_bridge_s_table_is_left_alone() -> None:
    other = links(
        link(20, "br7", "02:00:00:00:0b:01", "bridge stp_state 0"),
        link(21, "lxc7@if2", "02:00:00:00:0b:02", VETH, master="br7", port=""),
    )
    seven = listing("bridge fdb show br br7", [f"{GUEST0} dev lxc7 master br7"])
    assert fix(AWAY + other + seven).proved
