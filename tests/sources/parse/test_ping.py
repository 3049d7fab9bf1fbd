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


def test_router_that_answers_twice() -> None:
    parsed = ping.parse(
        listing(
            """
            traceroute to 198.51.100.7 (198.51.100.7), 30 hops max, 60 byte packets
             1  192.0.2.1 (192.0.2.1)  0.4 ms  0.3 ms  0.3 ms
             2  192.0.2.5 (192.0.2.5)  0.4 ms  0.4 ms  0.5 ms
             3  192.0.2.1 (192.0.2.1)  0.7 ms *  0.7 ms
             4  192.0.2.5 (192.0.2.5)  0.9 ms  0.9 ms  0.9 ms
             5  192.0.2.1 (192.0.2.1)  1.1 ms  1.1 ms  1.1 ms
            """,
            "traceroute 198.51.100.7",
        )
    )
    assert [(row.kind, row.peer, row.cite.line) for row in rows(parsed, PingSign)] == [
        ("router-again", "192.0.2.1", 4),
        ("router-again", "192.0.2.5", 5),
    ]


def test_tracepath_repeats_a_hop_by_design() -> None:
    text = " 1?: [LOCALHOST]  pmtu 1500\n 1:  192.0.2.9  1.1ms\n 1:  192.0.2.9  2.1ms"
    assert not ping.parse(listing(text, "tracepath 198.51.100.7")).rows


def test_replies_are_no_hops() -> None:
    text = "64 bytes from 192.0.2.1: icmp_seq=1 ttl=64\n65 bytes from 192.0.2.1: icmp_seq=2 ttl=64"
    assert not ping.parse(listing(text, "ping 192.0.2.1")).rows
