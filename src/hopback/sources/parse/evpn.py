"""FRR's ``show evpn mac vni …``: MACs of an EVPN with their mobility sequence numbers."""

import re

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import EvpnMac, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.listing import stray

COMMANDS: tuple[tuple[str, ...], ...] = (("show", "evpn", "mac"),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*(?:MAC\s+Type\s+(?:Flags\s+)?Intf/Remote"
    r"|[0-9a-f]{2}(?::[0-9a-f]{2}){5} (?:local|remote)\s+\S+.*\s\d+/\d+\s*\Z)"
)
FILLS: tuple[type[Row], ...] = (EvpnMac,)

# zebra/zebra_evpn_mac.c:zebra_evpn_print_mac_hash; before 7.2 without flags and sequence numbers.
_MAC = re.compile(
    r"\s*(?P<mac>[0-9a-f]{2}(?::[0-9a-f]{2}){5})\s+(?P<type>local|remote|auto)\s+"
    r"(?:(?P<flags>[NIPX]{1,4})\s+)?(?P<where>\S+)"
    r"(?:\s+(?P<vlan>\d{1,4}))?(?:\s+(?P<local>\d{1,10})/(?P<remote>\d{1,10}))?\s*\Z"
)
_AROUND = re.compile(
    r"\s*(?:MAC\s+Type|VNI \d+|Flags:|Number of MACs|\(local and remote\)|%|\S+[#>] ?show)"
)


def parse(text: Text) -> Parsed:
    """One MAC per line."""
    rows: list[Row] = []
    problems: list[Problem] = []
    for index, line in text.numbered():
        if match := _MAC.match(line):
            rows.append(
                EvpnMac(
                    cite=text.cite(index),
                    netns=text.netns,
                    mac=parse_mac(match["mac"]),
                    where=match["where"],
                    vlan=int(match["vlan"] or 0),
                    local_sequence=int(match["local"] or 0),
                    remote_sequence=int(match["remote"] or 0),
                )
            )
        elif not _AROUND.match(line):
            problems += stray(text, index, "show evpn mac")
    return Parsed(rows, problems)
