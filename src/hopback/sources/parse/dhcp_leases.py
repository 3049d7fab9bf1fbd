"""Leases as DHCP servers keep them: dnsmasq's file, and dhcpd's.

dnsmasq ``src/lease.c:lease_update_file`` (one line each; those after ``duid`` are IPv6 and begin
with the IAID instead of the MAC), ISC dhcpd ``server/db.c:write_lease``.
"""

import re
from collections.abc import Iterator

from hopback.snapshot.rows import Lease, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import mac_or_none, unnamed
from hopback.sources.parse.listing import family, stray

COMMANDS: tuple[tuple[str, ...], ...] = (
    (
        "cat|grep|head|tail",
        "/var/lib/misc/|/var/lib/dnsmasq/|/var/lib/libvirt/dnsmasq/|/var/lib/dhcp/|/var/lib/dhcpd/"
        "|/tmp/dhcp.leases",
    ),
)
_MAC = r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}"
_DNSMASQ = re.compile(
    rf"(?P<expires>\d{{1,10}}) (?:(?:[0-9a-f]{{2}}-)?(?P<mac>{_MAC})|T?\d{{1,10}})"
    r" (?P<address>[0-9a-fA-F.:]+) (?P<name>\S+) (?P<id>\*|[0-9a-f]{2}(?::[0-9a-f]{2})*)\s*\Z"
)
_BEGIN = re.compile(r"lease (?P<address>[0-9.]+) \{\s*\Z")
SHAPE: re.Pattern[str] | None = re.compile(f"{unnamed(_BEGIN)}|{unnamed(_DNSMASQ)}")
FILLS: tuple[type[Row], ...] = (Lease,)

_HARDWARE = re.compile(rf"\s*hardware ethernet (?P<mac>{_MAC});")
_UID = re.compile(r'\s*uid (?P<id>"(?:[^"\\]|\\.){1,400}"|[0-9a-f]{2}(?::[0-9a-f]{2})*);')
_NAME = re.compile(r'\s*client-hostname "(?P<name>[^"]{1,255})";')
_INSIDE = re.compile(
    r"\s*(?:\}|#|(?:starts|ends|tstp|cltt|atsfp|binding|next|rewind|set|option|on|authoring-byte|"
    r"vendor-class-identifier|server-duid|reserved|abandoned)\b)|duid [0-9a-f:]+\s*\Z"
)


def parse(text: Text) -> Parsed:
    """The leases; of an address that dhcpd's file shows again and again, the last counts."""
    rows: dict[str, Lease] = {}
    problems: list[Problem] = []
    lines = list(text.numbered())
    for place, (index, line) in enumerate(lines):
        if match := _DNSMASQ.match(line):
            row = _dnsmasq(text, index, match)
        elif match := _BEGIN.match(line):
            row = _dhcpd(text, index, match["address"], (said for _, said in lines[place + 1 :]))
        else:
            if not any(p.match(line) for p in (_INSIDE, _HARDWARE, _UID, _NAME)):
                problems += stray(text, index, "DHCP leases")
            continue
        if row is not None:
            rows[row.address] = row
    return Parsed(tuple(rows.values()), problems)


def _dnsmasq(text: Text, index: int, match: re.Match[str]) -> Lease | None:
    if family(match["address"]) is None:
        return None
    return Lease(
        cite=text.cite(index),
        netns=text.netns,
        address=match["address"],
        mac=mac_or_none(match["mac"]),
        client_id=None if match["id"] == "*" else match["id"],
        hostname=None if match["name"] == "*" else match["name"],
    )


def _dhcpd(text: Text, index: int, address: str, lines: Iterator[str]) -> Lease | None:
    """What stands between the braces."""
    told: dict[str, str] = {}
    for line in lines:
        if line.lstrip().startswith("}") or _BEGIN.match(line):
            break
        for pattern in (_HARDWARE, _UID, _NAME):
            if match := pattern.match(line):
                told.update(match.groupdict())
    if family(address) is None:
        return None
    return Lease(
        cite=text.cite(index),
        netns=text.netns,
        address=address,
        mac=mac_or_none(told.get("mac")),
        client_id=told.get("id"),
        hostname=told.get("name"),
    )
