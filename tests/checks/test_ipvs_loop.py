"""ipvs-loop: rings of directors, told from rows."""

from pathlib import Path

import pytest

from hopback.checks.diagnose import diagnose
from hopback.findings import Report
from hopback.sources.open import open_source
from tests.build import checks, cited, listing, of, only, report

FIXTURES = Path(__file__).parents[1] / "fixtures"
PEER = {"a": "b", "b": "a"}
NUMBER = {"a": 11, "b": 12}


ON_LO = "1: lo    inet 192.0.2.100/32 scope global lo"


def addresses(host: str) -> str:
    line = f"2: eth0    inet 192.0.2.{NUMBER[host]}/24 scope global eth0"
    return listing("ip -4 -o addr show", [ON_LO, line], host)


def save(host: str, *lines: str) -> str:
    return listing("ipvsadm -Sn", lines, host)


def dr(host: str, service: str = "-u 192.0.2.100:5000", way: str = "-g", weight: int = 1) -> str:
    server = f"192.0.2.{NUMBER[PEER[host]]}:5000"
    return save(host, f"-A {service} -s rr", f"-a {service} -r {server} {way} -w {weight}")


BOTH = addresses("a") + addresses("b")


def test_each_has_the_other() -> None:
    given = report(BOTH + dr("a") + dr("b"))
    found = only(given, "ipvs-loop")
    assert given.verdict == "comes-back"
    assert (found.subject, found.confidence) == ("UDP 192.0.2.100:5000", "likely")
    assert (found.evidence, found.severity) == ("predicted", "error")
    assert found.details["directors"] == ["a", "b"]
    assert found.details["methods"] == ["DR", "DR"]
    assert found.details["endless"] is None
    assert found.details["frames_per_packet"] is None
    assert len(cited(found)) == 8


@pytest.mark.parametrize(
    "other",
    [
        dr("b", "-u 192.0.2.101:5000"),
        dr("b", "-t 192.0.2.100:5000"),
        dr("b", "-u 192.0.2.100:5001"),
        save("b", "-A -u 192.0.2.100:5000 -s rr"),
        save("b", "-A -u 192.0.2.100:5000 -s rr", "-a -u 192.0.2.100:5000 -r 192.0.2.50 -g -w 1"),
    ],
    ids=["address", "protocol", "port", "no-server", "server"],
)
def test_what_the_peer_does_not_send_back(other: str) -> None:
    assert "ipvs-loop" not in checks(report(BOTH + dr("a") + other))


def test_all_ports_take_each() -> None:
    everything = "-u 192.0.2.100:0"
    given = report(BOTH + dr("a") + dr("b", everything))
    assert {f.subject for f in of(given, "ipvs-loop")} == set()  # port 0 does not come back to 5000
    given = report(BOTH + dr("a", everything) + dr("b", everything))
    assert only(given, "ipvs-loop").subject == "UDP 192.0.2.100:0"


def test_masquerading_changes_the_destination() -> None:
    assert "ipvs-loop" not in checks(report(BOTH + dr("a", way="-m") + dr("b", way="-m")))
    crossed = dr("a", "-u 192.0.2.11:5000", "-m") + dr("b", "-u 192.0.2.12:5000", "-m")
    found = only(report(BOTH + crossed), "ipvs-loop")
    assert found.details["methods"] == ["NAT", "NAT"]


def test_tunnelled_packets_are_scheduled_again() -> None:
    found = only(report(BOTH + dr("a", way="-i") + dr("b", way="-i")), "ipvs-loop")
    assert found.details["methods"] == ["TUN", "TUN"]


def test_a_weight_of_zero_leaves_the_ring_open() -> None:
    given = report(BOTH + dr("a") + dr("b", weight=0))
    found = only(given, "ipvs-loop")
    assert given.verdict == "undecided"
    assert (found.confidence, found.severity) == ("possible", "warning")
    assert found.details["unsure"] == ["that b gives 192.0.2.11 a weight"]


MARKED = "-f 1"
RULE = "-A PREROUTING -d 192.0.2.100/32 -p udp -m udp --dport 5000"
MAC = {"a": "00:00:5e:00:53:11", "b": "00:00:5e:00:53:12"}


