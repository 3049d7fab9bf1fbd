"""A packet that routers pass round is followed, and told from one that they do not."""

import pytest

from hopback.engines.circles import Circle, circles
from tests.build import link, links, listing, model
from tests.routers import POOL, edge, node, router


def found(text: str) -> tuple[Circle, ...]:
    return circles(model(text)).found


def only(text: str) -> Circle:
    (circle,) = found(text)
    return circle


def test_a_pool_that_the_node_sends_back() -> None:
    circle = only(edge() + node())
    assert str(circle.candidate.prefix) == POOL
    assert (circle.always, circle.usual) == (True, True)
    assert {hop.place.dev.host for hop in circle.ring} == {"edge", "node"}


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit"])
def test_a_route_for_all_of_it_ends_it(kind: str) -> None:
    assert not found(edge() + node(f"{kind} {POOL}"))


def test_a_part_that_is_taken_leaves_the_rest() -> None:
    circle = only(edge() + node("blackhole 198.51.100.0/25"))
    assert int(circle.candidate.target) & 0xFF >= 128


def test_a_neighbour_that_is_not_given_is_no_ring() -> None:
    assert not found(edge())
    assert not found(node() + router("other", 9, ("10.0.0.1/24",), ("default via 10.0.0.254",)))


def test_whether_it_forwards_is_a_world() -> None:
    circle = only(edge() + node(settings={"net.ipv4.ip_forward": None}))
    assert (circle.always, circle.usual) == (False, False), "most hosts do not"


def test_a_filter_that_is_not_told_does_not_matter_to_a_neighbour() -> None:
    untold = {"net.ipv4.conf.all.rp_filter": None, "net.ipv4.conf.eth1.rp_filter": None}
    circle = only(edge(settings=untold) + node())
    assert circle.always
    assert circle.origin


def test_a_node_that_does_not_forward() -> None:
    assert not found(edge() + node(settings={"net.ipv4.ip_forward": 0}))


def test_strict_filters_let_pass_what_comes_from_their_own_subnet() -> None:
    strict = {"net.ipv4.conf.all.rp_filter": 1}
    circle = only(edge(settings=strict) + node(settings=strict))
    assert circle.always
    assert circle.origin, "the source was chosen by an address"


def test_one_next_hop_of_several() -> None:
    ways = f"{POOL}\n\tnexthop via 203.0.113.7 dev eth1 weight 1\n\tnexthop via 192.0.2.9 dev eth0"
    circle = only(edge(f"{ways} weight 1") + node())
    assert (circle.always, circle.usual) == (False, True)


LOCAL, MAIN = "0:\tfrom all lookup local", "32766:\tfrom all lookup main"


@pytest.mark.parametrize("rules", [(LOCAL, "100:\tfrom all lookup 7", MAIN), (LOCAL, MAIN)])
def test_a_table_that_a_rule_names(rules: tuple[str, ...]) -> None:
    routes = (f"{POOL} via 203.0.113.7 dev eth1 table 7",)
    nics = ("192.0.2.1/24", "203.0.113.1/24")
    assert len(found(router("edge", 1, nics, routes, rules=rules) + node())) == len(rules) - 2


def test_ipv6() -> None:
    nics = ("2001:db8:1::1/64", "2001:db8:2::1/64")
    pool = "2001:db8:f::/48 via 2001:db8:2::7 dev eth1"
    circle = only(
        router("edge", 1, nics, (pool,))
        + router("node", 2, ("2001:db8:2::7/64",), ("default via 2001:db8:2::1 dev eth0",))
    )
    assert str(circle.candidate.prefix) == "2001:db8:f::/48"


def test_ipv6_by_link_local_next_hops() -> None:
    pool = "2001:db8:f::/48 via fe80::b dev eth1"
    text = (
        router("edge", 1, ("2001:db8:1::1/64", "2001:db8:2::1/64"), (pool,))
        + router("node", 2, ("2001:db8:2::7/64",), ("default via fe80::a dev eth0 proto ra",))
        + listing("ip -o addr show", ["3: eth1    inet6 fe80::a/64 scope link"], "edge")
        + listing("ip -o addr show", ["2: eth0    inet6 fe80::b/64 scope link"], "node")
    )
    assert only(text).always


