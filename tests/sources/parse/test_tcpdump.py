"""Packets as tcpdump prints them, and what identifies one."""

import pytest

from hopback.frames.mac import BROADCAST, parse_mac
from hopback.snapshot.rows import Sighting
from hopback.sources.parse import tcpdump
from tests.sources.parse.given import facts, listing, pasted, recorded, rows

A, B = parse_mac("02:00:00:00:00:11"), parse_mac("02:00:00:00:00:12")


def one(line: str, command: str = "") -> Sighting:
    parsed = tcpdump.parse(listing(line, command))
    assert not parsed.problems
    (sighting,) = rows(parsed, Sighting)
    assert tcpdump.SHAPE is not None
    assert tcpdump.SHAPE.match(line)
    return sighting


def test_recorded_loop() -> None:
    parsed = tcpdump.parse(recorded("vm61-capture/ipvs-dr4-loop-tcpdump-env.txt"))
    seen = rows(parsed, Sighting)
    loop, error = seen[:-1], seen[-1]
    assert [sighting.ttl for sighting in loop] == list(range(63, 0, -1))
    assert {sighting.key for sighting in loop} == {loop[0].key}
    assert "id 16871" in loop[0].key
    assert "ttl" not in loop[0].key
    assert {(s.source_mac, s.target_mac) for s in loop} == {(A, B), (B, A)}
    assert (loop[0].source, loop[0].target, loop[0].length) == ("10.0.0.99", "10.0.0.100", 43)
    assert loop[1].at is not None
    assert loop[0].at is not None
    assert loop[1].at - loop[0].at == 451_000
    assert (error.source, error.target, error.ttl) == ("10.0.0.100", "10.0.0.99", 64)
    assert (loop[0].cite.line, loop[1].cite.line, error.cite.line) == (2, 4, 128)
    assert not parsed.problems


def test_without_link_layer() -> None:
    sighting = one(
        "11:10:09.042654 IP 10.30.3.17 > 10.30.4.97: ICMP echo request, id 3, seq 1, length 64",
        "tcpdump -ni eth0 icmp",
    )
    assert facts(sighting) == {
        "at": 40_209_042_654_000,
        "dev": "eth0",
        "source": "10.30.3.17",
        "target": "10.30.4.97",
        "length": 64,
        "key": "10.30.3.17 > 10.30.4.97: ICMP echo request, id 3, seq 1, length 64",
    }


def test_vlan_and_arp() -> None:
    sighting = one(
        "08:00:00.000001 02:00:00:00:00:11 > ff:ff:ff:ff:ff:ff, ethertype 802.1Q (0x8100), length "
        "46: vlan 22, p 0, ethertype ARP (0x0806), Request who-has 10.0.0.2 tell 10.0.0.1, "
        "length 28"
    )
    assert (sighting.vlan, sighting.length) == (22, 46)
    assert (sighting.source_mac, sighting.target_mac) == (A, BROADCAST)
    assert (sighting.source, sighting.target) == ("10.0.0.1", "10.0.0.2")
    assert sighting.key == "Request who-has 10.0.0.2 tell 10.0.0.1, length 28"


def test_old_ethertype_and_resolved_names() -> None:
    sighting = one(
        "08:00:00.000001 02:00:00:00:00:11 (oui Unknown) > Broadcast, ethertype ARP, (0x0806), "
        "length 60: Request who-has gateway tell host.example, length 46"
    )
    assert (sighting.source_mac, sighting.target_mac) == (A, BROADCAST)
    assert (sighting.source, sighting.target) == (None, None)


@pytest.mark.parametrize(
    ("column", "dev", "direction"),
    [
        ("eth0  In  ", "eth0", "in"),
        ("vnet7 Out ", "vnet7", "out"),
        ("vnet7 B   ", "vnet7", "in"),
        (" Out ", None, "out"),
        ("  M ", None, "in"),
    ],
)
def test_any_device(column: str, dev: str | None, direction: str) -> None:
    line = f"08:00:00.000001 {column}IP 10.0.0.1.68 > 10.0.0.2.67: BOOTP/DHCP, Request"
    sighting = one(line, "tcpdump -n -i any")
    assert (sighting.dev, sighting.direction) == (dev, direction)
    assert (sighting.source, sighting.target) == ("10.0.0.1", "10.0.0.2")


def test_any_device_with_link_layer() -> None:
    sighting = one(
        "08:00:00.000001 eth0  In  ifindex 2 02:00:00:00:00:11 ethertype IPv4 (0x0800), length 48: "
        "10.0.0.1.5 > 10.0.0.2.6: UDP, length 0"
    )
    assert (sighting.dev, sighting.source_mac, sighting.target_mac) == ("eth0", A, None)
    assert (sighting.source, sighting.length) == ("10.0.0.1", 48)