def rules(host: str, *macs: str) -> str:
    lines = [
        f"{RULE} -m mac ! --mac-source {mac} -j MARK --set-xmark 0x1/0xffffffff" for mac in macs
    ]
    return listing("iptables -t mangle -S PREROUTING", ["-P PREROUTING ACCEPT", *lines], host)


def link(host: str) -> str:
    up = "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noop state UP"
    return listing("ip link show", [up, f"    link/ether {MAC[host]} brd ff:ff:ff:ff:ff:ff"], host)


def test_marks_nobody_showed() -> None:
    given = report(BOTH + dr("a", MARKED) + dr("b", MARKED))
    found = only(given, "ipvs-loop")
    assert given.verdict == "undecided"
    assert found.details["unsure"] == [
        "that b marks what a sends it",
        "that a marks what b sends it",
    ]


def test_a_mark_that_spares_the_peer() -> None:
    tables = BOTH + link("a") + link("b") + dr("a", MARKED) + dr("b", MARKED)
    found = only(report(tables + rules("b", MAC["a"]) + rules("a", MAC["b"])), "ipvs-loop")
    assert (found.severity, found.details["spared"]) == ("info", "mark")


def test_several_marks_spare_nobody() -> None:
    tables = BOTH + link("a") + link("b") + dr("a", MARKED) + dr("b", MARKED)
    useless = rules("a", *MAC.values()) + rules("b", *MAC.values())
    found = only(report(tables + useless), "ipvs-loop")
    assert (found.severity, found.confidence) == ("error", "likely")


def test_a_mark_that_spares_the_wrong_one() -> None:
    tables = BOTH + link("a") + link("b") + dr("a", MARKED) + dr("b", MARKED)
    found = only(report(tables + rules("b", MAC["b"]) + rules("a", MAC["a"])), "ipvs-loop")
    assert found.severity == "error"


def test_the_peer_was_not_shown() -> None:
    both = (
        "-a -u 192.0.2.100:5000 -r 192.0.2.11:5000 -g -w 1",
        "-a -u 192.0.2.100:5000 -r 192.0.2.12:5000 -g -w 1",
    )
    given = report(addresses("a") + save("a", "-A -u 192.0.2.100:5000 -s rr", *both))
    found = only(given, "ipvs-loop")
    assert given.verdict == "undecided"
    assert (found.confidence, found.details["peer"]) == ("possible", "192.0.2.12")
    assert (given.next[0].host, given.next[0].command) == ("192.0.2.12", "ipvsadm -Sn")


def test_a_plain_director_is_not_suspected() -> None:
    assert "ipvs-loop" not in checks(report(addresses("a") + dr("a")))


def connections(host: str, server: str) -> str:
    row = f"UDP 04:50  UDP         192.0.2.99:40000   192.0.2.100:5000   {server}:5000"
    return listing(
        "ipvsadm -Lnc",
        [
            "IPVS connection entries",
            "pro expire state       source             virtual            destination",
            row,
        ],
        host,
    )


def test_one_connection_in_both_tables() -> None:
    ring = BOTH + dr("a") + dr("b", weight=0)
    given = report(ring + connections("a", "192.0.2.12") + connections("b", "192.0.2.11"))
    found = only(given, "ipvs-loop")
    assert given.verdict == "comes-back"
    assert (found.evidence, found.confidence) == ("reported", "likely")


def test_a_synchronised_connection_is_none() -> None:
    ring = BOTH + dr("a") + dr("b", weight=0)
    given = report(ring + connections("a", "192.0.2.12") + connections("b", "192.0.2.12"))
    assert only(given, "ipvs-loop").evidence == "predicted"


def recorded(*names: str) -> Report:
    return diagnose([s for name in names for s in open_source(str(FIXTURES / name)).snapshots])


def test_two_recorded_directors() -> None:
    given = recorded("vm61-director-a", "vm61-director-b")
    found = only(given, "ipvs-loop")
    assert given.verdict == "comes-back"
    assert (found.subject, found.evidence) == ("UDP 10.0.0.100:5000", "reported")


