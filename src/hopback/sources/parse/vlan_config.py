"""``/proc/net/vlan/config``: the 802.1Q devices of a network namespace."""

import re

from hopback.snapshot.rows import Row, VlanDevice
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.listing import stray

COMMANDS: tuple[tuple[str, ...], ...] = (("cat", "/proc/net/vlan/config"),)
_HEADER = re.compile(r"\s*VLAN Dev name\s*\|\s*VLAN ID\s*\Z")
SHAPE: re.Pattern[str] | None = _HEADER
FILLS: tuple[type[Row], ...] = (VlanDevice,)

_NAME_TYPE = re.compile(r"\s*Name-Type:")
_DEVICE = re.compile(r"\s*(?P<name>\S+)\s*\|\s*(?P<vid>\d{1,4})\s*\|\s*(?P<lower>\S+)\s*\Z")


def parse(text: Text) -> Parsed:
    """One device per line (``net/8021q/vlanproc.c:vlan_seq_show``)."""
    rows: list[Row] = []
    problems: list[Problem] = []
    for index, line in text.numbered():
        if device := _DEVICE.match(line):
            rows.append(
                VlanDevice(
                    cite=text.cite(index),
                    netns=text.netns,
                    name=device["name"],
                    vid=int(device["vid"]),
                    lower=device["lower"],
                )
            )
        elif not _HEADER.match(line) and not _NAME_TYPE.match(line):
            problems += stray(text, index, "/proc/net/vlan/config")
    return Parsed(rows, problems)
