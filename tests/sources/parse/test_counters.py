"""Counters of the network stack, in the words of four programs and files."""

import pytest

from hopback.snapshot.rows import KernelCounter
from hopback.sources.parse import counters
from tests.sources.parse.given import listing, pasted, recorded

# A router that sent two packets on and told their sender of a shorter way, both times.
FORWARDED = {"IpInReceives": 2, "IpForwDatagrams": 2, "IcmpOutRedirects": 2}


def values(name: str) -> dict[str, int]:
    parsed = counters.parse(recorded(f"counters/{name}"))
    assert not parsed.problems
    return {row.name: row.value for row in parsed.rows if isinstance(row, KernelCounter)}


@pytest.mark.parametrize("name", ["netstat-s.txt", "nstat-j.json", "proc-net-snmp.txt"])
def test_the_same_in_three_forms(name: str) -> None:
    assert FORWARDED.items() <= values(name).items()


def test_sections_of_their_own() -> None:
    assert values("proc-net-snmp6.txt")["Ip6InMcastPkts"] == 5
    assert "IpExtInOctets" in values("proc-net-netstat.txt")
    assert values("netstat-s.txt")["IcmpMsgOutType5"] == 2


def test_settings_are_no_counters() -> None:
    found = values("proc-net-snmp.txt")
    assert "IpForwarding" not in found
    assert "IpDefaultTTL" not in found


def test_nstat() -> None:
    parsed = counters.parse(recorded("vm61-director-a/nstat.txt"))
    found = {row.name: row for row in parsed.rows if isinstance(row, KernelCounter)}
    assert not parsed.problems
    assert (found["IpInReceives"].value, found["IpInReceives"].cite.line) == (35, 2)


def test_sentences() -> None:
    text = """
        Ip:
            12 with invalid headers
            3 dropped because of missing route
        Icmp:
            ICMP input histogram:
                destination unreachable: 1
                timeout in transit: 64
            ICMP output histogram:
                destination unreachable: 5
                time exceeded: 7
        TcpExt:
            Quick ack mode was activated 7 times
            Detected reordering 5 times using SACK
            TCPTimeouts: 6
        Ip6:
            9 incoming packets with no route
        Icmp6:
            ICMP output histogram:
                sent ICMPv6 time exceeded: 8
    """
    parsed = counters.parse(listing(text, "netstat -s"))
    assert not parsed.problems
    assert [(row.name, row.value) for row in parsed.rows if isinstance(row, KernelCounter)] == [
        ("IpInHdrErrors", 12),
        ("IpOutNoRoutes", 3),
        ("IcmpInDestUnreachs", 1),
        ("IcmpInTimeExcds", 64),
        ("IcmpOutDestUnreachs", 5),
        ("IcmpOutTimeExcds", 7),
        ("TcpExtTCPTimeouts", 6),
        ("Ip6InNoRoutes", 9),
        ("Icmp6OutTimeExcds", 8),
    ]


@pytest.mark.parametrize("command", ["netstat -rn", "netstat -an", "netstat --tcp"])
def test_other_listings_of_netstat(command: str) -> None:
    parsed = counters.parse(listing("tcp 0 0 10.0.0.1:22 0.0.0.0:* LISTEN", command))
    assert (parsed.rows, parsed.problems, parsed.fills) == ((), (), ())


def test_names_without_their_values() -> None:
    text = "Ip: Forwarding InReceives\nIcmp: 1 2\nIp: 1 2 3"
    assert not counters.parse(pasted(text, "cat /proc/net/snmp")).rows
