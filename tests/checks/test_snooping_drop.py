"""snooping-drop: snooping keeps a group's frames from a member that never reported."""

from tests.build import GUEST0, HYPERVISOR, cited, domiflist, listing, of, only, report

NAME = "snooping-drop"
GUEST = domiflist(f"vnet0 br0 {GUEST0}")
QUERIER = HYPERVISOR.replace("stp_state 0", "stp_state 0 mcast_snooping 1 mcast_querier 1")
ADDRESSES = listing(
    "ip addr show",
    ["3: br0: <UP> mtu 1500", "    inet6 fe80::ec4:7aff:fe00:1/64 scope link "],
)
NEIGHBOURS = listing("ip neigh show", [f"fe80::11 dev br0 lladdr {GUEST0} STALE"])
NOBODY = listing("bridge -d mdb show", ["dev br0 port vnet1 grp ff02::fb temp"])
MEMBER = listing("bridge -d mdb show", ["dev br0 port vnet0 grp ff02::1:ff00:11 temp"])
FULL = QUERIER + ADDRESSES + NEIGHBOURS + GUEST


def test_a_station_that_never_reported_is_not_found() -> None:
    given = report(FULL + NOBODY)
    finding = only(given, NAME)
    assert (finding.group, finding.severity, finding.subject) == (
        "other-fault",
        "warning",
        "fe80::11",
    )
    assert finding.details["group"] == "ff02::1:ff00:11"
    assert "fe80::11 dev br0 lladdr 52:54:00:00:00:01 STALE" in cited(finding)
    assert given.verdict == "clear"


def test_one_that_reported_is() -> None:
    assert not of(report(FULL + MEMBER), NAME)


def test_so_is_one_behind_a_router_port() -> None:
    routers = listing("bridge -d mdb show", ["router ports on br0: vnet0 "])
    assert not of(report(FULL + routers), NAME)


def test_without_a_querier_everybody_is_found() -> None:
    assert not of(report(FULL.replace("mcast_querier 1", "mcast_querier 0") + NOBODY), NAME)
    assert not of(report(FULL.replace("mcast_snooping 1", "mcast_snooping 0") + NOBODY), NAME)


def test_groups_that_nobody_listed_prove_nothing() -> None:
    given = report(FULL)
    assert not of(given, NAME)
    assert "mdb" in {gap.table for gap in given.gaps}


def test_a_station_without_ipv6_misses_nothing() -> None:
    assert not of(report(QUERIER + ADDRESSES + GUEST + NOBODY), NAME)
