"""The connection table, as conntrack and as the kernel print it."""

import pytest

from hopback.snapshot.rows import Connection
from hopback.sources.parse import conntrack
from tests.sources.parse.given import facts, listing, pasted, recorded, rows


def only(line: str) -> Connection:
    parsed = conntrack.parse(listing(line, "conntrack -L"))
    assert not parsed.problems
    (row,) = rows(parsed, Connection)
    return row


def test_recorded_in_every_form() -> None:
    """The kernel's own file has one more, and IPv6 addresses at full length."""
    found = [
        {str(facts(row)) for row in conntrack.parse(recorded(f"conntrack/{name}")).rows}
        for name in ("conntrack-L.txt", "conntrack-L-o-extended.txt", "proc-net-nf_conntrack.txt")
    ]
    assert len(found[0]) == 7
    assert found[0] == found[1] < found[2]
    assert len(found[2]) == 8


def test_a_translated_connection() -> None:
    row = only(
        "tcp      6 431999 ESTABLISHED src=192.0.2.1 dst=198.51.100.7 sport=42940 dport=80 "
        "packets=3 bytes=164 src=192.0.2.2 dst=192.0.2.1 sport=8080 dport=42940 packets=2 "
        "bytes=112 [ASSURED] mark=16 secctx=null zone=5 use=1"
    )
    assert facts(row) == {
        "protocol": 6,
        "source": "192.0.2.1",
        "target": "198.51.100.7",
        "source_port": 42940,
        "target_port": 80,
        "reply_source": "192.0.2.2",
        "reply_target": "192.0.2.1",
        "reply_source_port": 8080,
        "reply_target_port": 42940,
        "state": "ESTABLISHED",
        "replied": True,
        "mark": 16,
        "zone": 5,
    }


def test_an_icmp_echo_keeps_its_identifier() -> None:
    row = only(
        "icmp     1 29 src=192.0.2.1 dst=192.0.2.2 type=8 code=0 id=7 [UNREPLIED] "
        "src=192.0.2.2 dst=192.0.2.1 type=0 code=0 id=7 mark=0 use=1 id=882948342"
    )
    assert (row.source_port, row.target_port) == (7, None)
    assert (row.reply_source_port, row.reply_target_port) == (None, 7)
    assert not row.replied


@pytest.mark.parametrize(
    "line",
    [
        "unknown  89 599 src=192.0.2.1 dst=192.0.2.2 src=192.0.2.2 dst=192.0.2.1 mark=0 id=9",
        "gre      47 29 timeout=30, stream_timeout=180 src=192.0.2.1 dst=192.0.2.2 srckey=0x0 "
        "dstkey=0x0 src=192.0.2.2 dst=192.0.2.1 srckey=0x0 dstkey=0x0 mark=0 use=1",
    ],
)
def test_protocols_without_ports(line: str) -> None:
    row = only(line)
    assert (row.source_port, row.reply_target_port, row.zone) == (None, None, 0)


def test_an_offloaded_connection_has_no_timeout() -> None:
    row = only(
        "ipv4     2 tcp      6 src=192.0.2.1 dst=192.0.2.2 sport=1 dport=2 src=192.0.2.2 "
        "dst=192.0.2.1 sport=2 dport=1 [OFFLOAD] mark=0 zone=0 use=3"
    )
    assert (row.protocol, row.state, row.target_port) == (6, None, 2)


def test_half_an_entry_and_prose() -> None:
    text = """
        conntrack v1.4.7 (conntrack-tools): 2 flow entries have been shown.
        tcp      6 431999 ESTABLISHED src=192.0.2.1 dst=198.51.100.7 sport=42940 dp
        what is this?
    """
    strict = conntrack.parse(listing(text))
    assert not strict.rows
    assert [problem.line for problem in strict.problems] == [2, 3]
    assert [problem.line for problem in conntrack.parse(pasted(text)).problems] == [2]
