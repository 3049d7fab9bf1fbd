"""Kernel messages in the dialects of fifteen years, in logs and in prose."""

import pytest

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import (
    BadChecksums,
    DadEvent,
    LogLine,
    Martian,
    NeighbourMessage,
    OwnSource,
    PortEvent,
)
from hopback.sources.parse import kernel_log
from tests.sources.parse.given import facts, listing, pasted, recorded, rows


def test_recorded_own_sources() -> None:
    parsed = kernel_log.parse(recorded("vm61-bond/dmesg.txt"))
    own = rows(parsed, OwnSource)
    assert len(own) == 4
    assert facts(own[0]) == {
        "bridge": "br0",
        "dev": "bond0",
        "mac": parse_mac("62:e9:db:a0:90:f3"),
        "vlan": 1,
        "at": 34_235_460_000,
    }
    assert own[0].cite.line == 2
    assert [row.text.endswith("4 callbacks suppressed") for row in rows(parsed, LogLine)] == [True]
    assert not parsed.problems


def test_recorded_port_states() -> None:
    parsed = kernel_log.parse(recorded("libvirt/dmesg.txt"))
    events = rows(parsed, PortEvent)
    last = [(event.dev, event.number, event.state) for event in events[-4:]]
    assert last == [
        ("vnet9", 3, "blocking"),
        ("vnet9", 3, "disabled"),
        ("vnet9", 3, "blocking"),
        ("vnet9", 3, "forwarding"),
    ]
    assert {event.bridge for event in events} == {"vml-br"}
    assert len(parsed.rows) == 40


def test_recorded_guest_console() -> None:
    parsed = kernel_log.parse(recorded("libvirt/guest-console-vml-k1.txt"))
    (event,) = rows(parsed, DadEvent)
    assert facts(event) == {
        "dev": "eth0",
        "address": "fe80::5054:ff:fe77:21",
        "used_by": parse_mac("52:54:00:77:00:21"),
        "at": 3_034_743_000,
    }
    assert not rows(kernel_log.parse(recorded("libvirt/guest-console-vml-k2.txt")), DadEvent)


OWN = "received packet on eth4 with own address as source address"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"br1: {OWN}", {"bridge": "br1", "dev": "eth4"}),
        (f"  • br1: {OWN}", {"bridge": "br1", "dev": "eth4"}),
        (f"<4>[    1.5] br1: {OWN}", {"bridge": "br1", "dev": "eth4", "at": 1_500_000_000}),
        (f"br1: {OWN} (addr:##.##.##.##.##.##)", {"bridge": "br1", "dev": "eth4"}),
        (f"br1: {OWN} (addr:02:00:", {"bridge": "br1", "dev": "eth4"}),
        (
            f"kernel: br1: {OWN} (addr:02:00:00:00:00:01, vlan:7)",
            {"bridge": "br1", "dev": "eth4", "mac": parse_mac("02:00:00:00:00:01"), "vlan": 7},
        ),
        (
            "interface,warning ether2: bridge port received packet with own address as source"
            " address (02:00:00:00:00:01), probably loop",
            {"dev": "ether2", "mac": parse_mac("02:00:00:00:00:01")},
        ),
        (f"<4>br1: {OWN}", {"bridge": "br1", "dev": "eth4"}),
        (f"<br>**br1: {OWN}**", {"bridge": "br1", "dev": "eth4"}),
        (f"日志里有br1: {OWN}，没有影响", {"bridge": "br1", "dev": "eth4"}),
        ("eth0: received packet with  own address as source address", {"dev": "eth0"}),
        (f'we only saw "{OWN}" there', {"dev": "eth4"}),
    ],
)
def test_own_source_dialects(line: str, expected: dict[str, object]) -> None:
    parsed = kernel_log.parse(pasted(line))
    assert [facts(row) for row in parsed.rows] == [expected]
    assert isinstance(parsed.rows[0], OwnSource)
    assert kernel_log.SHAPE is not None
    assert kernel_log.SHAPE.match(line)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("eth0: duplicate address detected!", {"dev": "eth0"}),
        ("eth0: IPv6 duplicate address detected!", {"dev": "eth0"}),
        ("eth0: IPv6 duplicate address fe80::1 detected!", {"dev": "eth0", "address": "fe80::1"}),
        (
            "IPv6: eth0: IPv6 duplicate address fe80::1 detected!",
            {"dev": "eth0", "address": "fe80::1"},
        ),
        (
            "IPv6: eth0: IPv6 duplicate address fe80::1 used by 02:00:00:00:00:01 detected!",
            {"dev": "eth0", "address": "fe80::1", "used_by": parse_mac("02:00:00:00:00:01")},
        ),
        (
            "IPv6: eth0: IPv6 duplicate address 2001:db8:xx:1 used by xx detected!",
            {"dev": "eth0", "address": "2001:db8:xx:1"},
        ),
        ("IPv6: eth0: IPv6 being disabled!", {"dev": "eth0", "disabled": True}),
        (
            "NetworkManager[7]: <warn> device (eth0): IP address 192.0.2.5 cannot be"
            " configured because it is already in use in the network by host 02:00:00:00:00:01",
            {"dev": "eth0", "address": "192.0.2.5", "used_by": parse_mac("02:00:00:00:00:01")},
        ),
        (
            "systemd-networkd[7]: eth0: Dropping address 192.0.2.5/24 (n/a), as an address conflict"
            " was detected.",
            {"dev": "eth0", "address": "192.0.2.5"},
        ),
        (
            "dhcpcd[7]: eth0: hardware address 02:00:00:00:00:01 claims 192.0.2.5",
            {"dev": "eth0", "address": "192.0.2.5", "used_by": parse_mac("02:00:00:00:00:01")},
        ),
        (
            "dhclient[7]: DHCPDECLINE of 192.0.2.5 on eth0 to 192.0.2.1 port 67",
            {"dev": "eth0", "address": "192.0.2.5"},
        ),
        ("DHCPDECLINE on eth0 to 255.255.255.255 port 67", {"dev": "eth0"}),
    ],
)
def test_duplicate_address_dialects(line: str, expected: dict[str, object]) -> None:
    parsed = kernel_log.parse(pasted(line))
    assert [facts(row) for row in parsed.rows] == [expected]
    assert isinstance(parsed.rows[0], DadEvent)


