"""double-delivery: a packet arrives twice and does not come back."""

import pytest

from tests.build import BRIDGE, TUN, VETH, checks, link, links, listing, of, only, report

NAME = "double-delivery"
ZEROS = "00:00:00:00:00:00"


def tunnel(host: str, last: str, *addresses: str) -> str:
    words = "vxlan id 7 srcport 0 0 dstport 4789 ttl auto ageing 300"
    head = "2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default qlen 1000"
    return links(
        link(3, "br0", f"02:00:00:00:0a:0{last}", BRIDGE),
        link(4, "vnet0", f"fe:54:00:00:00:0{last}", TUN, master="br0", port=""),
        link(9, "vx7", f"02:00:00:00:0f:0{last}", words, master="br0", port=""),
        host=host,
    ) + listing(
        "ip addr show", [head, *(f"    inet {a}/24 scope global eth0" for a in addresses)], host
    )


def flood(*remotes: str, host: str = "kvm1") -> str:
    entries = [f"{ZEROS} dev vx7 dst {dst} self permanent" for dst in remotes]
    return listing("bridge fdb show", entries, host)


def test_two_remotes_that_are_one_host() -> None:
    text = tunnel("kvm1", "1", "10.0.0.1") + flood("10.0.0.2", "10.0.1.2")
    text += tunnel("kvm2", "2", "10.0.0.2", "10.0.1.2") + flood("10.0.0.1", host="kvm2")
    given = report(text)
    finding = only(given, NAME)
    assert (finding.group, finding.severity) == ("other-fault", "warning")
    assert (finding.details["kind"], finding.details["copies"]) == ("paths", 2)
    assert "kvm2" in finding.summary
    dsts = [e.text for e in finding.because if " dst " in e.text]
    assert len(dsts) == 2
    assert given.verdict != "comes-back"


def test_one_remote_for_each_host() -> None:
    text = tunnel("kvm1", "1", "10.0.0.1") + flood("10.0.0.2")
    text += tunnel("kvm2", "2", "10.0.0.2") + flood("10.0.0.1", host="kvm2")
    assert NAME not in checks(report(text))


def two_ways(flags: str) -> str:
    """br0 and br1 joined by two veth pairs; ``flags`` are those of br1's ports."""
    return links(
        link(3, "br0", "02:00:00:00:0a:01", BRIDGE),
        link(4, "br1", "02:00:00:00:0b:01", BRIDGE),
        link(5, "a0@b0", "02:00:00:00:0a:01", VETH, master="br0", port=""),
        link(6, "b0@a0", "02:00:00:00:0b:01", VETH, master="br1", port=flags),
        link(7, "a1@b1", "02:00:00:00:0a:02", VETH, master="br0", port=""),
        link(8, "b1@a1", "02:00:00:00:0b:02", VETH, master="br1", port=flags),
    )


def test_two_open_ways_that_do_not_lead_on() -> None:
    finding = only(report(two_ways("isolated on")), NAME)
    assert finding.subject == "br0"
    assert finding.details["station"] == "br1"
    assert "a0" in finding.summary
    assert "a1" in finding.summary


def test_a_ring_is_more_than_two_copies() -> None:
    found = checks(report(two_ways("")))
    assert "bridge-loop" in found
    assert NAME not in found


def ping(target: str, *lines: str) -> str:
    return listing(
        f"ping -c 3 {target}", [f"PING {target} ({target}) 56(84) bytes of data.", *lines]
    )


REPLY = "64 bytes from 192.0.2.7: icmp_seq=1 ttl=64 time=0.4 ms"


def test_ping_doubled_by_the_one_that_was_asked() -> None:
    given = report(ping("192.0.2.7", REPLY, f"{REPLY} (DUP!)"))
    finding = only(given, NAME)
    assert (finding.confidence, finding.evidence, finding.subject) == (
        "possible",
        "reported",
        "192.0.2.7",
    )
    assert given.verdict == "undecided", "it does not tell a copy from a return"
    assert any("tcpdump" in step.command for step in given.next)


@pytest.mark.parametrize("target", ["192.0.2.255", "224.0.0.1", "ff02::1%eth0"])
def test_many_that_answer_are_no_double_delivery(target: str) -> None:
    assert not of(report(ping(target, REPLY, f"{REPLY} (DUP!)")), NAME)


def test_somebody_else_who_answers_is_none_either() -> None:
    assert not of(report(ping("192.0.2.9", REPLY, f"{REPLY} (DUP!)")), NAME)
