"""tunnel-recursion: a tunnel's outer packet is routed into the tunnel."""

import pytest

from tests.build import checks, cited, of, only, report
from tests.datapath.test_wireguard import left as wireguard
from tests.datapath.test_wireguard import peer
from tests.datapath.tunnel_hosts import host, ipip, tunnel

NAME = "tunnel-recursion"
FAR = "198.51.100.9"
ONE = ipip(5, "t0", "192.0.2.1", FAR)
TWO = ipip(5, "t0", "192.0.2.1", "198.51.100.8") + ipip(6, "t1", "192.0.2.1", FAR)
BY_DEFAULT = "default dev t0 scope link"
RULES = """
root@left:~# ip rule show
0:	from all lookup local
{}
32766:	from all lookup main
32767:	from all lookup default
"""
USUAL = RULES.format("")
QUICK = RULES.format(
    "32764:	from all lookup main suppress_prefixlength 0\n"
    "32765:	not from all fwmark 0xca6c lookup 51820"
)


def given(tunnels: str, routes: str, more: str = USUAL) -> str:
    return host("left", tunnels, routes) + more


def test_the_default_route_leads_into_the_tunnel() -> None:
    found = report(given(ONE, BY_DEFAULT))
    finding = only(found, NAME)
    assert found.verdict == "comes-back"
    assert (finding.severity, finding.evidence, finding.confidence) == (
        "error",
        "predicted",
        "certain",
    )
    assert (finding.subject, finding.details["kind"]) == ("t0", "own-route")
    assert (finding.details["ends"], finding.details["log"]) == ("dropped", None)
    assert finding.details["remotes"] == [FAR]
    assert "default dev t0 scope link" in cited(finding)
    assert any("ipip any remote" in line for line in cited(finding))


@pytest.mark.parametrize(
    "near",
    [
        f"{FAR} via 192.0.2.254 dev eth0",
        "198.51.100.0/24 via 192.0.2.254 dev eth0",
        f"unreachable {FAR}",
    ],
)
def test_a_more_specific_route_by_the_underlay(near: str) -> None:
    assert NAME not in checks(report(given(ONE, f"{BY_DEFAULT}\n{near}")))


def test_bound_to_a_device_below() -> None:
    bound = ipip(5, "t0", "192.0.2.1", FAR, "dev eth0 ttl inherit")
    assert NAME not in checks(report(given(bound, BY_DEFAULT)))


def test_without_routes_it_stays_open() -> None:
    """Where the outer packets go decides, and nothing shows it."""
    shown = host("left", ONE, BY_DEFAULT)
    bare = shown[: shown.index("root@left:~# ip route")]
    found = report(bare)
    assert found.verdict == "undecided"
    assert f"nothing shows where t0 sends its packets for {FAR}" in [g.reason for g in found.gaps]


def test_a_tunnel_that_is_down() -> None:
    down = ONE.replace("<POINTOPOINT,NOARP,UP,LOWER_UP>", "<POINTOPOINT,NOARP>")
    assert NAME not in checks(report(given(down, BY_DEFAULT)))


@pytest.mark.parametrize(
    ("kind", "link", "details", "routes", "log"),
    [
        ("gre", "gre", f"gre remote {FAR} local any ttl 64", f"{FAR} dev t0 scope link", None),
        (
            "ip6tnl",
            "tunnel6",
            "ip6tnl any remote 2001:db8:9::9 local 2001:db8::1 hoplimit 64 encaplimit 4",
            "2001:db8:9::/64 dev t0 metric 1024",
            "Local routing loop detected!",
        ),
        (
            "vxlan",
            "ether 02:00:00:00:00:09",
            f"vxlan id 7 remote {FAR} local 192.0.2.1 srcport 0 0 dstport 4789 ttl auto ageing 300",
            f"{FAR} dev t0 scope link",
            None,
        ),
    ],
)
def test_every_kind(kind: str, link: str, details: str, routes: str, log: str | None) -> None:
    finding = only(report(given(tunnel(5, "t0", link, details), routes)), NAME)
    assert (finding.details["kind"], finding.details["log"]) == ("own-route", log)


def test_the_remote_is_the_host_itself() -> None:
    details = "ip6tnl any remote 2001:db8::1 local 2001:db8::1 hoplimit 64 encaplimit 4"
    finding = only(report(given(tunnel(5, "t0", "tunnel6", details), "")), NAME)
    assert finding.details["kind"] == "own-remote"


def test_two_tunnels_through_each_other() -> None:
    routes = f"198.51.100.8 dev t1 scope link\n{FAR} dev t0 scope link"
    finding = only(report(given(TWO, routes)), NAME)
    assert (finding.details["kind"], finding.details["ends"]) == ("nested", "dropped")
    assert finding.details["devices"] == ["t0", "t1"]
    assert finding.details["log"] == "Dead loop on virtual device"
    assert "t0 sends to 198.51.100.8 through t1" in finding.summary


