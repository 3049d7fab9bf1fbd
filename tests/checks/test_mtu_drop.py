"""mtu-drop: a bridge drops a station's largest frames, and tells nobody."""

import pytest

from tests.build import (
    BRIDGE,
    GUEST0,
    HYPERVISOR,
    VETH,
    cited,
    domiflist,
    link,
    links,
    of,
    only,
    report,
)

NAME = "mtu-drop"
GUEST = domiflist(f"vnet0 br0 {GUEST0}")


def pod(uplink: int, own: int) -> str:
    """A container on a bridge whose way out takes ``uplink`` bytes; its own MTU is ``own``."""
    outside = links(
        link(2, "eth0", "0c:c4:7a:00:00:01", master="br0", port="").replace("1500", str(uplink)),
        link(3, "br0", "02:00:00:00:0a:01", BRIDGE),
        link(4, "v@if2", "02:00:00:00:0a:02", VETH, master="br0", port="", extra=" link-netns pod"),
    )
    inside = link(2, "eth0@if4", GUEST0, VETH, extra=" link-netnsid 0").replace("1500", str(own))
    return outside + links(inside, netns="pod")


def test_a_way_out_that_takes_less_than_a_station_sends() -> None:
    finding = only(report(pod(1450, 1500)), NAME)
    assert (finding.group, finding.severity, finding.subject) == ("other-fault", "warning", GUEST0)
    assert (finding.details["station_mtu"], finding.details["way_out_mtu"]) == (1500, 1450)
    assert any("mtu 1450" in line for line in cited(finding))
    assert any("mtu 1500" in line for line in cited(finding))


def test_four_bytes_are_spare() -> None:
    assert not of(report(pod(1500, 1504)), NAME)
    assert of(report(pod(1500, 1505)), NAME)
    assert not of(report(pod(9000, 1500)), NAME)


@pytest.mark.parametrize(("own", "lost"), [(-1, False), (10**15, True)])
def test_no_packet_is_as_large_as_a_damaged_listing_says(own: int, lost: bool) -> None:
    assert bool(of(report(pod(1500, own)), NAME)) == lost


def test_what_a_guest_may_send_is_not_known_from_its_tap() -> None:
    text = HYPERVISOR.replace(
        "eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500", "eth0: <UP> mtu 1400"
    )
    finding = only(report(text + GUEST), NAME)
    assert (finding.severity, finding.confidence) == ("info", "possible")
