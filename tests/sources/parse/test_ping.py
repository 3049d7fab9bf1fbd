"""What ping and traceroute print beside plain replies."""

import pytest

from hopback.snapshot.rows import PingSign
from hopback.sources.parse import ping
from tests.sources.parse.given import listing, pasted, rows

REPLY = "64 bytes from 192.0.2.1: icmp_seq=1 ttl=64 time=0.5 ms"


@pytest.mark.parametrize(
    ("line", "kind", "peer"),
    [
        (f"{REPLY} (DUP!)", "duplicate", "192.0.2.1"),
        (
            "From 192.0.2.9: icmp_seq=2 Redirect Host(New nexthop: 192.0.2.1)",
            "redirect",
            "192.0.2.9",
        ),
        ("From 192.0.2.9 icmp_seq=1 Time to live exceeded", "ttl-exceeded", "192.0.2.9"),
        ("From 192.0.2.9 icmp_seq=1 Destination Host Unreachable", "unreachable", "192.0.2.9"),
        ("5 packets transmitted, 0 received, 100% packet loss, time 4091ms", "no-reply", None),
    ],
)
def test_signs_once_each(line: str, kind: str, peer: str | None) -> None:
    parsed = ping.parse(pasted(f"{REPLY}\n{line}\n{line}", "ping -c 5 192.0.2.1"))
    (row,) = rows(parsed, PingSign)
    assert (row.kind, row.peer, row.target) == (kind, peer, "192.0.2.1")
    assert row.cite.line == 2


def test_healthy() -> None:
    text = f"PING 192.0.2.1 (192.0.2.1) 56(84) bytes of data.\n{REPLY}\n1 received, 0% packet loss"
    assert not ping.parse(listing(text, "ping 192.0.2.1")).rows


@pytest.mark.parametrize("command", ["ping6 ff02::2 -I eth0", ""])
def test_target_is_what_ping_says(command: str) -> None:
    reply = "64 bytes from fe80::2: icmp_seq=1 ttl=64 time=0.9 ms (DUP!)"
    text = f"PING ff02::2(ff02::2) from fe80::1%eth0 eth0: 56 data bytes\n{reply}"
    (row,) = rows(ping.parse(listing(text, command)), PingSign)
    assert (row.kind, row.target) == ("duplicate", "ff02::2")


@pytest.mark.parametrize(
    ("command", "reply", "ttl"),
    [
        ("ping 192.0.2.1", "From 192.0.2.9 icmp_seq=1 Time to live exceeded", 0),
        ("ping -c 1 -t 3 192.0.2.1", "From 192.0.2.9 icmp_seq=1 Time to live exceeded", 3),
        ("ping -t3 192.0.2.1", "From 192.0.2.9 icmp_seq=1 Time to live exceeded", 3),
        ("ping -i 4 192.0.2.1", "From 192.0.2.9 icmp_seq=1 Time to live exceeded", 0),
        ("ping -m 5 192.0.2.1", "92 bytes from 192.0.2.9: Time to live exceeded", 5),
        ("ping -i 4 192.0.2.1", "Reply from 192.0.2.9: TTL expired in transit.", 4),
        ("ping -t 192.0.2.1", "Reply from 192.0.2.9: TTL expired in transit.", 0),
        ("", "From 192.0.2.9 icmp_seq=1 Time to live exceeded", None),
    ],
)
def test_the_ttl_that_ping_was_told(command: str, reply: str, ttl: int | None) -> None:
    (row,) = rows(ping.parse(pasted(reply, command)), PingSign)
    assert (row.kind, row.peer, row.ttl) == ("ttl-exceeded", "192.0.2.9", ttl)


def test_windows_says_whom_it_pings() -> None:
    text = """
        Pinging web.example [192.0.2.1] with 32 bytes of data:
        Reply from 192.0.2.9: TTL expired in transit.
        """
    (row,) = rows(ping.parse(listing(text)), PingSign)
    assert row.target == "192.0.2.1"
