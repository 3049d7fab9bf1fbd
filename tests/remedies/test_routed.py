"""Routes that end a ring: proved where nothing is lost by them, rejected where something is."""

import re

import pytest

from hopback.checks.diagnose import diagnose
from hopback.findings import Fix
from hopback.remedies.attach import with_remedies
from tests.build import listing, pasted
from tests.routers import POOL, edge, node, router

VIP = listing("ip -o addr show", ["9: lo    inet 198.51.100.5/32 scope global lo"], "node")


def fixes(text: str) -> dict[str, Fix]:
    snapshots = pasted(text)
    report = with_remedies(snapshots, diagnose(snapshots))
    return {fix.name: fix for finding in report.findings for fix in finding.fixes}


def test_a_blackhole_for_the_pool() -> None:
    fix = fixes(edge() + node() + VIP)["blackhole_route"]
    assert (fix.proved, fix.safe, fix.host) == (True, True, "node")
    assert fix.commands == (f"ip route add blackhole {POOL}",)
    assert fix.undo == (f"ip route del blackhole {POOL}",)
    assert fix.keeps == ("198.51.100.5",)
    assert [p.where.split()[0] for p in fix.persistence] == [
        "systemd-networkd",
        "netplan",
        "ifupdown",
        "FRR",
    ]
    assert all(any(POOL in line for line in p.lines) for p in fix.persistence)


def test_the_route_of_what_is_used_is_not_stale() -> None:
    stale = fixes(edge() + node() + VIP)["stale_route"]
    assert not stale.proved
    assert stale.rejected_because is not None
    assert "198.51.100.5 is lost" in stale.rejected_because


def test_a_forgotten_route() -> None:
    stale = fixes(edge() + node())["stale_route"]
    assert (stale.proved, stale.safe, stale.host) == (True, False, "edge")
    assert stale.commands == (f"ip route del {POOL} via 203.0.113.7 dev eth1",)
    assert stale.undo == (f"ip route add {POOL} via 203.0.113.7 dev eth1",)


def test_both_have_a_route_for_all_of_it() -> None:
    """A blackhole beside the same prefix would not be entered: one of the two has to go."""
    found = fixes(edge() + node(f"{POOL} via 203.0.113.1 dev eth0 proto static metric 20"))
    assert "blackhole_route" not in found
    assert found["stale_route"].proved


def test_a_longer_prefix_behind_the_node_goes_on_working() -> None:
    behind = router(
        "node",
        2,
        ("203.0.113.7/24", "10.9.0.1/24"),
        ("default via 203.0.113.1 dev eth0", "198.51.100.64/26 via 10.9.0.2 dev eth1"),
    )
    fix = fixes(edge() + behind)["blackhole_route"]
    assert fix.proved
    assert fix.keeps == ("198.51.100.64/26",)


def test_all_prefixes_of_the_ring_at_once() -> None:
    more = "198.51.101.0/24"
    routes = (f"{POOL} via 203.0.113.7 dev eth1", f"{more} via 203.0.113.7 dev eth1")
    found = fixes(edge(*routes) + node())
    assert len(found["blackhole_route"].commands) == 2
    assert found["blackhole_route"].proved
    assert found["stale_route"].rejected_because is not None, "the other prefix goes on"


@pytest.mark.parametrize("table", ["main", "7"])
def test_in_the_table_that_counts(table: str) -> None:
    rules = ("0:\tfrom all lookup local", "100:\tfrom all lookup 7", "32766:\tfrom all lookup main")
    default = f"default via 203.0.113.1 dev eth0{'' if table == 'main' else ' table 7'}"
    text = router("node", 2, ("203.0.113.7/24",), (default,), rules=rules)
    fix = fixes(edge() + text)["blackhole_route"]
    words = "" if table == "main" else " table 7"
    assert fix.commands == (f"ip route add blackhole {POOL}{words}",)
    assert fix.proved


SERVICES = listing(
    "iptables-save -t nat",
    (
        "*nat",
        ":PREROUTING ACCEPT [0:0]",
        ":OUTPUT ACCEPT [0:0]",
        ":KUBE-SERVICES - [0:0]",
        ":KUBE-SVC-DNS - [0:0]",
        "-A PREROUTING -j KUBE-SERVICES",
        "-A OUTPUT -j KUBE-SERVICES",
        "-A KUBE-SERVICES -d 198.51.100.10/32 -p udp -m udp --dport 53 -j KUBE-SVC-DNS",
        "-A KUBE-SVC-DNS -p udp -m udp -j DNAT --to-destination 203.0.113.8:53",
        "COMMIT",
    ),
    "node",
)


def test_what_the_host_itself_reaches_by_nat() -> None:
    """A route is looked up before NAT of the host's own packets; a rule for others is not."""
    found = fixes(edge() + node() + SERVICES)
    route = found["blackhole_route"]
    assert not route.proved
    assert route.rejected_because is not None
    assert "the host's own to 198.51.100.10, UDP 53 is lost" in route.rejected_because
    rule = found["blackhole_rule"]
    assert rule.proved
    assert rule.keeps == ("the host's own to 198.51.100.10, UDP 53",)
    assert rule.commands == (f"ip rule add pref 32765 iif eth0 to {POOL} blackhole",)


def test_without_its_filters_a_rule_alone_is_certain() -> None:
    unlisted = re.sub(r"(?m)^\w+# iptables-save\n(?:[*:C].*\n)*", "", edge() + node())
    found = fixes(unlisted)
    assert not found["blackhole_route"].proved
    assert "NAT" in found["blackhole_route"].blast_radius
    assert found["blackhole_rule"].proved


def test_a_rule_would_keep_off_what_has_a_route() -> None:
    behind = router(
        "node",
        2,
        ("203.0.113.7/24", "10.9.0.1/24"),
        ("default via 203.0.113.1 dev eth0", "198.51.100.64/26 via 10.9.0.2 dev eth1"),
    )
    rule = fixes(edge() + behind)["blackhole_rule"]
    assert rule.rejected_because is not None
    assert "198.51.100.64/26 is lost" in rule.rejected_because


def test_ipv6_says_so_to_the_tool() -> None:
    nics = ("2001:db8:1::1/64", "2001:db8:2::1/64")
    text = router("edge", 1, nics, ("2001:db8:f::/48 via 2001:db8:2::7 dev eth1",)) + router(
        "node", 2, ("2001:db8:2::7/64",), ("default via 2001:db8:2::1 dev eth0",)
    )
    found = fixes(text)
    assert found["blackhole_route"].proved
    assert found["blackhole_rule"].commands[0].startswith("ip -6 rule add ")


def test_text_alone_has_no_remedy() -> None:
    reply = "From 192.0.2.5 icmp_seq=1 Time to live exceeded"
    assert not fixes(listing("ping 198.51.100.30", [reply], "client"))
