"""A namespace that routes between taps by random tables and rules, to be asked what it does.

Everybody whom it may have to find is a permanent neighbour on every tap. Of its namespaces one
never has policy rules of its own for IPv4, and one not even local routes: with the first of them
the kernel keeps its tables otherwise, or looks at sources more closely, and goes on to do so.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Literal, get_args

from hopback.frames.mac import Mac, format_mac
from hopback.lab.netns.namespace import Namespace
from tests.kernel.refusal import refusal
from tests.kernel.rig import checked
from tests.kernel.tap import drain, open_tap

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

_TURN = 0.001
"""What the host sends to itself waits for its turn (netif_rx), on a kernel with one processor."""

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


Kind = Literal["plain", "local", "ruled", "vrf"]


def _kind(setup: Setup) -> Kind:
    """In which namespace a case is tried: the kernel remembers what it once had."""
    if setup.vrf:
        return "vrf"
    if any(rule.family == 4 for rule in setup.rules):
        return "ruled"
    local = any(route.family == 4 and route.kind == "local" for route in setup.routes)
    return "local" if local else "plain"


class RouteRig:
    """The namespaces."""

    def __init__(self) -> None:
        self._undo = ExitStack()
        self._spaces: dict[Kind, _Space] = {}
        self._now: Kind = "ruled"

    def __enter__(self) -> "RouteRig":
        with ExitStack() as undo:
            self._spaces = {
                kind: undo.enter_context(_Space(vrf=kind == "vrf"))
                for kind in get_args(Kind)
                if kind != "vrf" or has_vrf()
            }
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.close()

    def set(self, setup: Setup) -> None:
        """The tables, rules and settings of a case, instead of those before."""
        self._now = _kind(setup)
        self._spaces[self._now].set(setup)

    def play(self, frames: Sequence[tuple[str, bytes] | Own]) -> dict[str, tuple[bytes, ...]]:
        """Frames by the taps they come in by, and what left by each."""
        return self._spaces[self._now].play(frames)

    def delivered(self) -> list[bytes]:
        """The UDP datagrams that the host took for its own since it was last asked."""
        return self._spaces[self._now].delivered()

    def shown(self, *argv: str) -> str:
        """What a command in the namespace prints."""
        return self._spaces[self._now].shown(*argv)


class _Space:
    def __init__(self, *, vrf: bool) -> None:
        self._vrf = vrf
        self._undo = ExitStack()
        self._settings: dict[str, int] = {}

    def __enter__(self) -> "_Space":
        with ExitStack() as undo:
            self._space = Namespace.anonymous()
            undo.callback(self._space.close)
            self._taps = {name: open_tap(self._space, name, carrier=name != CUT) for name in TAPS}
            for tap in self._taps.values():
                undo.callback(os.close, tap)
            self._build()
            self._raw = [self._hearing(undo, family) for family in (4, 6)]
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.close()

    def set(self, setup: Setup) -> None:
        with self._space:
            for key, value in setup.settings:
                if self._settings.get(key) != value:
                    _write(key, value)
                    self._settings[key] = value
            for family in (4, 6):
                _batch(f"-{family}", _lines(setup, family))

    def play(self, frames: Sequence[tuple[str, bytes] | Own]) -> dict[str, tuple[bytes, ...]]:
        for frame in frames:
            if isinstance(frame, Own):
                self._send(frame)
            else:
                os.write(self._taps[frame[0]], frame[1])
        return {name: drain(tap) for name, tap in self._taps.items()}

    def _send(self, own: Own) -> None:
        family = socket.AF_INET6 if ":" in own.source else socket.AF_INET
        with self._space:
            sender = socket.socket(family, socket.SOCK_DGRAM)
        with sender, suppress(OSError):  # no route: it is not sent
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, own.mark)
            level = socket.IPPROTO_IPV6 if ":" in own.source else socket.IPPROTO_IP
            option = socket.IPV6_TCLASS if ":" in own.source else socket.IP_TOS
            sender.setsockopt(level, option, own.tos)
            if own.dev:
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, own.dev.encode())
            sender.bind((own.source, own.port))
            sender.sendto(own.number.to_bytes(2, "big").ljust(20, b"\0"), (own.target, 5000))

    def delivered(self) -> list[bytes]:
        time.sleep(_TURN)
        found: list[bytes] = []
        for raw in self._raw:
            while True:
                try:
                    data = raw.recv(1 << 16)
                except BlockingIOError:
                    break
                found.append(data[20:] if raw.family == socket.AF_INET else data)
        return found

    def shown(self, *argv: str) -> str:
        with self._space:
            return checked([*argv])

    def _hearing(self, undo: ExitStack, family: int) -> socket.socket:
        version = socket.AF_INET if family == 4 else socket.AF_INET6
        with self._space:
            raw = socket.socket(version, socket.SOCK_RAW, socket.IPPROTO_UDP)
        undo.callback(raw.close)
        raw.setblocking(False)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        return raw

    def _build(self) -> None:
        lines = [f"link set {n} address {format_mac(MACS[n])} addrgenmode none" for n in TAPS]
        if self._vrf:
            lines += [f"link add {VRF} type vrf table {VRF_TABLE}", f"link set {VRF} up"]
            lines += [f"link set {name} master {VRF}" for name in ENSLAVED]
        lines += [f"link set {name} up" for name in (*TAPS, "lo")]
        with self._space:
            checked(["ip", "-batch", "-"], "\n".join(lines))
            _write("ipv4.icmp_ratelimit", 0)
            for name in ("lo", *([VRF] if self._vrf else [])):
                _write(f"ipv6.conf.{name}.disable_ipv6", 0)
            for name in TAPS:
                _write(f"ipv6.conf.{name}.disable_ipv6", 0)
                for family in (4, 6):
                    for kind in ("mcast_solicit", "ucast_solicit", "app_solicit"):
                        _write(f"ipv{family}.neigh.{name}.{kind}", 0)
            checked(["ip", "-batch", "-"], "\n".join(_addressed()))
            if gives_marks():
                marks = ", ".join(f"{FIRST_PORT + mark} : {mark}" for mark in MARKS)
                checked(["nft", "-f", "-"], _MARKING.format(marks=marks))


_MARKING = """table inet t {{
chain c {{
type filter hook prerouting priority -150;
meta mark set udp sport map {{ {marks} }}
}}
}}
"""


def _batch(family: str, lines: Iterable[str]) -> None:
    """Commands of which some may say that there was nothing to delete."""
    argv = ["ip", family, "-force", "-batch", "-"]
    given = list(lines)
    done = subprocess.run(argv, input="\n".join(given), capture_output=True, text=True, check=False)
    errors = [line for line in done.stderr.splitlines() if line.startswith(("Error", "RTNETLINK"))]
    wrong = [line for line in errors if not any(known in line for known in _EXPECTED)]
    assert not wrong, "\n".join((*given, done.stderr))


_EXPECTED = ("No such file or directory", "FIB table does not exist", "No such process")


def _write(key: str, value: int) -> None:
    Path("/proc/sys/net", *key.split(".")).write_text(str(value))


def _addressed() -> Iterator[str]:
    for name, given in ADDRESSES.items():
        for address in given:
            yield f"address add {address} dev {name}{' nodad' if ':' in address else ''}"
    for name in TAPS:
        for index, address in enumerate(everybody()):
            if SILENT.get(address) == name:
                # What was learned elsewhere stays when others of its kind are cleared away.
                yield f"neigh add {address} dev {name} nud failed extern_learn"
            else:
                yield f"neigh add {address} lladdr {format_mac(station(index))} dev {name}"


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


def _lines(setup: Setup, family: int) -> Iterator[str]:
    """Away with the tables and rules before; then those of the case.

    ``ip`` leaves local routes in other tables unless it has seen the table local.
    """
    for table in ("local", "main", "default", VRF_TABLE, *TABLES):
        yield f"route flush table {table} proto static"
    for route in setup.routes:
        if route.family == family:
            yield f"route append {_added(route)}"
    rules = [rule for rule in setup.rules if rule.family == family]
    if family == 4 and not rules:
        return  # one would be the first
    yield from ("rule flush", "rule del pref 0", "rule del pref 0")
    for rule in rules:
        action = rule.action.replace("lookup [l3mdev-table]", "l3mdev")
        yield f"rule add pref {rule.priority} {rule.selector} {action}"


def _added(route: RouteSpec) -> str:
    if len(route.hops) < 2:
        hop = route.hops[0].words if route.hops else ""
        return f"{route.words} {hop} {route.told}"
    hops = " ".join(f"nexthop {hop.words} weight {hop.weight}" for hop in route.hops)
    return f"{route.words} {route.told} {hops}"


@cache
def has_vrf() -> bool:
    """Whether this kernel has VRFs."""
    if refusal() is not None:
        return False
    return _works("ip", "link", "add", VRF, "type", "vrf", "table", VRF_TABLE) is None


@cache
def gives_marks() -> bool:
    """Whether received packets get marks: nft has to work here."""
    return refusal() is None and _works("nft", "add", "table", "ip", "t") is None


def _works(*argv: str) -> str | None:
    """Why a command fails in a namespace of its own; None if it does not."""
    with closing(Namespace.anonymous()) as space, space:
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return f"needs {argv[0]}"
        return f"{' '.join(argv)}: {done.stderr.strip()}" if done.returncode else None


@cache
def route_refusal() -> str | None:
    """Why this machine cannot route by rules in a namespace; None if it can."""
    return refusal() or _works("ip", "rule", "add", "lookup", "9")
