"""The guest's own duplicate detection, as the model foretells it and as a kernel does it."""

from typing import Any

import pytest
from msgspec.structs import replace

from hopback.lab.compare import Result, compare
from hopback.lab.duplicates import DETECTION
from hopback.lab.netns.runner import NetnsRunner
from hopback.lab.plan import design
from hopback.lab.steps import Facility
from tests.build import BRIDGE, VETH, case, link, links, listing
from tests.kernel.filter_rig import filter_refusal
from tests.lab.hypervisor import designed, played

K1 = "fe80::5054:ff:fe77:21"


IPV6: tuple[Facility, ...] = ("ipv6",)


def told(name: str, **options: Any) -> tuple[object, ...]:
    (one,) = designed(name, **options).detections
    return str(one.address), one.phase, one.returned, one.heard


def test_hairpin_fails_the_guest_and_the_path_names_it() -> None:
    assert told("vml-k1") == (K1, "dadfailed", True, True)
    (one,) = designed("vml-k1").detections
    assert [(p.spot, p.way) for p in one.path] == [
        ("vnet7", "in"),
        ("vnet7", "out"),
        ("the guest", "in"),
    ]
    assert "hairpin" in one.path[1].why


def test_nonce_tells_the_guest_its_own_probe() -> None:
    assert told("vml-k1", nonce="on") == (K1, "preferred", True, True)


def test_filter_heals_or_keeps_everybody_from_hearing() -> None:
    assert told("vml-k2")[1:] == ("preferred", False, True)
    assert told("vml-k3")[1:] == ("preferred", False, False)
    (healed,), (vacuous,) = designed("vml-k2").detections, designed("vml-k3").detections
    assert not healed.vacuous
    assert healed.filter == "nat O-vnet8-mac: -A O-vnet8-mac -s 52:54:00:77:00:22 -j DROP"
    assert vacuous.vacuous
    assert vacuous.filter == "nat libvirt-I-vnet9: -A libvirt-I-vnet9 -j DROP"


def test_guest_is_said_to_know_no_nonce_unless_something_tells() -> None:
    made = designed("vml-k1")
    assert made.guest is not None
    assert not made.guest.nonce
    assert made.notes == (
        "the guest's duplicate detection has no nonce (RFC 7527): nothing recorded tells",
    )
    asked = designed("vml-k1", nonce="off")
    assert asked.notes[-1].endswith("as you said")


def test_guest_whose_inside_is_seen_is_taken_as_recorded() -> None:
    """A container's own tables tell its settings and all its addresses."""
    inside = " link-netns pod1 promiscuity"
    port = link(4, "lxc1@if2", "02:00:00:00:0a:02", VETH, master="br0", port="hairpin on")
    text = links(link(3, "br0", "02:00:00:00:0a:01", BRIDGE), port.replace(" promiscuity", inside))
    nic = link(2, "eth0@if4", "02:00:00:00:00:11", VETH)
    text += links(nic.replace(" promiscuity", " link-netnsid 0 promiscuity"), netns="pod1")
    text += listing(
        "ip -n pod1 addr show",
        [
            "2: eth0@if4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP",
            "    link/ether 02:00:00:00:00:11 brd ff:ff:ff:ff:ff:ff link-netnsid 0",
            "    inet6 2001:db8::11/64 scope global dadfailed tentative ",
            "    inet6 fe80::ff:fe00:11/64 scope link dadfailed tentative ",
        ],
    )
    text += listing(
        "ip netns exec pod1 sysctl net.ipv6",
        ["net.ipv6.conf.all.enhanced_dad = 0", "net.ipv6.conf.eth0.enhanced_dad = 0"],
    )
    given = case(text)
    made = design(given.model, given.network.stations[0], capable=IPV6)
    assert made.guest is not None
    assert (made.guest.nonce, made.guest.why) == (False, "as recorded")
    assert [str(a) for a in made.guest.addresses] == ["fe80::ff:fe00:11", "2001:db8::11"]


def test_kernel_without_ipv6_plays_none_and_says_so() -> None:
    made = designed("vml-k1", capable=("nf_tables",))
    assert made.detections == ()
    assert all(scene.name != DETECTION for scene in made.plan.scenes)
    assert made.notes == (
        "the lab's kernel has no IPv6: the guest's duplicate detection is not played",
    )


def test_settings_are_the_guest_s_alone_and_its_addresses_go() -> None:
    made = designed("vml-k1", nonce="on")
    scene = next(s for s in made.plan.scenes if s.name == DETECTION)
    lines = [step.line for step in scene.before if step.tool == "sysctl"]
    assert "net/ipv6/conf/nic0/enhanced_dad=1" in lines
    assert lines[-1] == "net/ipv6/conf/nic0/disable_ipv6=0"
    assert {step.space for step in scene.before if step.tool == "sysctl"} == {"guest"}
    assert [step.line for step in scene.afterwards] == ["net/ipv6/conf/nic0/disable_ipv6=1"]
    assert [(d.at, d.address) for d in scene.detects] == [("the guest", K1)]


@pytest.fixture
def runner() -> NetnsRunner:
    if reason := filter_refusal(brouting=False):
        pytest.skip(reason)
    return NetnsRunner()


def ends(result: Result) -> list[tuple[object, ...]]:
    assert (result.differences, result.deaf) == ((), ())
    return [(d.phase, d.returned, d.vacuous) for d in result.detections]


@pytest.mark.kernel("tc")
def test_kernel_fails_k1_heals_k2_and_asks_nobody_for_k3(runner: NetnsRunner) -> None:
    one = played(runner, "vml-k1")
    assert (one.outcome, one.returned, one.well) == ("reproduced", ("ARP", "NS"), False)
    assert ends(one) == [("dadfailed", True, False)]
    assert one.why.endswith(f"its duplicate detection fails for {K1}")
    two = played(runner, "vml-k2")
    assert (ends(two), two.well) == ([("preferred", False, False)], True)
    three = played(runner, "vml-k3")
    assert ends(three) == [("preferred", False, True)]
    assert "nobody hears it ask" in three.why


@pytest.mark.kernel("tc")
def test_kernel_knows_its_nonce(runner: NetnsRunner) -> None:
    result = played(runner, "vml-k1", nonce="on")
    assert ends(result) == [("preferred", True, False)]


@pytest.mark.kernel("tc")
def test_model_that_is_wrong_about_it_is_found_out(runner: NetnsRunner) -> None:
    """A guest with a nonce, of which the model does not know."""
    right = designed("vml-k1", nonce="on")
    wrong = replace(right, detections=designed("vml-k1").detections)
    result = compare(wrong, runner.run(right.plan))
    assert result.outcome == "not-reproduced"
    assert result.differences == (
        f"{DETECTION}: {K1} should end “fails (dadfailed)”, and ends “ok”",
    )
