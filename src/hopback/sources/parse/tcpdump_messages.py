"""ARP, neighbour discovery and DHCP in what tcpdump printed: who asked, who answered, and how.

tcpdump ``print-arp.c``, ``print-icmp6.c``, ``print-bootp.c``, ``print-udp.c``.
"""

import re
from collections.abc import Iterator

from hopback.frames.mac import Mac
from hopback.snapshot.rows import DhcpMessage, MessageKind, NeighbourMessage, Row, Sighting
from hopback.sources.parse.fields import mac_or_none

_MAC = r"[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}"
_ASKED = re.compile(r"who-has (?P<address>[0-9.]+)(?: \([^)]*\))?,? tell (?P<sender>[0-9.]+)")
_ANSWERED = re.compile(rf"Reply (?P<address>[0-9.]+) is-at (?P<mac>{_MAC})", re.IGNORECASE)
_SOLICITED = re.compile(r"neighbor solicitation, (?:length \d+, )?who has (?P<address>[0-9a-f:.]+)")
_ADVERTISED = re.compile(
    r"neighbor advertisement, (?:length \d+, )?tgt is (?P<address>[0-9a-f:.]+)"
)
_LINK_LAYER = re.compile(
    rf"(?:source|destination) link-address option(?: \(\d\))?, length 8 \(1\): (?P<mac>{_MAC})"
)
_NONCE = re.compile(
    r"option \(14\), length 8 \(1\):\s*(?:0x0000:)?\s*(?P<nonce>[0-9a-f]{4} ?[0-9a-f]{4} ?"
    r"[0-9a-f]{4})"
)
_DHCP = re.compile(
    r"\.(?:67|68|bootps|bootpc) > \S+\.(?:67|68|bootps|bootpc): (?:\[(?P<sum>[^\]]*)\] )?"
    r"BOOTP/DHCP, (?P<kind>Request|Reply)"
)
_XID = re.compile(r"\bxid (0x[0-9a-f]{1,8})\b")
_MESSAGE = re.compile(r"DHCP-Message(?: Option)? \(?53\)?, length:? 1: (\w{1,20})")


def messages(sighting: Sighting, text: str) -> Iterator[Row]:
    """What the packet says; ``text`` is all that was printed of it, its lines joined by blanks."""
    if "neighbor" in text:
        yield from _discovery(sighting, text)
    elif "who-has" in text or "is-at" in text:
        yield from _arp(sighting, text)
    elif "BOOTP/DHCP" in text and (match := _DHCP.search(text)):
        yield _dhcp(sighting, text, match)


def _arp(sighting: Sighting, text: str) -> Iterator[Row]:
    if match := _ASKED.search(text):
        yield _message(sighting, "arp-request", match, sighting.source_mac)
    elif match := _ANSWERED.search(text):
        yield _message(sighting, "arp-reply", match, mac_or_none(match["mac"]))


def _discovery(sighting: Sighting, text: str) -> Iterator[Row]:
    option = _LINK_LAYER.search(text)
    mac = sighting.source_mac or mac_or_none(option["mac"] if option else None)
    if match := _SOLICITED.search(text):
        yield _message(sighting, "ns", match, mac, text)
    elif match := _ADVERTISED.search(text):
        yield _message(sighting, "na", match, mac)


def _message(
    sighting: Sighting, kind: MessageKind, match: re.Match[str], mac: Mac | None, text: str = ""
) -> NeighbourMessage:
    nonce = _NONCE.search(text)
    return NeighbourMessage(
        cite=sighting.cite,
        netns=sighting.netns,
        kind=kind,
        address=match["address"].rstrip("."),
        mac=mac,
        sender=match.groupdict().get("sender") or sighting.source,
        dev=sighting.dev,
        direction=sighting.direction,
        nonce=nonce["nonce"].replace(" ", "") if nonce else None,
        at=sighting.at,
    )


def _dhcp(sighting: Sighting, text: str, match: re.Match[str]) -> DhcpMessage:
    xid, kind = _XID.search(text), _MESSAGE.search(text)
    said = match["sum"] or ""
    return DhcpMessage(
        cite=sighting.cite,
        netns=sighting.netns,
        reply=match["kind"] == "Reply",
        source=sighting.source,
        source_mac=sighting.source_mac,
        xid=int(xid[1], 16) if xid else None,
        kind=kind[1] if kind else None,
        checksum_ok=True if said == "udp sum ok" else False if said.startswith("bad udp") else None,
        dev=sighting.dev,
        direction=sighting.direction,
    )