def tunnel(host: str, local: str, remote: str) -> str:
    lines = (
        "4: gre1@NONE: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1476 qdisc noqueue state UNKNOWN",
        f"    link/gre {local} peer {remote} promiscuity 0",
        f"    gre remote {remote} local {local} ttl inherit nopmtudisc",
    )
    return listing("ip -d link show dev gre1", lines, host)


def test_out_by_a_tunnel_and_back_beside_it() -> None:
    ends = ("203.0.113.1", "203.0.113.7")
    text = edge(f"{POOL} dev gre1 scope link", settings={"net.ipv4.conf.gre1.rp_filter": 0})
    text += node(settings={"net.ipv4.conf.gre1.rp_filter": 0})
    circle = only(text + tunnel("edge", *ends) + tunnel("node", *reversed(ends)))
    assert circle.always
    assert {hop.place.dev.name for hop in circle.ring} >= {"gre1", "eth0", "eth1"}


def vrf(host: str, routes: str) -> str:
    lines = (
        "9: red: <NOARP,MASTER,UP,LOWER_UP> mtu 65575 qdisc noqueue state UP mode DEFAULT",
        "    link/ether 02:00:00:00:02:99 brd ff:ff:ff:ff:ff:ff",
        "    vrf table 10",
    )
    slave = link(2, "eth0", "02:00:00:00:02:00", master="red")
    rules = ("0:\tfrom all lookup local", "1000:\tfrom all lookup [l3mdev-table]", MAIN)
    text = router(host, 2, ("203.0.113.7/24",), (routes,), rules=rules)
    return text + listing("ip -d link show type vrf", lines, host) + links(slave, host=host)


@pytest.mark.parametrize("kind", ["unreachable default table 10", f"blackhole {POOL} table 10"])
def test_by_the_table_of_a_vrf(kind: str) -> None:
    leak = "default via 203.0.113.1 dev eth0"
    assert only(edge() + vrf("node", f"{leak} table 10")).always
    assert only(edge() + vrf("node", leak)).always, "its own table has none: main is next"
    assert not found(edge() + vrf("node", f"{leak}\n{kind}"))


def test_what_is_not_evaluated_is_no_proof_and_no_silence() -> None:
    leg = links(link(2, "eth0", "02:00:00:00:02:00", master="team0"), host="node")
    told = circles(model(edge() + node() + leg))
    assert not told.found
    assert [one.what for one in told.unfollowed] == ["eth0 is a leg of team0"]


def test_three_in_a_ring() -> None:
    text = (
        router("a", 1, ("10.0.1.1/24", "10.0.3.1/24"), (f"{POOL} via 10.0.1.2 dev eth0",))
        + router("b", 2, ("10.0.1.2/24", "10.0.2.2/24"), ("default via 10.0.2.3 dev eth1",))
        + router("c", 3, ("10.0.2.3/24", "10.0.3.3/24"), ("default via 10.0.3.1 dev eth1",))
    )
    circle = only(text)
    assert len({hop.place.dev.host for hop in circle.ring}) == 3


def test_a_ring_with_many_prefixes_leaves_room_for_another() -> None:
    many = [f"10.1.{number}.0/24 via 203.0.113.7 dev eth1" for number in range(100)]
    other = router("other", 3, ("192.0.2.2/24",), ("default via 192.0.2.1 dev eth0",))
    told = circles(model(edge(*many, f"{POOL} via 192.0.2.2 dev eth0") + node() + other))
    assert {circle.candidate.ring[1][0] for circle in told.found} == {"node", "other"}
    assert told.cut


def test_no_more_hops_than_there_is_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hopback.engines.circles.MAX_HOPS", 0)
    told = circles(model(edge() + node()))
    assert (told.found, told.cut) == ((), True)


def test_an_address_of_the_node_is_none_of_the_ring() -> None:
    own = listing("ip -o addr show", ["9: lo    inet 198.51.100.1/32 scope global lo"], "node")
    circle = only(edge() + node() + own)
    assert str(circle.candidate.target) != "198.51.100.1"
