"""``/proc/net/bonding/BOND``: a bond and its legs (``drivers/net/bonding/bond_procfs.c``)."""

import re
from typing import Any

from msgspec.structs import replace

from hopback.snapshot.rows import Bond, BondLeg, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import int_or_none, mac_or_none
from hopback.sources.parse.listing import stray

COMMANDS: tuple[tuple[str, ...], ...] = (("cat", "/proc/net/bonding/"),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"(?:/proc/net/bonding/[^\s:]+:)?Ethernet Channel Bonding Driver: "
)
FILLS: tuple[type[Row], ...] = (Bond, BondLeg)

# What the file calls the modes, and what the rest of the kernel does (bond_main.c:bond_mode_name).
_MODES = (
    ("load balancing (round-robin)", "balance-rr"),
    ("fault-tolerance (active-backup)", "active-backup"),
    ("load balancing (xor)", "balance-xor"),
    ("fault-tolerance (broadcast)", "broadcast"),
    ("IEEE 802.3ad", "802.3ad"),
    ("transmit load balancing", "balance-tlb"),
    ("adaptive load balancing", "balance-alb"),
)
_PATH = re.compile(r"(?:.*/)?proc/net/bonding/(?P<bond>[^\s:*?]+)")
_PREFIX = re.compile(r"(?:\S*/)?proc/net/bonding/(?P<bond>[^\s:]+):(?P<rest>.*)")
_BANNER = re.compile(r"==> (?:\S*/)?proc/net/bonding/(?P<bond>\S+) <==")
_HEADING = re.compile(r"\s*(?:802\.3ad info|bond \S+ has no active aggregator)\s*\Z")


def parse(text: Text) -> Parsed:
    """Bonds and legs; the bond's name is in the command, the file's name or grep's prefix."""
    reader = _Reader(text)
    problems: list[Problem] = []
    for index, line in text.numbered():
        if banner := _BANNER.match(line):
            reader.name = banner["bond"]
            continue
        if prefix := _PREFIX.match(line):
            reader.name, line = prefix["bond"], prefix["rest"]
        key, colon, value = line.partition(":")
        if colon:
            reader.take(index, key.strip(), value.strip())
        elif line.strip() and not _HEADING.match(line):
            problems += stray(text, index, "/proc/net/bonding")
    reader.finish()
    return Parsed(reader.rows, [*problems, *reader.problems])


class _Reader:
    """Goes through the fields; ``bond`` and ``leg`` are the rows under construction."""

    def __init__(self, text: Text) -> None:
        self.rows: list[Row] = []
        self.problems: list[Problem] = []
        paths = [match["bond"] for word in text.command if (match := _PATH.match(word))]
        self.name: str | None = paths[0] if len(paths) == 1 else None
        self._text = text
        self._started = False
        self._bond: Bond | None = None
        self._leg: BondLeg | None = None
        self._side = ""

    def take(self, index: int, key: str, value: str) -> None:
        if key == "Ethernet Channel Bonding Driver":
            self._start(index)
        elif key == "Slave Interface" and value:
            self._close_leg()
            bond = None if self._bond is None else self._bond.name
            cite = self._text.cite(index)
            self._leg = BondLeg(cite=cite, netns=self._text.netns, name=value, bond=bond)
        elif key in ("details actor lacp pdu", "details partner lacp pdu"):
            self._side = key.split()[1]
        elif self._leg is not None:
            self._leg = replace(self._leg, **self._leg_fact(key, value))
        elif self._started or key == "Bonding Mode":
            if not self._started:  # the first line was cut off
                self._start(index)
            if self._bond is not None:
                self._bond = replace(self._bond, **_bond_fact(key, value))

    def finish(self) -> None:
        """Give out what is under construction."""
        self._close_leg()
        if self._bond is not None:
            self.rows.append(self._bond)
        self._bond = None

    def _start(self, index: int) -> None:
        self.finish()
        self._started = True
        if self.name is None:
            message = "which bond this is was not said (its file name was lost)"
            self.problems.append(self._text.problem(index, message))
            return
        cite = self._text.cite(index)
        self._bond = Bond(cite=cite, netns=self._text.netns, name=self.name)

    def _close_leg(self) -> None:
        self._side = ""
        if self._leg is None:
            return
        chosen = None if self._bond is None else self._bond.active_slave
        # Only modes with a chosen leg name one; the others of them are set inactive.
        active = None if chosen is None else self._leg.name == chosen
        self.rows.append(replace(self._leg, active=active))
        self._leg = None

    def _leg_fact(self, key: str, value: str) -> dict[str, Any]:
        if key == "MII Status":
            return {"mii_up": value == "up"}
        if key == "Aggregator ID":
            return {"aggregator": int_or_none(value)}
        if key == "Permanent HW addr":
            return {"perm_mac": mac_or_none(value)}
        if key == "port state" and self._side:
            return {f"{self._side}_state": int_or_none(value)}
        if key == "system mac address" and self._side == "partner":
            return {"partner_mac": mac_or_none(value)}
        return {}


def _bond_fact(key: str, value: str) -> dict[str, Any]:
    if key == "Bonding Mode":
        return {"mode": next((name for start, name in _MODES if value.startswith(start)), value)}
    if key == "Transmit Hash Policy":
        return {"xmit_hash_policy": value.split(" ")[0]}
    if key == "Currently Active Slave":
        return {"active_slave": "" if value == "None" else value}
    if key == "Aggregator ID":
        return {"active_aggregator": int_or_none(value)}
    if key == "Partner Mac Address":
        return {"partner_mac": mac_or_none(value)}
    return {}