@pytest.mark.parametrize(
    ("command", "dev", "direction"),
    [
        ("tcpdump -ennli eth2 inbound", "eth2", "in"),
        ("tcpdump -i eth2 -Q out", "eth2", "out"),
        ("tcpdump -ieth2", "eth2", None),
        ("tcpdump --interface=eth2", "eth2", None),
        ("tcpdump", None, None),
    ],
)
def test_command_names_device_and_direction(
    command: str, dev: str | None, direction: str | None
) -> None:
    sighting = one("08:00:00.000001 IP6 fe80::1.546 > ff02::1:2.547: dhcp6 solicit", command)
    assert (sighting.dev, sighting.direction) == (dev, direction)
    assert (sighting.source, sighting.target) == ("fe80::1", "ff02::1:2")


def test_header_names_the_device() -> None:
    parsed = tcpdump.parse(
        pasted(
            "listening on tap1, link-type EN10MB (Ethernet), capture size 262144 bytes\n"
            "08:00:00.000001 IP 10.0.0.1 > 10.0.0.2: ICMP echo reply, id 1, seq 1, length 64"
        )
    )
    assert [sighting.dev for sighting in rows(parsed, Sighting)] == ["tap1"]


VERBOSE = """
    08:00:00.000001 IP (tos 0x0, ttl {ttl}, id 7, offset 0, proto UDP (17), length 328)
        10.0.0.1.67 > 10.0.0.2.68: {sum} BOOTP/DHCP, Reply, length 300, xid 0xe33873cf
    \t  Your-IP 10.0.0.2
    08:00:00.000002 IP6 (hlim {ttl}, next-header ICMPv6 (58) payload length: 16) \
fe80::1 > ff02::1: [icmp6 sum ok] ICMP6, router solicitation, length 16
    08:00:00.000003 IP (tos 0x0, ttl {ttl}, id 8, offset 0, proto TCP (6), length 60{bad})
        10.0.0.1.5 > 10.0.0.2.6: Flags [S], cksum 0x28e8 ({tcp}), seq 1, win 2, length 0
"""


def test_key_leaves_out_ttl_and_checksums() -> None:
    first = VERBOSE.format(
        ttl=64, sum="[bad udp cksum 0xa72e -> 0xdee9!]", bad="", tcp="incorrect -> 0xd64b"
    )
    second = VERBOSE.format(ttl=5, sum="[udp sum ok]", bad=", bad cksum 1f (->20)!", tcp="correct")
    before, after = (rows(tcpdump.parse(listing(text)), Sighting) for text in (first, second))
    assert [sighting.key for sighting in before] == [sighting.key for sighting in after]
    assert "xid 0xe33873cf" in before[0].key
    assert "Your-IP" in before[0].key
    assert before[2].key.endswith("Flags [S], seq 1, win 2, length 0")
    assert [sighting.ttl for sighting in after] == [5, 5, 5]
    assert len({sighting.key for sighting in before}) == 3


def test_hex_dump_is_not_part_of_the_key() -> None:
    line = "08:00:00.000001 IP 10.0.0.1 > 10.0.0.2: ICMP echo reply, id 1, seq 1, length 8"
    parsed = tcpdump.parse(listing(f"{line}\n\t0x0000:  4500 0054\n{line}"))
    first, second = rows(parsed, Sighting)
    assert first.key == second.key


def test_times() -> None:
    packet = "IP 10.0.0.1 > 10.0.0.2: ICMP echo reply, id 1, seq 1, length 8"
    assert one(f"1700000000.000001 {packet}").at == 1_700_000_000_000_001_000
    assert one(f"1970-01-02 00:00:00.000001 {packet}").at == 86_400_000_001_000


@pytest.mark.parametrize(
    ("rest", "source", "target"),
    [
        ("IP 10.249[...]", None, None),
        ("IP 10.0.0.1 > <host>: ICMP echo reply", "10.0.0.1", None),
        ("IP 10.0.0.1.5 > pr[...]", "10.0.0.1", None),
        ("IP (tos 0x10, ttl 62, id 49483, off[...]", None, None),
    ],
)
def test_cut_and_redacted(rest: str, source: str | None, target: str | None) -> None:
    sighting = one(f"08:00:00.000001 {rest}")
    assert (sighting.source, sighting.target) == (source, target)


def test_around_the_packets() -> None:
    text = """
        tcpdump: verbose output suppressed, use -v[v]... for full protocol decode
        [   71.017431] device eth0 entered promiscuous mode
        08:00:00.000001 IP 10.0.0.1 > 10.0.0.2: ICMP echo reply, id 1, seq 1, length 8
        ^C
        1 packet captured
        2 packets received by filter
    """
    assert not tcpdump.parse(listing(text)).problems
    assert len(tcpdump.parse(listing("what is this")).problems) == 1
    assert not tcpdump.parse(pasted("what is this")).problems
