"""vlan-missing: a bridge that filters VLANs does not let a station's VLAN through, or not back."""

import pytest

from tests.build import GUEST0, HYPERVISOR, cited, domiflist, link, links, listing, of, only, report

NAME = "vlan-missing"
GUEST = domiflist(f"vnet0 br0 {GUEST0}")
FILTERING = HYPERVISOR.replace("stp_state 0", "stp_state 0 vlan_filtering 1") + GUEST
HEAD = "port              vlan-id"


def vlans(*rows: str) -> str:
    return listing("bridge vlan show", [HEAD, *rows])


TAP = "vnet0             10 PVID Egress Untagged"
OTHERS = ("vnet1             10 PVID Egress Untagged", "br0               1 PVID Egress Untagged")


@pytest.mark.parametrize(
    ("tap", "uplink", "rule", "direction"),
    [
        (TAP, "eth0              20", "vlan-egress", "out"),
        ("vnet0             10", "eth0              10", "vlan-ingress", "out"),
        (
            TAP + "\n                  1 Egress Untagged",
            "eth0              1 PVID Egress Untagged\n                  10 Egress Untagged",
            None,
            None,
        ),
        (
            TAP,
            "eth0              1 PVID Egress Untagged\n                  10 Egress Untagged",
            "vlan-egress",
            "in",
        ),
    ],
    ids=["not on the uplink", "no PVID", "back in another VLAN it has", "back in another VLAN"],
)
def test_a_vlan_that_is_cut(tap: str, uplink: str, rule: str | None, direction: str | None) -> None:
    given = report(FILTERING + vlans(*uplink.splitlines(), *tap.splitlines(), *OTHERS))
    if rule is None:
        assert not of(given, NAME)
        return
    finding = only(given, NAME)
    assert (finding.group, finding.severity, finding.subject) == ("other-fault", "warning", GUEST0)
    assert (finding.details["rule"], finding.details["direction"]) == (rule, direction)
    assert any("eth0" in line or "vnet0" in line for line in cited(finding))


def test_a_vlan_that_passes_both_ways() -> None:
    assert not of(report(FILTERING + vlans("eth0              10", TAP, *OTHERS)), NAME)


def test_a_vlan_device_on_the_way_out_takes_the_answers() -> None:
    device = link(9, "eth0.10@eth0", "0c:c4:7a:00:00:01", "vlan protocol 802.1Q id 10")
    text = FILTERING + links(device) + vlans("eth0              10", TAP, *OTHERS)
    finding = only(report(text), NAME)
    assert (finding.details["rule"], finding.details["direction"]) == ("vlan-up", "in")


def test_a_bridge_that_does_not_filter() -> None:
    assert not of(report(HYPERVISOR + GUEST + vlans("eth0              20", TAP)), NAME)
