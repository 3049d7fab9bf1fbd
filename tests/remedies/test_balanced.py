"""Remedies for rings of directors: proved where packets end and clients are answered."""

import pytest

from hopback.checks.diagnose import diagnose
from hopback.findings import Fix, Report
from hopback.remedies.attach import with_remedies
from tests.build import listing, pasted
from tests.datapath.ipvs.given import MACS, OWN, OWN6, VIP, VIP6, host

_FORWARD = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")


def routing(name: str, value: int) -> str:
    return listing(f"sysctl {' '.join(_FORWARD)}", [f"{k} = {value}" for k in _FORWARD], name)


def kernel(release: str) -> str:
    return "".join(listing("uname -r", [release], name) for name in "ab")


NEW, OLD = kernel("6.1.0-18-amd64"), kernel("3.10.0")
BACKUP = listing("ipvsadm -L --daemon", ["backup sync daemon (mcast=eth0, syncid=1)"], "b")
NONE = listing("ipvsadm -L --daemon", [], "b")
UDP = f"-u {VIP}:5000"


def save(name: str, *lines: str) -> str:
    return listing("ipvsadm -Sn", lines, name)


def service(name: str, *servers: str, of: str = UDP, way: str = "-g") -> str:
    lines = (f"-a {of} -r {server}:5000 {way} -w 1" for server in servers)
    return save(name, f"-A {of} -s rr", *lines)


def text(a: str, b: str) -> str:
    return host("a") + host("b") + routing("a", 0) + routing("b", 0) + a + b


BOTH = text(service("a", OWN["b"]), service("b", OWN["a"]))


def fixes(given: str, check: str = "ipvs-loop") -> dict[str, Fix]:
    snapshots = pasted(given)
    report = with_remedies(snapshots, diagnose(snapshots))
    return {fix.name: fix for f in report.findings if f.check == check for fix in f.fixes}


def test_what_stops_it_now_comes_first() -> None:
    found = fixes(BOTH + NEW)
    fix = next(iter(found.values()))
    assert (fix.name, fix.host, fix.proved, fix.safe) == ("clear_service", "b", True, False)
    assert fix.commands == (f"ipvsadm -D {UDP}",)
    assert fix.undo == (
        f"ipvsadm -A {UDP} -s rr",
        f"ipvsadm -a {UDP} -r {OWN['a']}:5000 -g -w 1",
    )
    assert fix.limits is not None
    assert f"shut the switch port that has {MACS['a']}" in fix.limits


def test_the_mutual_relation_ends_on_one_side() -> None:
    fix = fixes(BOTH + NEW)["own_server"]
    assert (fix.host, fix.proved, fix.safe) == ("b", True, True)
    assert fix.commands == (
        f"ipvsadm -a {UDP} -r {OWN['b']}:5000 -g -w 1",
        f"ipvsadm -d {UDP} -r {OWN['a']}:5000",
    )
    assert f"UDP {VIP}:5000 at a: answered by b" in fix.keeps


def test_who_serves_itself_already_only_loses_the_peer() -> None:
    given = text(service("a", OWN["b"]), service("b", OWN["b"], OWN["a"]))
    assert fixes(given + NEW)["own_server"].commands == (f"ipvsadm -d {UDP} -r {OWN['a']}:5000",)


def test_one_rule_spares_the_peer() -> None:
    fix = fixes(BOTH + NEW)["mark_guard"]
    assert fix.proved
    (file,) = fix.files
    rule = f"ether saddr != {{ {MACS['a']} }} ip daddr {VIP} udp dport 5000 meta mark set 100"
    assert rule in file.content
    assert fix.commands[1:] == (
        "ipvsadm -A -f 100 -s rr",
        f"ipvsadm -a -f 100 -r {OWN['a']}:5000 -g -w 1",
        f"ipvsadm -D {UDP}",
    )


@pytest.mark.parametrize(("thread", "proved"), [(BACKUP, True), (NONE, False)])
def test_backup_only_where_a_backup_s_thread_runs(thread: str, proved: bool) -> None:
    fix = fixes(BOTH + NEW + thread)["backup_only"]
    assert fix.commands == ("sysctl -w net.ipv4.vs.backup_only=1",)
    assert fix.proved == proved
    assert (fix.rejected_because is None) == proved
    if not proved:
        assert "no synchronisation thread" in str(fix.rejected_because)


PROC = [  # as ``cat /proc/net/ip_vs`` prints b's table: in ticks, of a length that it does not tell
    "IP Virtual Server version 1.2.1 (size=4096)",
    "Prot LocalAddress:Port Scheduler Flags",
    "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn",
    "UDP  0A000064:1388 rr persistent 75000 FFFFFF00",
    "  -> 0A00000B:1388      Route   1      0          0",
]


@pytest.mark.parametrize("told", [True, False])
def test_the_undo_keeps_what_any_listing_said_of_the_service(told: bool) -> None:
    saved = save(
        "b",
        f"-A {UDP} -s rr -p 300 -M 255.255.255.0",
        f"-a {UDP} -r {OWN['a']}:5000 -g -w 1 -x 9",
    )
    by_kernel = listing("cat /proc/net/ip_vs", PROC, "b")
    fix = fixes(text(service("a", OWN["b"]), saved * told + by_kernel))["clear_service"]
    time, most = (" 300", " -x 9") if told else ("", "")
    assert fix.undo == (
        f"ipvsadm -A {UDP} -s rr -p{time} -M 255.255.255.0",
        f"ipvsadm -a {UDP} -r {OWN['a']}:5000 -g -w 1{most}",
    )
    assert ("360 seconds" in str(fix.limits)) != told