@pytest.mark.parametrize(
    ("who", "mac"), [("someone", None), ("02:00:00:00:00:01", parse_mac("02:00:00:00:00:01"))]
)
def test_an_advertisement_of_our_own_address(who: str, mac: int | None) -> None:
    line = f"ICMPv6: NA: {who} advertised our address fe80::1 on eth0!"
    (row,) = rows(kernel_log.parse(pasted(line)), NeighbourMessage)
    assert (row.kind, row.address, row.mac, row.dev) == ("na", "fe80::1", mac, "eth0")
    old = line.replace("advertised", "advertises")
    assert rows(kernel_log.parse(pasted(old)), NeighbourMessage)[0].dev == "eth0"


def test_bad_checksums() -> None:
    (row,) = rows(kernel_log.parse(pasted("5 bad udp checksums in 5 packets")), BadChecksums)
    assert (row.bad, row.seen) == (5, 5)


def test_old_port_states() -> None:
    parsed = kernel_log.parse(pasted("kernel: br0: port 2(vnet0) entering forwarding state"))
    assert [facts(row) for row in parsed.rows] == [
        {"bridge": "br0", "dev": "vnet0", "number": 2, "state": "forwarding"}
    ]


LOG = """
    Apr 05 23:57:40 h1 kernel: igb 0000:02:00.0 eth0: igb: eth0 NIC Link is Up 1000 Mbps
    Apr 05 23:57:40 h1 kernel: bond0: (slave eth0): link status definitely up
    Apr 05 23:57:41 h1 kernel: br0: topology change detected, propagating
    Apr 05 23:57:41 h1 kernel: IPv4: martian source 192.0.2.1 from 192.0.2.2, on dev br0
    Apr 05 23:57:41 h1 kernel: device vnet0 entered promiscuous mode
    Apr 05 23:57:42 h1 kernel: neighbour: arp_cache: neighbor table overflow!
    Apr 05 23:57:42 h1 systemd[1]: Started something else.
    Apr 05 23:57:43 h1 kernel: EXT4-fs (vda1): mounted
"""


def test_other_lines_that_matter() -> None:
    parsed = kernel_log.parse(pasted(LOG))
    assert [row.cite.line for row in rows(parsed, LogLine)] == [1, 2, 3, 5, 6]
    (martian,) = rows(parsed, Martian)
    assert (martian.dev, martian.source, martian.target) == ("br0", "192.0.2.2", "192.0.2.1")
    first, last = rows(parsed, LogLine)[0], rows(parsed, LogLine)[-1]
    assert first.at is not None
    assert last.at is not None
    assert last.at - first.at == 2 * 10**9
    assert not kernel_log.parse(listing(LOG)).problems


def test_dmesg_with_dates() -> None:
    line = "[Fri Nov 20 08:57:40 2026] vnet7: entered promiscuous mode"
    (row,) = rows(kernel_log.parse(pasted(line)), LogLine)
    assert row.at == 1_795_165_060 * 10**9
    assert kernel_log.SHAPE is not None
    assert kernel_log.SHAPE.match(line)


def test_prose_with_the_same_words_is_no_log() -> None:
    assert not kernel_log.parse(
        pasted("Is the bridge in promiscuous mode when the link is up?")
    ).rows


def test_long_lines_take_no_time() -> None:
    kernel_log.parse(pasted("a" * 200_000))
    assert kernel_log.SHAPE is not None
    assert not kernel_log.SHAPE.match("a" * 20_000)


def test_format_string_is_no_message() -> None:
    code = 'br_warn(br, "received packet on %s with own address as source address (addr:%pM)\\n",'
    assert not kernel_log.parse(listing(code)).rows
