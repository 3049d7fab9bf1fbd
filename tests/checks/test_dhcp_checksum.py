"""dhcp-checksum: replies whose UDP checksum nobody filled in, and captures that only look so."""

import pytest

from tests.build import checks, listing, only, report

NAME = "dhcp-checksum"
BAD, GOOD = "[bad udp cksum 0xa72e -> 0xdee9!]", "[udp sum ok]"
REPLY = (
    "08:31:25.30509{n} {way}02:00:00:00:00:02 > 02:00:00:00:00:01, ethertype IPv4 (0x0800), length"
    " 342: (tos 0xc0, ttl 64, id 49467, offset 0, flags [none], proto UDP (17), length 328)\n"
    "    192.0.2.1.67 > 192.0.2.50.68: {sum} BOOTP/DHCP, Reply, length 300, xid 0xe33873cf"
)


def capture(*sums: str, way: str = "", host: str = "web1") -> str:
    lines = [REPLY.format(n=n, sum=each, way=way) for n, each in enumerate(sums)]
    return listing("tcpdump -e -vv -n -i eth0 port 67 or port 68", lines, host)


def test_a_reply_that_arrives_with_a_bad_sum() -> None:
    given = report(capture(BAD))
    finding = only(given, NAME)
    assert (finding.subject, finding.confidence) == ("192.0.2.1", "likely")
    assert any("bad udp checksums" in step.command for step in given.next)
    assert given.verdict == "clear"


def test_the_client_s_own_complaint_is_certain() -> None:
    lines = ["DHCPDISCOVER on eth0 to 255.255.255.255 port 67", "5 bad udp checksums in 5 packets"]
    finding = only(report(listing("journalctl -t dhclient", lines, "web1")), NAME)
    assert (finding.confidence, finding.details["server"]) == ("certain", None)


def own(line: str) -> str:
    up = "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP"
    return listing("ip addr show", [up, f"    {line}"], "web1")


ACK = "\n\t  DHCP-Message (53), length 1: ACK"


@pytest.mark.parametrize(
    "text",
    [
        capture(GOOD),
        capture(""),
        capture(BAD, way="eth0  Out "),
        capture(BAD) + own("inet 192.0.2.1/24 scope global eth0"),
        capture(BAD) + own("link/ether 02:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff"),
        capture(BAD).replace("xid 0xe33873cf", "xid 0xe33873cf" + ACK),
        capture(BAD).replace("Reply", "Request"),
    ],
    ids=[
        "good",
        "not checked",
        "on its way out",
        "its own address",
        "its own MAC",
        "taken",
        "a request",
    ],
)
def test_look_alikes(text: str) -> None:
    assert NAME not in checks(report(text))
