"""What has to be listed for a route to be found, and what is asked."""

from ipaddress import ip_address

import pytest

from hopback.datapath.effects import Ask, Blind, Drop, Place, Send
from hopback.datapath.ip.host import Host
from hopback.datapath.ip.key import Key
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.path import step
from tests.build import dev, link, links, listing, model
from tests.datapath.ip.test_known import ADDRESSES, ETH, ON, OWN, WHOLE, packet

LOCAL, MAIN = "0: from all lookup local", "32766: from all lookup main"
DEFAULT = "32767: from all lookup default"
NEAR = (("192.0.2.0/24", "eth0"), ("198.51.100.0/24", "eth1"))
FAR = ip_address("203.0.113.9")


def host(text: str) -> Host:
    return model(text).hosts["kvm1", ""]


def to_far(text: str, source: str = "192.0.2.1") -> object:
    return lookup(host(text), {}, Key(FAR, ip_address(source)))


def rules(*between: str) -> str:
    return listing("ip rule show", [LOCAL, *between, MAIN, DEFAULT])


def test_a_table_that_a_rule_names_and_nobody_listed_is_not_empty() -> None:
    found = to_far(WHOLE + rules("9: from all lookup 100"))
    assert isinstance(found, Blind)
    assert "table 100" in found.what
    assert len(found.refs) == 1, "the rule"


def test_a_table_that_was_listed_is_known() -> None:
    table = listing("ip route show table 100", ["default via 192.0.2.9 dev eth0"])
    found = to_far(WHOLE + rules("9: from 192.0.2.1 lookup 100") + table)
    assert isinstance(found, Way)
    assert (found.dev, found.nexthop) == ("eth0", ip_address("192.0.2.9"))
    assert len(found.refs) == 2, "the route, and the rule that leads to it"


def test_replies_by_a_table_that_lacks_a_network_leave_by_its_default() -> None:
    """A rule for the host's own address hides what only main knows (a container's bridge)."""
    routes = listing(
        "ip route show",
        ["192.0.2.0/24 dev eth0 proto kernel scope link", "172.17.0.0/16 dev docker0 scope link"],
    )
    table = listing("ip route show table 7", ["default via 192.0.2.254 dev eth0"])
    text = ETH + ADDRESSES + routes + table + rules("3: from 192.0.2.1 lookup 7")
    container = ip_address("172.17.0.2")
    ruled = lookup(host(text), {}, Key(container, ip_address("192.0.2.1")))
    assert isinstance(ruled, Way)
    assert ruled.dev == "eth0"
    other = lookup(host(text), {}, Key(container, ip_address("172.17.0.1")))
    assert isinstance(other, Way)
    assert other.dev == "docker0"


def test_a_part_of_the_rules_tells_only_that_there_are_some() -> None:
    some = listing("ip rule show | grep 100", ["9: from all lookup 100"])
    found = to_far(WHOLE + some)
    assert isinstance(found, Blind)
    assert found.what == "policy rules of which some are not shown"
    usual = listing("ip rule show | grep main", [MAIN])
    assert isinstance(to_far(WHOLE + usual), Drop)


def test_several_next_hops_are_worlds() -> None:
    several = listing(
        "ip route show",
        [
            "192.0.2.0/24 dev eth0 proto kernel scope link",
            "198.51.100.0/24 dev eth1 proto kernel scope link",
            "203.0.113.0/24",
            "\tnexthop via 192.0.2.9 dev eth0 weight 1",
            "\tnexthop via 198.51.100.9 dev eth1 weight 2",
        ],
    )
    routed = host(ETH + ADDRESSES + several)
    key = Key(FAR, ip_address("198.51.100.77"), iif="eth1", protocol=17, source_port=5)
    asked = lookup(routed, {}, key)
    assert isinstance(asked, Ask)
    assert len(asked.question.answers) == 2
    ways = [lookup(routed, {asked.question: a}, key) for a in asked.question.answers]
    assert [way.dev for way in ways if isinstance(way, Way)] == ["eth0", "eth1"]


def test_a_next_hop_that_is_dead_takes_nothing() -> None:
    near = Key(ip_address("198.51.100.7"))
    assert isinstance(lookup(host(WHOLE), {}, near), Way)
    dead = [f"{network} dev {out} scope link" for network, out in NEAR]
    dead[1] += " dead linkdown"
    assert isinstance(
        lookup(host(ETH + ADDRESSES + listing("ip route show", dead)), {}, near), Drop
    )


def test_a_vrfs_devices_are_routed_by_its_table() -> None:
    text = links(
        link(2, "eth0", OWN, master="red", port=None),
        link(3, "eth1", "02:00:00:00:0a:01"),
        link(4, "red", "02:00:00:00:0a:09", "vrf table 10"),
    )
    table = [
        "192.0.2.0/24 dev eth0 table 10 proto kernel scope link",
        "local 192.0.2.1 dev eth0 table 10 proto kernel scope host",
        "198.51.100.0/24 dev eth1 proto kernel scope link",
        "203.0.113.0/24 via 198.51.100.9 dev eth1 table 10",
    ]
    text += ADDRESSES + listing("ip route show table all", table) + ON
    known = listing("ip neigh show", ["198.51.100.9 dev eth1 lladdr 02:00:00:00:02:02 REACHABLE"])
    off = listing("sysctl net.ipv4.conf.all.rp_filter", ["net.ipv4.conf.all.rp_filter = 0"])
    (leaked,) = step(
        model(text + known + off + _eth0_off()),
        {},
        Place(dev("eth0"), "in"),
        packet("192.0.2.9", "203.0.113.9"),
    )
    assert isinstance(leaked, Send)
    assert leaked.dev.name == "eth1"
    outside = lookup(host(text), {}, Key(FAR, iif="eth1"))
    assert isinstance(outside, Drop), "only the VRF's table has a way"


def _eth0_off() -> str:
    return listing("sysctl net.ipv4.conf.eth0.rp_filter", ["net.ipv4.conf.eth0.rp_filter = 0"])


@pytest.mark.parametrize("source", ["2001:db8::5", "eth0"])
def test_a_route_whose_source_none_of_its_packets_has_is_not_evaluated(source: str) -> None:
    odd = f"203.0.113.0/24 via 192.0.2.9 dev eth0 src {source}"
    found = to_far(WHOLE + listing("ip route show", [odd]))
    assert isinstance(found, Blind)
    assert found.what == f"a src {source} route"
