"""expected-duplicate: looks like a return, and is one by design."""

import pytest

from tests.build import checks, listing, only, report

NAME = "expected-duplicate"
REPLY = "64 bytes from {}: icmp_seq={} ttl=55 time=13.9 ms"


def ping(target: str, *lines: str) -> str:
    return listing(f"ping -c 3 {target}", [REPLY.format("198.51.100.7", 1), *lines])


def test_a_redirect_is_no_return() -> None:
    line = "From 192.0.2.1: icmp_seq=2 Redirect Host(New nexthop: 192.0.2.254)"
    given = report(ping("198.51.100.7", line))
    finding = only(given, NAME)
    assert (finding.subject, finding.details["sign"]) == ("192.0.2.1", "redirect")
    assert given.verdict == "clear"


@pytest.mark.parametrize("target", ["198.51.100.255", "ff02::1%eth0", "224.0.0.1"])
def test_many_answer_a_ping_to_many(target: str) -> None:
    given = report(ping(target, REPLY.format("198.51.100.8", 1) + " (DUP!)"))
    assert only(given, NAME).details["sign"] == "duplicate"
    assert given.verdict == "clear"


def test_one_that_answers_twice_is_left_open() -> None:
    given = report(ping("198.51.100.7", REPLY.format("198.51.100.7", 1) + " (DUP!)"))
    assert NAME not in checks(given)
    assert given.verdict == "undecided"
    assert any("DUP!" in gap.reason for gap in given.gaps)
