"""ipvs-loop: a client's packet followed through directors all of whose tables were given."""

import pytest

from hopback.findings import Report
from tests.build import checks, listing, only, report

VIP = "192.0.2.100"
OWN = {"a": 11, "b": 12, "c": 13}
NEXT = {"a": "b", "b": "a"}
ON_LO = f"    inet {VIP}/32 scope global lo"
GUARD = (
    "-A PREROUTING -d 192.0.2.100/32 -p udp -m mac ! --mac-source {} -j MARK --set-xmark 0x1/0x1"
)


def mac(host: str) -> str:
    return f"00:00:5e:00:53:{OWN[host]}"


def tables(
    host: str, *, vip: bool = True, release: str = "6.1.0", settings: tuple[str, ...] = ()
) -> str:
    """What any host lists: addresses, routes, settings, its kernel, and that it has no filters."""
    lines = ["1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN"]
    lines += ["    inet 127.0.0.1/8 scope host lo", *([ON_LO] if vip else [])]
    lines += ["2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP"]
    lines += [f"    link/ether {mac(host)} brd ff:ff:ff:ff:ff:ff"]
    lines += [f"    inet 192.0.2.{OWN[host]}/24 scope global eth0"]
    told = ["net.ipv4.conf.all.rp_filter = 0", "net.ipv4.conf.eth0.rp_filter = 0"]
    told += ["net.ipv4.conf.all.arp_ignore = 1", "net.ipv4.conf.all.arp_announce = 2"]
    quiet = settings or ("net.ipv4.ip_forward = 0",)
    return (
        listing("ip addr show", lines, host)
        + listing("ip route show", ["192.0.2.0/24 dev eth0 scope link"], host)
        + listing("sysctl -a", [*told, *quiet], host)
        + listing("uname -r", [release], host)
    )


def services(host: str, to: str, way: str = "-g", service: str = f"-u {VIP}:5000") -> str:
    lines = [f"-A {service} -s rr", f"-a {service} -r 192.0.2.{OWN[to]}:5000 {way} -w 1"]
    return listing("ipvsadm -Sn", lines, host) + listing("ipvsadm -L --daemon", [""], host)


def pair(**changes: str) -> Report:
    """a and b, each the other's real server, with what else is listed of one."""
    parts = [tables(h) + services(h, NEXT[h]) + changes.get(h, "") for h in "ab"]
    return report("".join(parts))


def test_both_have_it_on_lo() -> None:
    given = pair()
    found = only(given, "ipvs-loop")
    assert given.verdict == "comes-back"
    assert (found.confidence, found.evidence) == ("certain", "simulated")
    assert (found.details["endless"], found.details["frames_per_packet"]) == (False, 64)
    assert found.details["masters"] == []


def test_what_was_listed_is_not_asked_for() -> None:
    asked = [step.command for step in pair().next]
    assert asked
    assert not any("backup_only" in command for command in asked)
    thread = listing("ipvsadm -L --daemon", ["backup sync daemon (mcast=eth0, syncid=51)"], "b")
    assert any("backup_only" in step.command for step in pair(b=thread).next)


def test_old_kernels() -> None:
    old = [tables(h, release="3.10.0") + services(h, NEXT[h]) for h in "ab"]
    found = only(report("".join(old)), "ipvs-loop")
    assert (found.details["endless"], found.details["frames_per_packet"]) == (True, None)
    one = tables("a", release="3.10.0") + services("a", "b") + tables("b") + services("b", "a")
    found = only(report(one), "ipvs-loop")
    assert found.details["endless"] is False
    assert found.details["frames_per_packet"] > 64


def test_a_backup_schedules_nothing() -> None:
    setting = listing("sysctl -a", ["net.ipv4.vs.backup_only = 1"], "b")
    thread = "backup sync daemon (mcast=eth0, syncid=51)"
    daemon = listing("ipvsadm -L --daemon", [thread], "b")
    assert only(pair(b=setting), "ipvs-loop").severity == "error"  # no thread runs
    found = only(pair(b=setting + daemon), "ipvs-loop")
    assert (found.severity, "spared" in found.details) == ("info", True)
    assert any("backup_only" in e.text for e in found.because)


def test_a_backup_that_forwards_what_it_gets() -> None:
    router = tables("b", vip=False, settings=("net.ipv4.ip_forward = 1",))
    neighbour = listing("ip neigh show", [f"{VIP} dev eth0 lladdr {mac('a')} REACHABLE"], "b")
    found = only(report(tables("a") + services("a", "b") + router + neighbour), "ipvs-loop")
    assert found.details["endless"] is False
    assert found.details["directors"] == ["a"]


def test_a_plain_real_server() -> None:
    given = report(tables("a") + services("a", "b") + tables("b"))
    assert "ipvs-loop" not in checks(given)
    assert given.verdict == "clear"


def test_three_in_a_ring() -> None:
    ring = [tables(h) + services(h, to) for h, to in ("ab", "bc", "ca")]
    found = only(report("".join(ring)), "ipvs-loop")
    assert found.details["directors"] == ["a", "b", "c"]
    assert found.details["frames_per_packet"] == 64


