"""hairpin-reflection: a port with hairpin on returns a station's own frames."""

from pathlib import Path

import pytest

from hopback.checks.diagnose import diagnose
from hopback.findings import Finding
from hopback.sources.open import open_source
from tests.build import (
    BRIDGE,
    GUEST0,
    LINKS,
    TUN,
    VETH,
    dmesg,
    domiflist,
    link,
    links,
    listing,
    of,
    only,
    report,
)

NAME = "hairpin-reflection"
TAP = link(4, "vnet0", "fe:54:00:00:00:01", TUN, master="br0", port="hairpin on")
ON = links(*LINKS[:2], TAP) + domiflist(f"vnet0 br0 {GUEST0}")
FAILED = f"IPv6: ens3: IPv6 duplicate address fe80::5054:ff:fe00:1 used by {GUEST0} detected!"


def hairpin(text: str) -> Finding:
    return only(report(text), NAME)


def test_hairpin_that_harms_nobody_is_told_and_leaves_it_open() -> None:
    given = report(ON)
    finding = only(given, NAME)
    assert (finding.severity, finding.confidence) == ("info", "certain")
    assert finding.details["ports"] == ["vnet0"]
    assert finding.details["harm"] is None
    assert given.verdict == "undecided"
    assert any("tentative" in step.command for step in given.next)


def test_failed_duplicate_detection_of_the_station_behind() -> None:
    given = report(ON + dmesg(FAILED, host="web1"))
    finding = only(given, NAME)
    assert (finding.severity, finding.confidence, finding.subject) == ("error", "certain", "vnet0")
    assert finding.details["station"] == GUEST0
    assert "dad-reflection" in finding.explains
    assert given.verdict == "comes-back"


def test_enhanced_detection_hides_it_from_the_station() -> None:
    """With the nonce its own solicitation is known: who has the MAC else is the question."""
    kernel = listing("uname -r", ["6.1.0-18-amd64"], host="web1")
    given = report(ON + dmesg(FAILED, host="web1") + kernel)
    assert only(given, NAME).severity == "info"
    assert given.verdict == "undecided"


def test_the_way_back_is_drawn_hop_by_hop() -> None:
    finding = hairpin(ON + dmesg(FAILED, host="web1"))
    assert [(s.device, s.direction) for s in finding.path] == [("vnet0", "in"), ("vnet0", "out")]


def test_somebody_else_s_failure_harms_nobody_here() -> None:
    other = FAILED.replace(GUEST0, "52:54:00:00:00:77")
    assert hairpin(ON + dmesg(other, host="web9")).severity == "info"


def test_an_address_flag_inside_a_namespace_counts_too() -> None:
    text = links(
        link(3, "br0", "02:00:00:00:0a:01", BRIDGE),
        link(4, "lxc1@if2", "02:00:00:00:0a:02", VETH, master="br0", port="hairpin on").replace(
            " promiscuity", " link-netns pod1 promiscuity"
        ),
    )
    text += links(
        link(2, "eth0@if4", "02:00:00:00:00:01", VETH).replace(
            " promiscuity", " link-netnsid 0 promiscuity"
        ),
        netns="pod1",
    )
    text += listing(
        "ip -n pod1 addr show",
        [
            "2: eth0@if4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP",
            "    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff link-netnsid 0",
            "    inet6 2001:db8::11/64 scope global dadfailed tentative ",
        ],
    )
    assert hairpin(text).details["harm"] == "dad"


def test_off_is_no_finding() -> None:
    assert not of(report(ON.replace("hairpin on", "hairpin off")), NAME)


def test_a_filter_on_the_port_leaves_it_to_the_gap() -> None:
    filtered = listing(
        "virsh dumpxml web1",
        [
            "<domain type='kvm'><name>web1</name><devices>",
            "<interface type='bridge'>",
            f"<mac address='{GUEST0}'/>",
            "<source bridge='br0'/>",
            "<target dev='vnet0'/>",
            "<filterref filter='no-mac-reflection'/>",
            "</interface>",
            "</devices></domain>",
        ],
    )
    given = report(links(*LINKS[:2], TAP) + filtered)
    assert not of(given, NAME)
    assert any("no-mac-reflection" in gap.reason for gap in given.gaps)
    assert given.verdict == "undecided"


def ruleset(family: str, rule: str, netns: str = "") -> str:
    inside = f"ip netns exec {netns} " if netns else ""
    return listing(
        f"{inside}nft list ruleset",
        [
            f"table {family} guard {{",
            "\tchain forward {",
            "\t\ttype filter hook forward priority 0; policy accept;",
            f"\t\t{rule}",
            "\t}",
            "}",
        ],
    )


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (ruleset("bridge", 'oifname "vnet0" drop'), False),
        (ruleset("bridge", "ether daddr ff:ff:ff:ff:ff:ff drop"), False),
        (ruleset("bridge", "ether type ip6 drop"), True),
        (ruleset("bridge", 'oifname "vnet9" drop'), True),
        (ruleset("ip", "drop"), True),
        (ruleset("bridge", "ether type ip6 drop", netns="red"), True),
    ],
    ids=[
        "this port",
        "any port",
        "other frames",
        "another port",
        "routed packets",
        "another namespace",
    ],
)
def test_only_a_filter_that_drops_what_comes_back_matters(rules: str, told: bool) -> None:
    found = of(report(ON + rules), NAME)
    assert [f.details.get("spared", False) for f in found] == [not told]


TRUNK = links(
    link(3, "br0", "02:00:00:00:0a:01", BRIDGE),
    link(4, "trunk@far", "02:00:00:00:0a:02", VETH, master="br0", port="hairpin on"),
    link(5, "far@trunk", "02:00:00:00:0a:03", VETH),
)


def test_towards_another_switch_it_harms_that_switch() -> None:
    given = report(TRUNK)
    finding = only(given, NAME)
    assert (finding.severity, finding.details["harm"]) == ("error", "switch")
    assert finding.details["switch"] == "far"
    assert of(given, "bridge-loop")
    assert given.verdict == "comes-back"


def address(text: str) -> str:
    return listing(
        "ip addr show",
        [
            "5: far@trunk: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP",
            "    link/ether 02:00:00:00:0a:03 brd ff:ff:ff:ff:ff:ff",
            f"    {text}",
        ],
    )


def test_a_far_end_with_an_address_is_the_host_and_no_switch() -> None:
    given = report(TRUNK + address("inet 192.0.2.1/24 scope global far"))
    assert only(given, NAME).severity == "info"
    assert not of(given, "bridge-loop")


def test_a_link_local_address_makes_no_station() -> None:
    finding = hairpin(TRUNK + address("inet6 fe80::a:3/64 scope link"))
    assert finding.details["harm"] == "switch"


FIXTURE = Path(__file__).parents[1] / "fixtures" / "libvirt"


def test_a_filter_that_spares_the_station_and_what_it_costs() -> None:
    """k2's drops whatever has the guest's own MAC, NAT's packets too."""
    found = diagnose(open_source(str(FIXTURE)).snapshots).findings
    spared = {f.subject: f for f in found if f.details.get("spared")}
    assert spared["vnet8"].details["loses_itself"]
    assert spared["vnet8"].severity == "info"
    assert "does not reach itself" in spared["vnet8"].summary
    assert any("-A O-vnet8-mac" in e.text for e in spared["vnet8"].because)
    assert "vnet7" not in spared
