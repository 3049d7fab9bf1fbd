"""What the cases of routing are made of: taps, addresses, and what differs from case to case."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hopback.frames.mac import Mac

TAPS = ("t0", "t1", "t2", "t3")
CUT = "t2"
"""The tap without carrier."""

MACS: Mapping[str, Mac] = {name: Mac(0x0200_0000_0A00 + i) for i, name in enumerate(TAPS)}
ADDRESSES: Mapping[str, tuple[str, ...]] = {
    "t0": ("10.0.0.1/24", "fd00::1/64", "fe80::a0/64"),
    "t1": ("10.0.1.1/24", "fd00:1::1/64", "fe80::a1/64"),
    "t2": ("10.0.2.1/24", "fd00:2::1/64", "fe80::a2/64"),
    "t3": ("fe80::a3/64",),
}
GATEWAYS: Mapping[str, tuple[str, ...]] = {
    "t0": ("10.0.0.2", "10.0.0.3", "fd00::2", "fe80::b"),
    "t1": ("10.0.1.2", "10.0.1.3", "fd00:1::2", "fe80::b"),
    "t2": ("10.0.2.2", "fd00:2::2"),
    "t3": ("10.0.3.2", "fe80::b"),
}
FAR = (
    *("10.5.1.129", "10.5.1.130", "10.5.1.1", "10.5.2.1", "10.6.0.1", "8.8.8.8"),
    *("fd05::1:81", "fd05::1:82", "fd05::2:1", "fd06::1", "2001:db8::1"),
)
"""Who is far away, or on any link."""

SILENT = {"fd00::f": "t0", "fd00:1::f": "t1", "10.0.0.15": "t0"}
"""Gateways that do not answer."""

ANYCAST = ("fd00::", "fd00:1::", "fd00:2::", "fe80::")
"""What the host has as a router."""

TABLES = ("100", "101")
VRF, VRF_TABLE, ENSLAVED = "v0", "10", ("t1", "t3")
"""A VRF, its table, and the taps that belong to it where there is one."""

MARKS = (0, 1, 2, 3)
FIRST_PORT = 4000
"""What comes from this port and those after it gets the marks."""

Family = Literal[4, 6]


@dataclass(frozen=True)
class Via:
    """A next hop."""

    dev: str
    via: str = ""
    weight: int = 1

    @property
    def words(self) -> str:
        other = "inet6 " if ":" in self.via else ""
        return f"via {other}{self.via} dev {self.dev} onlink" if self.via else f"dev {self.dev}"


@dataclass(frozen=True)
class RouteSpec:
    """A route as it is added; ``pref`` is IPv6's."""

    family: Family
    to: str
    table: str = "main"
    kind: str = "unicast"
    hops: tuple[Via, ...] = ()
    metric: int = 0
    tos: str = ""
    pref: str = ""

    @property
    def words(self) -> str:
        """The route in the words of ``ip``, but for its next hops."""
        kind = "" if self.kind == "unicast" else f"{self.kind} "
        tos = f" tos {self.tos}" if self.tos else ""
        return f"{kind}{self.to}{tos}"

    @property
    def told(self) -> str:
        """What stands behind the device."""
        metric = f" metric {self.metric}" if self.metric else ""
        pref = f" pref {self.pref}" if self.pref else ""
        return f"table {self.table} proto static{metric}{pref}"


@dataclass(frozen=True)
class RuleSpec:
    """A policy rule in the words of ``ip rule``."""

    family: Family
    priority: int
    selector: str
    action: str


@dataclass(frozen=True)
class Setup:
    """What differs from case to case; ``settings`` are sysctls without ``net.``.

    With ``vrf`` the taps in ``ENSLAVED`` belong to a VRF.
    """

    routes: tuple[RouteSpec, ...] = ()
    rules: tuple[RuleSpec, ...] = ()
    settings: tuple[tuple[str, int], ...] = ()
    vrf: bool = False


@dataclass(frozen=True)
class Own:
    """A datagram that a program on the host sends."""

    source: str
    target: str
    number: int
    port: int = FIRST_PORT
    mark: int = 0
    tos: int = 0
    dev: str = ""


def everybody() -> tuple[str, ...]:
    """All addresses that are no group's."""
    gateways = [address for given in GATEWAYS.values() for address in given]
    return tuple(dict.fromkeys((*gateways, *FAR, *SILENT, *own_addresses(), *ANYCAST)))


def own_addresses() -> tuple[str, ...]:
    """The host's own."""
    return tuple(a.split("/")[0] for given in ADDRESSES.values() for a in given)


def station(index: int) -> Mac:
    """The MAC of one of everybody."""
    return Mac(0x0200_0000_0100 + index)