def marked(host: str, spared: str) -> str:
    rule = GUARD.format(mac(spared))
    rules = ["-P PREROUTING ACCEPT", rule]
    return services(host, NEXT[host], service="-f 1") + listing(
        "iptables -t mangle -S PREROUTING", rules, host
    )


def test_a_mark_that_spares_the_peer() -> None:
    given = report("".join(tables(h) + marked(h, NEXT[h]) for h in "ab"))
    found = only(given, "ipvs-loop")
    assert (found.severity, "spared" in found.details) == ("info", True)
    assert given.verdict == "clear"


def test_a_mark_that_spares_nobody_who_matters() -> None:
    given = report("".join(tables(h) + marked(h, h) for h in "ab"))
    assert only(given, "ipvs-loop").severity == "error"
    assert given.verdict == "comes-back"


def test_masquerading_ends_at_the_server() -> None:
    nat = "".join(tables(h) + services(h, NEXT[h], "-m") for h in "ab")
    assert "ipvs-loop" not in checks(report(nat))


def several(host: str, *lines: str) -> str:
    return listing("ipvsadm -Sn", lines, host) + listing("ipvsadm -L --daemon", [""], host)


@pytest.mark.parametrize("order", ["abc", "cba", "bac"])
def test_a_director_that_only_sends_into_a_ring_is_none_of_it(order: str) -> None:
    to = {"a": "b", "b": "c", "c": "b"}
    found = only(report("".join(tables(h) + services(h, to[h]) for h in order)), "ipvs-loop")
    assert set(found.details["directors"]) == {"b", "c"}


def test_a_server_of_no_weight_is_passed_over() -> None:
    service = f"-u {VIP}:5000"
    spare = f"-a {service} -r 192.0.2.{OWN['c']}:5000 -g -w 0"
    used = f"-a {service} -r 192.0.2.{OWN['b']}:5000 -g -w 1"
    first = tables("a") + several("a", f"-A {service} -s rr", spare, used)
    ring = first + "".join(tables(h) + services(h, to) for h, to in ("bc", "ca"))
    found = only(report(ring), "ipvs-loop")
    assert found.details["directors"] == ["a", "b", "c"]
    assert found.details["servers"] == [f"192.0.2.{OWN[h]}" for h in "bca"]


def test_a_mark_takes_what_another_service_names() -> None:
    """Who follows the packets of the one comes to a ring of the other."""
    parts = []
    for host, peer in NEXT.items():
        named = [f"-A -u {VIP}:5000 -s rr", f"-a -u {VIP}:5000 -r 192.0.2.{OWN['c']}:5000 -g -w 1"]
        marked = ["-A -f 1 -s rr", f"-a -f 1 -r 192.0.2.{OWN[peer]}:0 -g -w 1"]
        rule = f"-A PREROUTING -d {VIP}/32 -p udp -m udp --dport 5000 -j MARK --set-xmark 0x1/0x1"
        rules = listing("iptables -t mangle -S PREROUTING", ["-P PREROUTING ACCEPT", rule], host)
        parts.append(tables(host) + several(host, *named, *marked) + rules)
    assert only(report("".join(parts) + tables("c")), "ipvs-loop").subject == "mark 1"


FAR = "198.51.100.20"


def sent_back(way: str) -> str:
    """b routes to a what a sends by it to a server elsewhere; c is a server that is here."""
    routers = {}
    for host, other, near in (("a", "b", True), ("b", "a", False)):
        routed = f"192.0.2.0/24 dev eth0 scope link\n198.51.100.0/24 via 192.0.2.{OWN[other]}"
        text = tables(host, vip=near, settings=("net.ipv4.ip_forward = 1",))
        known = [f"192.0.2.{OWN[other]} dev eth0 lladdr {mac(other)} REACHABLE"]
        known += [] if near else [f"{VIP} dev eth0 lladdr {mac(other)} REACHABLE"]
        text = text.replace("192.0.2.0/24 dev eth0 scope link", f"{routed} dev eth0")
        routers[host] = text + listing("ip neigh show", known, host)
    servers = (f"-a -u {VIP}:5000 -r {s}:5000 {way} -w 1" for s in (FAR, f"192.0.2.{OWN['c']}"))
    director = several("a", f"-A -u {VIP}:5000 -s rr", *servers)
    return routers["a"] + director + routers["b"] + tables("c")


def test_a_router_on_the_way_to_a_server_sends_back() -> None:
    found = only(report(sent_back("-g")), "ipvs-loop")
    assert (found.details["directors"], found.details["servers"]) == (["a"], [FAR])
    assert "a sends packets to b (DR), which returns them" in found.summary


@pytest.mark.parametrize("way", ["-m", "-i"])
def test_what_goes_round_between_routers_after_ipvs_is_none_of_its(way: str) -> None:
    assert checks(report(sent_back(way))) & {"ipvs-loop", "routing-loop"} == {"routing-loop"}