@pytest.mark.parametrize("name", ["vm61-director-a", "vm61-director-b"])
def test_one_recorded_director_alone(name: str) -> None:
    assert recorded(name).verdict != "comes-back"


def directors(state: str) -> Report:
    return recorded(f"directors/{state}/a", f"directors/{state}/b")


def test_both_are_master() -> None:
    given = directors("split")
    found = only(given, "ipvs-loop")
    assert given.verdict == "comes-back"
    assert (found.confidence, found.evidence) == ("certain", "observed")
    assert found.details["masters"] == ["a", "b"]
    assert (found.details["endless"], found.details["frames_per_packet"]) == (False, 64)
    assert [step.host for step in found.path] == ["a", "a", "b", "b", "a"]
    assert "as they are now" in found.summary


def test_one_of_them_is_master() -> None:
    given = directors("before")
    found = only(given, "ipvs-loop")
    assert given.verdict == "undecided"
    assert (found.confidence, found.evidence) == ("possible", "simulated")
    assert found.details["masters"] == ["a", "b"]
    assert "While both a and b are master" in found.summary


def test_both_were_master() -> None:
    given = directors("healed")
    found = only(given, "ipvs-loop")
    assert given.verdict == "comes-back"
    assert (found.confidence, found.evidence) == ("likely", "reported")


def test_recorded_directors_loop_in_any_role() -> None:
    found = only(recorded("vm61-director-a", "vm61-director-b"), "ipvs-loop")
    assert found.details["masters"] == []
    assert (found.confidence, len(found.path)) == ("certain", 5)


def test_one_director_and_a_capture_of_it() -> None:
    given = recorded("directors/split/a")
    found = only(given, "ipvs-loop")
    assert given.verdict == "comes-back"
    assert (found.evidence, found.details["peer"]) == ("observed", "192.0.2.12")


def test_one_director_whose_capture_shows_each_packet_once() -> None:
    assert "ipvs-loop" not in checks(recorded("directors/before/a"))


def test_how_the_loop_led_to_two_masters() -> None:
    mpstat = listing(
        "mpstat -P ALL 1 1",
        [
            "Linux 6.1.0 (a)  11/20/26  _x86_64_  (2 CPU)",
            "",
            "Average:  CPU  %usr  %nice  %sys  %iowait  %irq  %soft  %steal  %guest  %gnice  %idle",
            "Average:  all  0.10  0.00  1.00  0.00  0.00  97.00  0.00  0.00  0.00  1.90",
        ],
        "a",
    )
    found = only(report(BOTH + dr("a") + dr("b") + mpstat), "ipvs-loop")
    assert found.details["chain"] == [
        "a and b forward one packet to each other",
        "that takes the processor: 97 % of processor all of a is softirq",
    ]
    assert found.explains == ("ipvs-split-brain",)


def test_a_backup_that_was_not_shown_to_have_the_address() -> None:
    without = addresses("a") + addresses("b").replace(f"{ON_LO}\n", "")
    given = report(without + dr("a") + dr("b"))
    found = only(given, "ipvs-loop")
    assert given.verdict == "undecided"
    assert found.details["unsure"] == ["that b has 192.0.2.100 as an address of its own"]


def test_one_of_two_directors_leaves_open_what_the_other_does() -> None:
    given = report(addresses("a") + dr("a"))
    assert given.verdict == "undecided"
    (gap,) = given.gaps
    assert gap.table == "ipvs_servers"
    assert gap.reason == "what a sends to 192.0.2.12 comes back if a director is there too"
    assert given.next[0].command.startswith("ipvsadm -Sn; ip addr show")


@pytest.mark.parametrize(
    "text",
    [
        addresses("a") + dr("a", weight=0),
        addresses("a") + dr("a", way="-m"),
        BOTH + dr("a"),
        # what is wrong with its server is known
        addresses("a")
        + save("a", "-A -t 192.0.2.100:80 -s rr", "-a -t 192.0.2.100:80 -r 203.0.113.9:80 -g -w 1"),
    ],
    ids=["nothing sent", "another address", "given", "explained"],
)
def test_servers_that_leave_nothing_open(text: str) -> None:
    assert "ipvs_servers" not in {gap.table for gap in report(text).gaps}
