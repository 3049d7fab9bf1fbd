"""``ip route``: every kind of route, ways, tables and families."""

import pytest

from hopback.snapshot.rows import NextHop, Route
from hopback.sources.parse import ip_route
from hopback.sources.parse.base import Parsed
from tests.sources.parse.given import facts, listing, pasted, recorded, rows


def routes(name: str) -> list[dict[str, object]]:
    parsed = ip_route.parse(recorded(f"vm61-iproute/{name}"))
    assert not parsed.problems
    return [facts(row) for row in rows(parsed, Route)]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("ip-route.txt", "ip-j-route.json"),
        ("ip-route.txt", "ip-o-route.txt"),
        ("ip-6-route.txt", "ip-j-6-route.json"),
        ("ip-route-show-table-all.txt", "ip-j-route-show-table-all.json"),
    ],
)
def test_dialects_tell_the_same(text: str, other: str) -> None:
    assert routes(text) == routes(other)


def test_recorded_kinds_and_ways() -> None:
    found = {(said["destination"], said["family"]): said for said in routes("ip-route.txt")}
    assert found["10.5.0.0/16", 4]["hops"] == (
        NextHop(dev="br0", via="10.0.0.3", weight=2),
        NextHop(dev="br0", via="10.0.0.4"),
    )
    assert found["10.5.0.0/16", 4]["onlink"] is True
    assert found["10.11.0.0/16", 4]["hops"] == (NextHop(dev="br0", via="fe80::5"),)
    assert found["10.0.0.0/24", 4]["source"] == "10.0.0.1"
    nowhere = {said["kind"] for said in found.values() if not said["hops"]}
    assert nowhere == {"blackhole", "unreachable", "throw"}


def test_recorded_table_all() -> None:
    found = routes("ip-route-show-table-all.txt")
    assert {said["table"] for said in found} == {"main", "local", "77", "10"}
    assert {said["kind"] for said in found} >= {"local", "broadcast", "multicast", "prohibit"}
    defaults = [
        (said["family"], said["hops"]) for said in found if said["destination"] == "default"
    ]
    assert defaults == [
        (4, (NextHop(dev="br0", via="10.0.0.2"),)),
        (6, (NextHop(dev="br0", via="fe80::1"),)),
    ]


def test_what_a_route_is_chosen_by() -> None:
    text = """192.0.2.0/24 tos 0x10 via 198.51.100.1 dev eth0 metric 5 dead linkdown
2001:db8::/32 from 2001:db8:1::/48 via fe80::1 dev eth0 metric 1024 pref high
default proto static metric 20
\tnexthop via 198.51.100.1 dev eth0 weight 1
\tnexthop via 198.51.100.9 dev eth1 weight 2 linkdown
"""
    one, six, several = (facts(r) for r in rows(ip_route.parse(listing(text)), Route))
    assert one["tos"] == "0x10"
    assert one["hops"] == (NextHop("eth0", "198.51.100.1", dead=True, linkdown=True),)
    assert (six["origin"], six["preference"]) == ("2001:db8:1::/48", "high")
    assert several["hops"] == (
        NextHop("eth0", "198.51.100.1"),
        NextHop("eth1", "198.51.100.9", 2, linkdown=True),
    )


def test_recorded_director() -> None:
    parsed = ip_route.parse(recorded("vm61-director-a/ip-j-route.json"))
    local = [row for row in rows(parsed, Route) if row.destination == "10.0.0.100"]
    assert [facts(row) for row in local] == [
        {
            "destination": "10.0.0.100",
            "family": 4,
            "kind": "local",
            "hops": (NextHop(dev="lo"),),
            "table": "local",
            "protocol": "kernel",
            "scope": "host",
            "source": "10.0.0.100",
            "onlink": False,
        }
    ]
    assert len(parsed.rows) == 17
    assert not parsed.problems


def test_details_add_nothing_false() -> None:
    plain = [(said["destination"], said["hops"]) for said in routes("ip-route.txt")]
    assert plain == [(said["destination"], said["hops"]) for said in routes("ip-d-route.txt")]


def test_table_of_the_command() -> None:
    text = "default via 192.0.2.254 dev ovs_bond0\n192.0.2.0/24 via 192.0.2.100 dev ovs_bond0"
    parsed = ip_route.parse(pasted(text, "ip route show table ovs_bond0-table"))
    assert [row.table for row in rows(parsed, Route)] == ["ovs_bond0-table"] * 2
    parsed = ip_route.parse(pasted("local 10.0.0.5 dev eth0 table 255", "ip r"))
    assert [row.table for row in rows(parsed, Route)] == ["local"]


def test_family_of_a_default_without_addresses() -> None:
    parsed = ip_route.parse(listing("default dev ppp0 metric 1024 pref medium\ndefault dev ppp0"))
    assert [row.family for row in rows(parsed, Route)] == [6, 4]
    parsed = ip_route.parse(listing("default dev ppp0 scope link", "ip -6 route"))
    assert [row.family for row in rows(parsed, Route)] == [6]


def test_cut_value_is_unknown() -> None:
    parsed = ip_route.parse(pasted("local 10.200.10.10 dev kube-ipvs0 proto [...]"))
    (row,) = rows(parsed, Route)
    assert (row.protocol, row.hops) == (None, (NextHop(dev="kube-ipvs0"),))


def test_prose_is_passed_over_and_a_decision_is_no_route() -> None:
    text = """
        default via the old gateway was gone
        10.0.0.1 is mine
        10.5.0.1 via 10.0.0.3 dev br0 src 10.0.0.1 uid 0
            cache
    """
    assert ip_route.parse(pasted(text)) == Parsed([], [])


def test_damaged_lines_are_problems() -> None:
    parsed = ip_route.parse(listing("10.0.0.0/99 dev eth0\n10.0.0.0/24\n10.1.0.0/16 dev eth0"))
    assert [row.destination for row in rows(parsed, Route)] == ["10.1.0.0/16"]
    assert [problem.line for problem in parsed.problems] == [1, 2]


def test_shape() -> None:
    assert ip_route.SHAPE is not None
    for name in ("ip-route.txt", "ip-6-route.txt", "ip-j-route.json", "busybox-ip-route.txt"):
        assert ip_route.SHAPE.match(recorded(f"vm61-iproute/{name}").lines[0]), name
    for line in (*recorded("vm61-iproute/ip-neigh.txt").lines, "default via mail"):
        assert not ip_route.SHAPE.match(line), line
