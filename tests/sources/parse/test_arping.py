"""Who answers for an address, as two programs of one name print it."""

import pytest

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import NeighbourMessage
from hopback.sources.parse import arping
from tests.sources.parse.given import facts, listing, pasted, rows

IPUTILS = """
    ARPING 192.0.2.1 from 192.0.2.9 hda0
    Unicast reply from 192.0.2.1 [02:00:00:00:0B:01]  0.527ms
    Unicast reply from 192.0.2.1 [02:00:00:00:0B:01]  0.513ms
    Unicast reply from 192.0.2.1 [02:00:00:00:0C:01]  0.613ms
    Sent 2 probes (1 broadcast(s))
    Received 3 response(s)
"""


def test_one_row_for_each_mac() -> None:
    parsed = arping.parse(listing(IPUTILS, "arping -c 2 -I hda0 192.0.2.1"))
    first, second = rows(parsed, NeighbourMessage)
    assert facts(first) == {
        "kind": "arp-reply",
        "address": "192.0.2.1",
        "mac": parse_mac("02:00:00:00:0b:01"),
        "sender": "192.0.2.1",
        "dev": "hda0",
        "direction": "in",
    }
    assert (first.cite.line, second.cite.line) == (2, 4)
    assert not parsed.problems


@pytest.mark.parametrize(
    ("line", "dev"),
    [
        ("Broadcast reply from 192.0.2.1 [02:00:00:00:0B:01] for 192.0.2.9 [02:0:0:0:A:1]", "e1"),
        ("60 bytes from 02:00:00:00:0b:01 (192.0.2.1): index=0 time=9.2 usec", "e1"),
    ],
)
def test_dialects(line: str, dev: str) -> None:
    (row,) = rows(arping.parse(listing(line, f"arping -I {dev} 192.0.2.1")), NeighbourMessage)
    assert (row.mac, row.dev) == (parse_mac("02:00:00:00:0b:01"), dev)


def test_nobody_answers() -> None:
    text = (
        "ARPING 192.0.2.1 from 0.0.0.0 e1\nSent 2 probes (2 broadcast(s))\nReceived 0 response(s)"
    )
    parsed = arping.parse(listing(text, "arping -D -I e1 192.0.2.1"))
    assert not parsed.rows
    assert not parsed.problems


def test_prose_is_a_problem_in_a_file_only() -> None:
    assert arping.parse(listing("who knows", "arping 192.0.2.1")).problems
    assert not arping.parse(pasted("who knows")).problems