def test_the_undo_keeps_the_flags_of_the_scheduler() -> None:
    words = f"-A {UDP} -s sh -b sh-port,sh-fallback -o"
    saved = save("b", words, f"-a {UDP} -r {OWN['a']}:5000 -g -w 1")
    fix = fixes(text(service("a", OWN["b"]), saved))["clear_service"]
    assert fix.undo[0] == f"ipvsadm {words}"


@pytest.mark.parametrize(("release", "offered"), [(NEW, False), (OLD, True), ("", True)])
def test_a_limit_for_kernels_that_have_none(release: str, offered: bool) -> None:
    fix = fixes(BOTH + release).get("ttl_limit")
    assert (fix is not None) == offered
    if fix is not None:
        assert not fix.proved
        first, second = fix.commands
        assert first.endswith(f"--mac-source {MACS['a']} -m ttl --ttl-lt 2 -j DROP")
        assert second.endswith("-j TTL --ttl-dec 1")


def test_ipv6_has_its_own_words() -> None:
    of = f"-u [{VIP6}]:5000"
    given = text(
        save("a", f"-A {of} -s rr", f"-a {of} -r [{OWN6['b']}]:5000 -g -w 1"),
        save("b", f"-A {of} -s rr", f"-a {of} -r [{OWN6['a']}]:5000 -g -w 1"),
    )
    found = fixes(given)
    assert found["clear_service"].commands == (f"ipvsadm -D {of}",)
    assert "-m hl --hl-lt 2" in found["ttl_limit"].commands[0]
    assert "ip6 daddr" in found["mark_guard"].files[0].content
    assert found["own_server"].proved


def test_other_services_go_on_working() -> None:
    """The peer's servers stay; nothing but the one service is touched."""
    web = f"-t {VIP}:80"
    lines = (f"-A {web} -s rr", f"-a {web} -r {OWN['b']}:80 -g -w 1")
    a = save("a", f"-A {UDP} -s rr", f"-a {UDP} -r {OWN['b']}:5000 -g -w 1", *lines)
    found = fixes(text(a, service("b", OWN["a"])) + NEW)
    assert f"TCP {VIP}:80 at a: answered by b" in found["clear_service"].keeps


def several(number: int) -> Report:
    """So many services that go round between the two."""
    lines: dict[str, list[str]] = {"a": [], "b": []}
    for port in range(5000, 5000 + number):
        for name, other in (("a", "b"), ("b", "a")):
            of = f"-u {VIP}:{port}"
            lines[name] += [f"-A {of} -s rr", f"-a {of} -r {OWN[other]}:{port} -g -w 1"]
    snapshots = pasted(text(save("a", *lines["a"]), save("b", *lines["b"])) + NEW)
    return with_remedies(snapshots, diagnose(snapshots))


def proved(report: Report) -> list[bool]:
    """For each ring, whether the service is proved to be ended by ``own_server``."""
    rings = (finding for finding in report.findings if finding.check == "ipvs-loop")
    return [fix.proved for ring in rings for fix in ring.fixes if fix.name == "own_server"]


def test_that_another_service_goes_round_is_another_matter() -> None:
    assert proved(several(2)) == [True, True]


def test_of_many_rings_some_are_tried_and_all_have_their_fixes() -> None:
    assert proved(several(6)) == [True] * 4 + [False] * 2
    found = several(6).findings[-1].fixes
    assert all(fix.commands for fix in found)


def test_with_many_other_services_nothing_is_proved() -> None:
    assert not any(proved(several(14))), "13 others on each of two hosts"


NO_VIP = host("b").replace(f"    inet {VIP}/32 scope global eth0\n", "")
ROUTED_BACK = host("a") + NO_VIP + NEW + routing("a", 0) + routing("b", 1) + service("a", OWN["b"])


def test_a_backup_that_routes_it_back_need_not_forward() -> None:
    fix = fixes(ROUTED_BACK + service("b", OWN["a"]))["forward_off"]
    assert (fix.host, fix.commands) == ("b", ("sysctl -w net.ipv4.ip_forward=0",))
    assert fix.rejected_because is None


def test_a_backup_that_masquerades_needs_to() -> None:
    web = f"-t {VIP}:80"
    masq = save(
        "b",
        f"-A {UDP} -s rr",
        f"-a {UDP} -r {OWN['a']}:5000 -g -w 1",
        f"-A {web} -s rr",
        f"-a {web} -r 10.0.0.50:80 -m -w 1",
    )
    assert "masquerades" in str(fixes(ROUTED_BACK + masq)["forward_off"].rejected_because)


def test_rows_alone_prove_nothing() -> None:
    address = "2: eth0    inet {}/24 scope global eth0"
    bare = "".join(
        listing("ip -4 -o addr show", [address.format(OWN[name])], name) for name in "ab"
    )
    found = fixes(bare + service("a", OWN["b"]) + service("b", OWN["a"]))
    assert found["clear_service"].commands == (f"ipvsadm -D {UDP}",)
    assert not any(
        fix.proved or fix.rejected_because for n, fix in found.items() if n != "backup_only"
    )
