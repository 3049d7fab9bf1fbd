"""A namespace that routes between taps by random tables and rules, to be asked what it does.

Everybody whom it may have to find is a permanent neighbour on every tap. Of its namespaces one
never has policy rules of its own for IPv4, and one not even local routes: with the first of them
the kernel keeps its tables otherwise, or looks at sources more closely, and goes on to do so.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Literal, get_args

from hopback.frames.mac import format_mac
from hopback.lab.netns.namespace import Namespace
from tests.kernel.hearing import hear, heard
from tests.kernel.opened import Opened
from tests.kernel.refusal import command_refusal, device_refusal
from tests.kernel.rig import checked
from tests.kernel.route_spec import (
    ADDRESSES,
    CUT,
    ENSLAVED,
    FIRST_PORT,
    MACS,
    MARKS,
    SILENT,
    TABLES,
    TAPS,
    VRF,
    VRF_TABLE,
    Own,
    RouteSpec,
    Setup,
    everybody,
    station,
)
from tests.kernel.tap import drain, open_tap

_TURN = 0.001
"""What the host sends to itself waits for its turn (netif_rx), on a kernel with one processor."""

Kind = Literal["plain", "local", "ruled", "vrf"]


def _kind(setup: Setup) -> Kind:
    """In which namespace a case is tried: the kernel remembers what it once had."""
    if setup.vrf:
        return "vrf"
    if any(rule.family == 4 for rule in setup.rules):
        return "ruled"
    local = any(route.family == 4 and route.kind == "local" for route in setup.routes)
    return "local" if local else "plain"


class RouteRig(Opened):
    """The namespaces."""

    def __init__(self) -> None:
        self._spaces: dict[Kind, _Space] = {}
        self._now: Kind = "ruled"

    def _enter(self, undo: ExitStack) -> None:
        self._spaces = {
            kind: undo.enter_context(_Space(vrf=kind == "vrf"))
            for kind in get_args(Kind)
            if kind != "vrf" or has_vrf()
        }

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


class _Space(Opened):
    def __init__(self, *, vrf: bool) -> None:
        self._vrf = vrf
        self._settings: dict[str, int] = {}

    def _enter(self, undo: ExitStack) -> None:
        self._space = Namespace.anonymous()
        undo.callback(self._space.close)
        self._taps = {name: open_tap(undo, self._space, name, carrier=name != CUT) for name in TAPS}
        self._build()
        with self._space:
            self._raw = [hear(undo, family) for family in (socket.AF_INET, socket.AF_INET6)]

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
        return list(heard(self._raw))

    def shown(self, *argv: str) -> str:
        with self._space:
            return checked([*argv])

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


def has_vrf() -> bool:
    """Whether this kernel has VRFs."""
    return device_refusal("vrf", "table", VRF_TABLE) is None


def gives_marks() -> bool:
    """Whether received packets get marks: nft has to work here."""
    return command_refusal("nft", "add", "table", "ip", "t") is None


def route_refusal() -> str | None:
    """Why this machine cannot route by rules in a namespace; None if it can."""
    return command_refusal("ip", "rule", "add", "lookup", "9")
