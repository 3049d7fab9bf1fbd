"""ARP, neighbour discovery and DHCP inside what tcpdump printed (recorded on 6.18)."""

import pytest

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import DhcpMessage, NeighbourMessage
from hopback.sources.parse import tcpdump
from tests.sources.parse.given import facts, listing, recorded, rows

A, B = parse_mac("02:00:00:00:0a:01"), parse_mac("02:00:00:00:0b:01")


def test_recorded_question_and_answer() -> None:
    lines = recorded("ndp-proxy/paste.txt").lines
    end = lines.index("root@web1:~# ip addr show dev hda0")
    parsed = tcpdump.parse(listing("\n".join(lines[1:end]), "tcpdump -e -n -v -i hda0 icmp6"))
    asked, answered = (facts(row) for row in rows(parsed, NeighbourMessage))
    del asked["at"], answered["at"]
    assert asked == {
        "kind": "ns",
        "address": "2001:db8::11",
        "mac": A,
        "sender": "::",
        "dev": "hda0",
        "nonce": "7d63eaf545b2",
    }
    assert answered == {
        "kind": "na",
        "address": "2001:db8::11",
        "mac": B,
        "sender": "fe80::ff:fe00:b01",
        "dev": "hda0",
    }
    assert not parsed.problems


SOLICITED = "IP6 fe80::1 > ff02::1:ff00:5: ICMP6, neighbor solicitation, who has 2001:db8::5"


@pytest.mark.parametrize(
    ("text", "kind", "mac", "sender"),
    [
        ("ARP, Request who-has 192.0.2.5 tell 0.0.0.0", "arp-request", None, "0.0.0.0"),
        (
            "ARP, Request who-has 192.0.2.5 (ff:ff:ff:ff:ff:ff) tell 192.0.2.9",
            "arp-request",
            None,
            "192.0.2.9",
        ),
        ("ARP, Reply 192.0.2.5 is-at 02:00:00:00:0b:01", "arp-reply", B, "192.0.2.5"),
        ("arp reply 192.0.2.5 is-at 02:00:00:00:0b:01", "arp-reply", B, None),
        (SOLICITED, "ns", None, "fe80::1"),
    ],
)
def test_forms(text: str, kind: str, mac: int | None, sender: str | None) -> None:
    line = f"10:00:00.000001 {text}, length 28"
    (row,) = rows(tcpdump.parse(listing(line, "tcpdump")), NeighbourMessage)
    assert row.address in ("192.0.2.5", "2001:db8::5")
    assert (row.kind, row.mac, row.sender) == (kind, mac, sender)


TO_CLIENT = "192.0.2.1.67 > 192.0.2.5.68:"
TO_SERVER = "0.0.0.0.68 > 255.255.255.255.67:"


@pytest.mark.parametrize(
    ("ports", "checked", "good"),
    [
        (TO_CLIENT, "[udp sum ok] ", True),
        (
            "192.0.2.1.bootps > 192.0.2.5.bootpc:",
            "[bad udp cksum 0xa72e -> 0xdee9!] ",
            False,
        ),
        (TO_SERVER, "[no cksum] ", None),
        (TO_SERVER, "", None),
    ],
)
def test_dhcp(ports: str, checked: str, good: bool | None) -> None:
    kind = "Request from 02:00:00:00:0a:01" if ports == TO_SERVER else "Reply"
    line = f"10:00:00.000001 IP {ports} {checked}BOOTP/DHCP, {kind}, length 300, xid 0x1f"
    (row,) = rows(tcpdump.parse(listing(line, "tcpdump")), DhcpMessage)
    assert (row.reply, row.checksum_ok, row.xid) == (kind == "Reply", good, 0x1F)


def test_the_kind_of_message_stands_among_the_options() -> None:
    text = "10:00:00.000001 IP (tos 0x0, ttl 64, id 0, proto UDP (17), length 328)\n"
    text += (
        "    192.0.2.1.67 > 192.0.2.5.68: [udp sum ok] BOOTP/DHCP, Reply, length 300, xid 0x1f\n"
    )
    text += "\t  Vendor-rfc1048 Extensions\n\t    DHCP-Message Option 53, length 1: Offer"
    (row,) = rows(tcpdump.parse(listing(text, "tcpdump -v")), DhcpMessage)
    assert row.kind == "Offer"
