"""Switches' log lines about a MAC that changes ports, whatever stands around them.

Cisco IOS ``%SW_MATM-4-MACFLAP_NOTIF: Host … in vlan 10 is flapping between port A and port B``,
NX-OS ``%L2FM-4-L2FM_MAC_MOVE: Mac … in vlan 10 has moved from A to B``, Arista
``%ETH-4-HOST_FLAPPING: Host … in VLAN 10 is flapping between interface A and interface B``, FreeBSD
``bridge0: mac address … vlan 0 moved from A to B``, Huawei ``MAC move detected, VlanId = 10,
MacAddress = …, Original-Port = A, Flapping port = B``.
"""

import re
from itertools import chain

from hopback.frames.mac import Mac
from hopback.snapshot.rows import MacFlap, Row
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import unnamed

COMMANDS: tuple[tuple[str, ...], ...] = (("show", "logging"), ("show", "log"))

_MAC = r"[0-9A-Fa-f]{4}(?:[.-][0-9A-Fa-f]{4}){2}|[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}"
_PORT = r"(?:(?:port|interface)\s+)?"
_MOVE = re.compile(
    rf"\b(?:host|mac(?: address)?)\s+(?P<mac>{_MAC})\s+(?:in\s+)?vlan\s+(?P<vlan>\d{{1,4}})\s+"
    rf"(?:(?P<flapping>is flapping between|has moved between)|(?:has |was )?moved from)\s+{_PORT}"
    rf"(?P<before>[\w/.:-]{{1,64}})\s+(?:and|to)\s+{_PORT}(?P<after>[\w/.:-]{{1,64}})",
    re.IGNORECASE,
)
_DETECTED = re.compile(
    rf"\bMAC (?P<flapping>move|flapping) detected, ?VlanId ?= ?(?P<vlan>\d{{1,4}}), ?"
    rf"MacAddress ?= ?(?P<mac>{_MAC}), ?Original-Port ?= ?(?P<before>[\w/.:-]{{1,64}}), ?"
    r"Flapping port(?: 1)? ?= ?(?P<after>[\w/.:-]{1,64})",
    re.IGNORECASE,
)
SHAPE: re.Pattern[str] | None = re.compile(
    rf".{{0,200}}?(?:{unnamed(_MOVE)}|{unnamed(_DETECTED)})", re.IGNORECASE
)
FILLS: tuple[type[Row], ...] = (MacFlap,)


def parse(text: Text) -> Parsed:
    """One row for each such line; the other lines of a log are no problem."""
    rows: list[Row] = []
    for index, line in text.numbered():
        for match in chain(_MOVE.finditer(line), _DETECTED.finditer(line)):
            rows.append(
                MacFlap(
                    cite=text.cite(index),
                    netns=text.netns,
                    mac=Mac(int(re.sub(r"[.:-]", "", match["mac"]), 16)),
                    before=match["before"],
                    after=match["after"].rstrip(".:"),
                    vlan=int(match["vlan"]),
                    flapping=match["flapping"] is not None,
                )
            )
    return Parsed(rows)
