"""routing-loop: IP hops return to a router already passed."""

from pathlib import Path

import pytest

from hopback.findings import Finding, Report
from tests.build import listing, of, only, report
from tests.routers import POOL, edge, node

NAME = "routing-loop"
TARGET = "198.51.100.30"
A, B, C, D = "192.0.2.1", "192.0.2.5", "192.0.2.9", "192.0.2.13"


def trace(*hops: str, command: str = f"traceroute -n {TARGET}") -> str:
    """A trace in which the routers of each word answer; ``*`` stands for silence."""
    lines = []
    for distance, word in enumerate(hops, 1):
        answers = ["*" if r == "*" else f"{r}  0.4 ms" for r in word.split()]
        lines.append(f" {distance}  {'  '.join(answers)}")
    return listing(command, lines, "client")


def found(*hops: str) -> Finding:
    return only(report(trace(*hops)), NAME)


def test_a_router_met_again() -> None:
    given = report(trace(A, B, A, "*"))
    finding = only(given, NAME)
    assert given.verdict == "comes-back"
    assert (finding.evidence, finding.confidence) == ("reported", "likely")
    assert (finding.subject, finding.host) == (TARGET, "client")
    told = finding.details
    assert (told["kind"], told["ring"], told["period"]) == ("trace", [A, B], 2)
    assert told["distances"] == [1, 3]
    assert any("ip route get" in step.command and A in step.host for step in given.next)


def test_two_whole_rounds_leave_no_doubt() -> None:
    finding = found(D, A, B, C, A, B, C, A)
    assert finding.confidence == "certain"
    assert finding.details["ring"] == [A, B, C]
    assert finding.details["period"] == 3
    assert not finding.alternatives


def test_one_router_of_two_addresses_does_not_hide_the_ring() -> None:
    assert found(D, A, B, C, A, B, D + "0", A).details["period"] == 3


def test_several_nodes_in_turn_behind_one_router() -> None:
    finding = found(D, A, B, f"* {A}", "*", f"{C} *", f"* {A}", D)
    assert finding.details["ring"][:2] == [A, B]


@pytest.mark.parametrize(
    "hops",
    [
        (A, A, B, C),  # asked twice, or a load shared among ways of unequal length
        (A, f"{A} {B}", B, C),
        (A, B, A, C, D, D + "0"),  # it went on: the ways differ from packet to packet
        (A, B, A, TARGET),
        (A, B, "*", "*"),
        ("169.254.1.1", A, "169.254.1.1"),  # many have it
    ],
)
def test_what_is_no_round(hops: tuple[str, ...]) -> None:
    given = report(trace(*hops))
    assert not of(given, NAME)
    assert given.verdict == ("clear" if TARGET in hops else "undecided")


@pytest.mark.parametrize("hops", [(A, A), (A, "*", A, "*"), (D, A, A, A)])
def test_one_router_at_the_end_may_pass_to_itself(hops: tuple[str, ...]) -> None:
    given = report(trace(*hops))
    finding = only(given, NAME)
    assert (given.verdict, finding.confidence) == ("undecided", "possible")
    assert any("tcpdump" in step.command for step in given.next)


def test_what_the_routers_of_the_ring_answer() -> None:
    answers = (
        listing(f"ip route get {TARGET}", [f"{TARGET} from 192.0.2.7 via {B} dev eth1"], "r1"),
        listing(f"ip route get {TARGET}", ["RTNETLINK answers: Invalid argument"], "r2"),
        listing("ip route get 192.0.2.99", [f"192.0.2.99 via {B} dev eth1 uid 0"], "r3"),
    )
    finding = only(report(trace(A, B, A) + "".join(answers)), NAME)
    assert finding.details["answers"] == [f"r1: out by eth1 to {B}", "r2: refused"]
    assert [e.host for e in finding.because if e.rule == "route-answer"] == ["r1", "r2"]


def test_two_traces_are_told_apart() -> None:
    text = trace(A, B) + trace(B, A)
    assert not of(report(text), NAME)


def test_the_same_target_once_by_its_best_evidence() -> None:
    ping = listing(f"ping -c 1 {TARGET}", [f"From {B} icmp_seq=1 Time to live exceeded"], "client")
    given = report(ping + trace(A, B, A, B, A, B))
    assert only(given, NAME).details["kind"] == "trace"
    assert not given.gaps


def pinged(command: str) -> Report:
    return report(listing(command, [f"From {B} icmp_seq=1 Time to live exceeded"], "client"))


def test_an_ordinary_ping_whose_time_runs_out() -> None:
    given = pinged(f"ping {TARGET}")
    finding = only(given, NAME)
    assert given.verdict == "comes-back"
    assert (finding.details["kind"], finding.details["ring"]) == ("ping", [B])
    assert any(step.command == f"traceroute -n {TARGET}" for step in given.next)
    assert not given.gaps


