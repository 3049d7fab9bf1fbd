"""port-flag-drop: a port's flags keep a wanted frame from a station, or from its way out."""

import pytest

from tests.build import (
    BRIDGE,
    GUEST0,
    TUN,
    TWIN0,
    brctl_show,
    checks,
    cited,
    domiflist,
    link,
    links,
    of,
    only,
    report,
)

NAME = "port-flag-drop"
GUEST = domiflist(f"vnet0 br0 {GUEST0}")


def wired(uplink: str = "", tap: str = "") -> str:
    return (
        links(
            link(2, "eth0", "0c:c4:7a:00:00:01", master="br0", port=uplink),
            link(3, "br0", "0c:c4:7a:00:00:01", BRIDGE),
            link(4, "vnet0", TWIN0, TUN, master="br0", port=tap),
        )
        + GUEST
    )


@pytest.mark.parametrize(
    ("uplink", "tap", "rule", "direction"),
    [
        ("isolated on", "isolated on", "isolated", "out"),
        ("", "locked on", "locked-drop", "out"),
        ("bcast_flood off", "", "flood-off", "out"),
        ("", "bcast_flood off", "flood-off", "in"),
    ],
)
def test_a_flag_that_cuts_a_guest_off(uplink: str, tap: str, rule: str, direction: str) -> None:
    given = report(wired(uplink, tap))
    finding = only(given, NAME)
    assert (finding.group, finding.severity, finding.subject) == ("other-fault", "warning", GUEST0)
    assert (finding.details["rule"], finding.details["direction"]) == (rule, direction)
    assert given.verdict == "clear"
    assert any("bridge_slave" in line for line in cited(finding))


@pytest.mark.parametrize(
    ("uplink", "tap"),
    [
        ("", ""),
        ("", "isolated on"),
        ("learning off", "flood off"),
        ("neigh_suppress on", ""),
        ("", "neigh_suppress on"),
        ("mcast_flood off", "mcast_flood off"),
    ],
)
def test_flags_that_let_broadcasts_pass(uplink: str, tap: str) -> None:
    assert NAME not in checks(report(wired(uplink, tap)))


def test_flags_that_nobody_listed_prove_nothing() -> None:
    assert not of(report(brctl_show("eth0", "vnet0") + GUEST), NAME)
