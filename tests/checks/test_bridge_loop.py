"""bridge-loop: a cycle of forwarding ports that spanning tree does not cut."""

from shlex import split

import pytest

from tests.build import (
    BRIDGE,
    HYPERVISOR,
    RING,
    TWIN0,
    checks,
    dmesg,
    domiflist,
    link,
    links,
    of,
    only,
    own_address,
    report,
)

NAME = "bridge-loop"
HOST = "0c:c4:7a:00:00:01"


def test_two_bridges_joined_twice() -> None:
    given = report(links(*RING))
    finding = only(given, NAME)
    assert (finding.evidence, finding.confidence) == ("simulated", "certain")
    assert set(finding.details["ports"]) == {"a0", "b0", "a1", "b1"}
    assert [(s.device, s.direction) for s in finding.path][:2] == [("a1", "out"), ("b1", "in")]
    assert given.verdict == "comes-back"
    assert given.sentence == finding.summary


@pytest.mark.parametrize("state", ["blocking", "listening", "learning", "disabled"])
@pytest.mark.parametrize("cut", ["a0", "b0", "a1", "b1"])
def test_one_port_that_does_not_forward_cuts_the_ring(cut: str, state: str) -> None:
    lines = [line.replace("forwarding", state) if f" {cut}@" in line else line for line in RING]
    assert not of(report(links(*lines)), NAME)


def test_one_pair_is_no_ring() -> None:
    given = report(links(*RING[:4]))
    assert checks(given) == {"healthy"}
    assert given.verdict == "clear"


def test_nothing_passes_between_isolated_ports_so_nothing_goes_round() -> None:
    alone = [line.replace("isolated off", "isolated on") for line in RING]
    lines = [cut if ": a" in line else line for line, cut in zip(RING, alone, strict=True)]
    assert not of(report(links(*lines)), NAME)


def test_hairpin_facing_hairpin_needs_no_second_cable() -> None:
    lines = [line.replace("hairpin off", "hairpin on") for line in RING[:4]]
    finding = only(report(links(*lines)), NAME)
    assert set(finding.details["ports"]) == {"a0", "b0"}


def test_hairpin_on_one_side_returns_once() -> None:
    lines = [line.replace("hairpin off", "hairpin on") if ": a0" in line else line for line in RING]
    finding = only(report(links(*lines[:4])), NAME)
    assert (finding.evidence, finding.confidence) == ("predicted", "likely")


def test_flags_that_nobody_listed_make_it_likely_only() -> None:
    lines = [line.split("    bridge_slave")[0] for line in RING]
    assert only(report(links(*lines)), NAME).confidence == "likely"


def test_a_veth_end_that_is_no_port_joins_nothing() -> None:
    lines = [line.replace(" master br1", "") for line in RING]
    assert not of(report(links(*lines)), NAME)


def test_own_address_heard_on_two_ports() -> None:
    uplinks = links(
        link(2, "eth0", HOST, master="br0", port=""),
        link(3, "br0", HOST, BRIDGE),
        link(4, "eth1", "0c:c4:7a:00:00:02", master="br0", port=""),
    )
    given = report(uplinks + dmesg(own_address("eth0", HOST), own_address("eth1", HOST)))
    finding = only(given, NAME)
    assert (finding.evidence, finding.confidence) == ("reported", "likely")
    assert finding.details["ports"] == ["eth0", "eth1"]
    assert "uplink-echo" not in checks(given)


def test_own_address_heard_on_one_port_is_no_ring() -> None:
    assert not of(report(HYPERVISOR + dmesg(*[own_address("eth0", HOST)] * 2)), NAME)


def test_a_guest_with_its_tap_s_address_is_no_second_port_of_a_ring() -> None:
    text = HYPERVISOR + domiflist(f"vnet0 br0 {TWIN0}")
    text += dmesg(own_address("eth0", HOST), own_address("vnet0", TWIN0))
    given = report(text)
    assert not of(given, NAME)
    assert only(given, "uplink-echo").subject == "eth0"


def test_ports_of_the_same_names_in_another_namespace_are_not_cited() -> None:
    elsewhere = links(*RING[:4], netns="red")
    finding = only(report(elsewhere + links(*RING)), NAME)
    assert finding.details["netns"] == ""
    assert {e.source for e in finding.because} == {"ip -d link show"}


def test_the_advice_stays_in_the_namespace_of_the_bridge() -> None:
    given = report(links(*RING, netns="blue"))
    (step,) = (s for s in given.next if "bridge link" in s.command)
    program, *words = split(step.command)
    assert (program, words[:5]) == ("ip", ["netns", "exec", "blue", "sh", "-c"])
    assert words[5].startswith("bridge link show; bridge -s fdb show br "), "both, in one shell"