def test_a_ping_with_a_small_ttl_is_a_trace_by_hand() -> None:
    given = pinged(f"ping -t 2 {TARGET}")
    assert not of(given, NAME)
    assert not given.gaps


def test_a_reply_without_the_command_does_not_decide() -> None:
    given = report(f"From {B} icmp_seq=1 Time to live exceeded\n")
    assert given.verdict == "undecided"
    assert only(given, NAME).confidence == "possible"


MAC_A, MAC_B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"


def packet(ttl: int, way: str = "", *, ident: int = 20154, dev: str = "") -> str:
    source, target = (MAC_A, MAC_B) if way == ">" else (MAC_B, MAC_A)
    macs = f"{source} > {target}, ethertype IPv4 (0x0800), length 98: " if way else "IP "
    head = f"17:27:21.98{9200 - ttl} {dev}{macs}(tos 0x0, ttl {ttl}, id {ident}, offset 0,"
    return (
        f"{head} flags [DF], proto ICMP (1), length 84)\n"
        f"    192.0.2.10 > {TARGET}: ICMP echo request, id 1, seq 1, length 64"
    )


def captured(*packets: str, command: str = "tcpdump -e -n -v -i eth0") -> Report:
    return report(listing(command, packets, "node"))


def test_one_packet_at_one_link_with_falling_ttls() -> None:
    given = captured(*(packet(ttl, ">") for ttl in (63, 61, 59, 29)))
    finding = only(given, NAME)
    assert given.verdict == "comes-back"
    assert (finding.evidence, finding.confidence) == ("observed", "certain")
    assert finding.details["ttls"] == [63, 61, 59, 29]
    assert (finding.details["period"], finding.details["source"]) == (2, "192.0.2.10")
    commands = [step.command for step in given.next]
    assert f"ip route get {TARGET} from 192.0.2.10 iif eth0" in commands


def test_two_directions_of_one_link_are_told_apart() -> None:
    finding = only(captured(*(packet(t, "><"[t % 2]) for t in range(63, 55, -1))), NAME)
    assert finding.details["period"] == 2
    assert len(set(finding.details["ttls"])) == 4


@pytest.mark.parametrize(
    ("command", "ttls", "loops"),
    [
        ("tcpdump -n -v -i eth0", (63, 62), False),  # a router that sends it out where it came in
        ("tcpdump -n -v -i eth0", (63, 62, 61), True),
        ("tcpdump -n -v -i any", (64, 63, 62), False),  # in here, out there, and a namespace
        ("tcpdump -n -v -i any", (64, 63, 62, 61), True),
        ("tcpdump -n -v -i eth0", (1, 2, 3, 4), False),
    ],
)
def test_without_macs_it_takes_more(command: str, ttls: tuple[int, ...], loops: bool) -> None:
    given = captured(*(packet(ttl) for ttl in ttls), command=command)
    assert bool(of(given, NAME)) == loops


def test_step_one_may_be_two_directors() -> None:
    finding = only(captured(*map(packet, (63, 62, 61))), NAME)
    assert any("ipvs-loop" in text for text in finding.alternatives)


def test_different_packets_are_no_round() -> None:
    given = captured(*(packet(ttl, ">", ident=ttl) for ttl in (63, 61, 59)))
    assert not of(given, NAME)


EXPIRED = f"17:27:21.989120 IP {B} > 192.0.2.10: ICMP time exceeded in-transit, length 88"


def test_time_exceeded_of_a_trace_is_by_design() -> None:
    given = report(listing("tcpdump -n icmp", [EXPIRED], "client") + trace(B, "*", TARGET))
    assert given.verdict == "clear"


def test_time_exceeded_that_nobody_asked_for_stays_open() -> None:
    given = report(listing("tcpdump -n icmp", [EXPIRED], "client"))
    assert any("ran out" in gap.reason for gap in given.gaps)


def test_tables_of_two_routers() -> None:
    given = report(edge() + node())
    finding = only(given, NAME)
    assert given.verdict == "comes-back"
    assert (finding.evidence, finding.confidence) == ("simulated", "certain")
    assert (finding.host, finding.subject) == ("node", POOL)
    told = finding.details
    assert (told["kind"], told["ring"]) == ("tables", ["edge", "node"])
    assert told["routes"] == [POOL, "default"]
    assert (told["frames_per_packet"], told["endless"]) == (64, False)
    assert {step.host for step in finding.path} == {"edge", "node"}


def test_what_happened_stands_with_the_tables_that_make_it() -> None:
    given = report(edge() + node() + trace(A, B, A, B, A))
    finding = only(given, NAME)
    assert finding.evidence == "reported"
    assert finding.details["target"] == TARGET
    assert any(e.host == "client" for e in finding.because)
    assert not given.gaps