def test_a_tunnel_in_a_tunnel_is_none() -> None:
    routes = "198.51.100.8 dev t1 scope link\ndefault via 192.0.2.254 dev eth0"
    assert NAME not in checks(report(given(TWO, routes)))


def pair(left: str, right: str, ttl: str = "ttl inherit") -> str:
    return host("left", ipip(5, "t0", "192.0.2.1", FAR, ttl), left) + host(
        "right", ipip(5, "t0", "192.0.2.2", "198.51.100.8", ttl), right
    )


OUT = f"{FAR} via 192.0.2.2 dev eth0\n198.51.100.8 dev t0 scope link"
BACK = f"198.51.100.8 via 192.0.2.1 dev eth0\n{FAR} dev t0 scope link"


@pytest.mark.parametrize(("ttl", "ends"), [("ttl inherit", "ttl"), ("ttl 64", "size")])
def test_it_circulates_between_two_hosts(ttl: str, ends: str) -> None:
    finding = only(report(pair(OUT, BACK, ttl)), NAME)
    assert (finding.details["kind"], finding.details["ends"]) == ("circulates", ends)
    assert (finding.evidence, finding.details["hosts"]) == ("simulated", ["left", "right"])
    assert "of left sends to 198.51.100.9 goes to right and comes back into t0" in finding.summary
    assert [(s.host, s.device, s.direction) for s in finding.path] == [
        ("left", "t0", "out"),
        ("left", "eth0", "out"),
        ("right", "eth0", "in"),
        ("right", "t0", "out"),
        ("right", "eth0", "out"),
        ("left", "eth0", "in"),
        ("left", "t0", "out"),
    ]


def test_the_other_host_sends_it_on() -> None:
    away = f"198.51.100.8 via 192.0.2.1 dev eth0\n{FAR} via 192.0.2.254 dev eth0"
    assert NAME not in checks(report(pair(OUT, away)))


WG_DEFAULT = "default dev wg0 scope link\n192.0.2.0/24 dev eth0 scope link"


def test_wireguard_into_itself() -> None:
    text = wireguard(peer("0.0.0.0/0", FAR), routes=WG_DEFAULT)
    finding = only(report(text + USUAL), NAME)
    assert (finding.subject, finding.details["kind"]) == ("wg0", "sealed-again")
    assert finding.details["ends"] == "size"
    old = wireguard(peer("0.0.0.0/0", FAR), routes=WG_DEFAULT, release="5.6.0")
    assert only(report(old + USUAL), NAME).details["kind"] == "own-route"


def test_the_rules_of_wg_quick_keep_it_off() -> None:
    routes = "default via 192.0.2.254 dev eth0\ndefault dev wg0 table 51820 scope link"
    marked = wireguard(peer("0.0.0.0/0", FAR), routes=routes, mark="  fwmark: 0xca6c")
    assert NAME not in checks(report(marked + QUICK))
    unmarked = wireguard(peer("0.0.0.0/0", FAR), routes=routes)
    assert only(report(unmarked + QUICK), NAME).details["kind"] == "sealed-again"


def test_a_peer_behind_another_peer_is_meant() -> None:
    routes = f"{FAR} dev wg0 scope link\n10.0.0.0/8 dev wg0 scope link"
    text = wireguard(peer("10.0.0.0/8", FAR), peer(f"{FAR}/32", "192.0.2.2", 0), routes=routes)
    assert NAME not in checks(report(text + USUAL))


def test_a_log_alone() -> None:
    text = """
        [  11.000000] Dead loop on virtual device gre1, fix it urgently!
        [  12.000000] ip_tunnel_core: Dead loop on virtual device gre1, fix it urgently!
        [  13.000000] ip6tnl1: Local routing loop detected!
    """
    second, first = of(report(text), NAME)
    assert (first.subject, first.confidence, first.details["kind"]) == ("gre1", "likely", "logged")
    assert len(first.because) == 2
    assert (second.subject, second.confidence, second.evidence) == (
        "ip6tnl1",
        "certain",
        "reported",
    )


def test_a_log_that_the_tables_explain() -> None:
    log = """
root@left:~# dmesg
[  11.000000] Dead loop on virtual device t1, fix it urgently!
"""
    routes = f"198.51.100.8 dev t1 scope link\n{FAR} dev t0 scope link"
    finding = only(report(given(TWO, routes, USUAL + log)), NAME)
    assert (finding.evidence, finding.details["kind"]) == ("reported", "nested")
    assert any("Dead loop" in line for line in cited(finding))