def test_a_trace_to_something_else_stands_for_itself() -> None:
    text = trace(A, B, A, B, command="traceroute -n 192.0.2.99")
    assert [f.details["kind"] for f in of(report(edge() + node() + text), NAME)] == [
        "tables",
        "trace",
    ]


def test_all_prefixes_of_one_ring_are_one_finding() -> None:
    more = "198.51.101.0/24"
    routes = (f"{POOL} via 203.0.113.7 dev eth1", f"{more} via 203.0.113.7 dev eth1")
    found_ = of(report(edge(*routes) + node()), NAME)
    assert [f.details["prefixes"] for f in found_] == [[POOL, more]]


def test_a_blackhole_for_the_pool_is_clear() -> None:
    given = report(edge() + node(f"blackhole {POOL}"))
    assert not of(given, NAME)
    assert given.verdict == "clear"


def test_a_host_of_which_nothing_tells_whether_it_forwards() -> None:
    given = report(edge() + node(settings={"net.ipv4.ip_forward": None}))
    assert (given.verdict, only(given, NAME).confidence) == ("undecided", "possible")
    assert any("ip_forward" in step.command for step in given.next)
    assert only(given, NAME).details["unsure"] == ["node: does it forward IPv4? yes"]


def test_one_router_alone_claims_nothing() -> None:
    assert not of(report(edge()), NAME)
    assert not of(report(node()), NAME)


LEAK = (Path(__file__).parents[1] / "fixtures/vrf-leak/paste.txt").read_text()


BELOW = (
    "<BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT\n"
    "    link/ether b2:9a:1b:45:87:6e brd ff:ff:ff:ff:ff:ff"
)


def test_vrfs_that_leak_to_each_other() -> None:
    given = report(LEAK)
    assert given.verdict == "comes-back"
    found = only(given, "routing-loop")
    assert (found.subject, found.confidence, found.evidence) == (
        "203.0.113.0/24",
        "certain",
        "reported",
    )
    assert found.details["ring"] == ["pe1 (VRF internet)", "pe1 (VRF tenant)"]
    assert found.details["routes"] == ["203.0.113.0/24", "default"]
    assert found.details["frames_per_packet"] is None
    assert found.summary.endswith("Linux drops it on its way out, and logs a dead loop.")
    assert not of(given, "tunnel-recursion"), "the dead loop is explained"


def test_a_dead_loop_of_another_device_is_told_by_itself() -> None:
    given = report(LEAK.replace("device tenant, fix", "device gre7, fix"))
    assert only(given, "routing-loop").evidence == "simulated"
    assert only(given, "tunnel-recursion").subject == "gre7"


@pytest.mark.parametrize(
    ("route", "instead"),
    [
        ("203.0.113.0/24 dev tenant table 20 scope link ", ""),
        ("default dev internet table 10 scope link ", ""),
        ("203.0.113.64/26 via", "203.0.113.0/24 via"),
    ],
    ids=["no leak back", "no way out", "the tenant has it all"],
)
def test_leaks_that_make_no_ring(route: str, instead: str) -> None:
    given = report(LEAK.replace(route, instead).partition("pe1# dmesg")[0])
    assert not of(given, "routing-loop")


def test_a_vrf_that_only_leads_into_the_ring() -> None:
    """And a leak that is in the table main, which every VRF without a route of its own uses."""
    text = LEAK.replace(
        "4: eth1@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue master tenant state",
        "6: lab: <NOARP,MASTER,UP,LOWER_UP> mtu 65575 qdisc noqueue state UP\n"
        "    link/ether 22:00:ec:35:2e:e6 brd ff:ff:ff:ff:ff:ff promiscuity 0\n"
        "    vrf table 30 addrgenmode eui64\n"
        "4: eth1@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue master lab state",
    ).replace(
        "default dev internet table 10 scope link ",
        "default dev tenant table 30 scope link \ndefault dev internet scope link ",
    )
    found = only(report(text), "routing-loop")
    assert found.details["ring"] == ["pe1 (VRF internet)", "pe1 (VRF tenant)"]
    assert found.details["routes"] == ["203.0.113.0/24", "default"]


def test_a_vlan_device_in_a_vrf() -> None:
    """The packet comes in by the device below, which has no address."""
    text = (
        LEAK.replace("4: eth1@if2:", "4: eth1.7@eth1:")
        .replace("    veth \n", "    vlan protocol 802.1Q id 7 <REORDER_HDR> \n", 1)
        .replace("5: eth0@if3", f"6: eth1: {BELOW}\n5: eth0@if3", 1)
        .replace("global eth1", "global eth1.7")
        .replace("dev eth1", "dev eth1.7")
        .replace("conf.eth1", "conf.eth1/7")
    )
    found = only(report(text), "routing-loop")
    assert (found.subject, found.confidence) == ("203.0.113.0/24", "certain")
    assert any("vlan protocol 802.1Q id 7" in row.text for row in found.because)
