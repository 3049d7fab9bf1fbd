"""A router between taps whose addresses and routes differ from case to case, to hear its errors.

A namespace for each case: how often somebody was told already counts, and no setting of a namespace
takes that back. Everybody it may have to find is a permanent neighbour.
"""

import os
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hopback.frames.mac import Mac, format_mac
from hopback.lab.netns.namespace import Namespace
from tests.kernel.opened import Opened
from tests.kernel.refusal import refusal
from tests.kernel.rig import checked
from tests.kernel.tap import drain, open_tap

DEVICES = ("e0", "e1", "e2")
MACS = {name: Mac(0x0200_0000_0A00 + i) for i, name in enumerate(DEVICES)}
MTUS = {"e0": 1500, "e1": 1300, "e2": 500}
"""IPv6 is off where the MTU is too small for it."""

SIX = ("e0", "e1")
GATEWAY = Mac(0x0200_0000_0B00)
"""The MAC of all neighbours."""

_SILENT = (
    "net.ipv4.icmp_ratemask = 0",
    "net.ipv4.icmp_msgs_per_sec = 10000000",
    "net.ipv4.icmp_msgs_burst = 10000000",
    "net.ipv6.icmp.ratelimit = 0",
    "net.ipv6.icmp.ratemask = ",
    "net.ipv6.auto_flowlabels = 0",
)
"""Nobody is told less for having been told before; and no field is drawn by chance."""


@dataclass(frozen=True)
class Setup:
    """Lines for ``ip -batch`` and sysctls without ``net.``; ``neighbours`` by device."""

    lines: tuple[str, ...] = ()
    settings: tuple[tuple[str, int], ...] = ()
    neighbours: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Listed:
    """What the commands of the namespace print, by command."""

    printed: tuple[tuple[str, str], ...]


COMMANDS = (
    "ip -d link show",
    "ip addr show",
    "ip -4 route show table all",
    "ip -6 route show table all",
    "ip neigh show",
)


class Teller(Opened):
    """One namespace, set up."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    def _enter(self, undo: ExitStack) -> None:
        self._space = Namespace.anonymous()
        undo.callback(self._space.close)
        self._taps = {name: open_tap(undo, self._space, name) for name in DEVICES}
        self._build()

    def play(self, frames: Sequence[tuple[str, bytes]]) -> list[dict[str, tuple[bytes, ...]]]:
        """For each frame, by the tap it comes in by, what left by each."""
        found = []
        for name, frame in frames:
            os.write(self._taps[name], frame)
            found.append({out: drain(tap) for out, tap in self._taps.items()})
        return found

    def heard(self, name: str) -> tuple[bytes, ...]:
        """What has left by the tap since it was last asked."""
        return drain(self._taps[name])

    def listed(self) -> Listed:
        """Its tables, as its own commands print them."""
        with self._space:
            return Listed(tuple((command, checked(command.split())) for command in COMMANDS))

    def _build(self) -> None:
        lines = [f"link set {n} address {format_mac(MACS[n])} addrgenmode none" for n in DEVICES]
        lines += [f"link set {name} mtu {mtu}" for name, mtu in MTUS.items()]
        lines += [f"link set {name} up" for name in (*DEVICES, "lo")]
        lines += self._setup.lines
        mac = format_mac(GATEWAY)
        for dev, address in self._setup.neighbours:
            lines.append(f"neigh replace {address} lladdr {mac} dev {dev} nud permanent")
        with self._space:
            for name in (*SIX, "lo"):
                _write(f"ipv6.conf.{name}.disable_ipv6", "0")
                _write(f"ipv6.conf.{name}.accept_ra", "0")
            for line in _SILENT:
                key, _, value = line.removeprefix("net.").partition(" = ")
                _write(key, value)
            for key, number in self._setup.settings:
                _write(key, str(number))
            # A line that makes no sense without another is passed over; the tables tell what is.
            subprocess.run(
                ["ip", "-force", "-batch", "-"],
                input="\n".join(lines),
                text=True,
                capture_output=True,
                check=False,
            )


def _write(key: str, value: str) -> None:
    Path("/proc/sys/net", *(k.replace("/", ".") for k in key.split("."))).write_text(f"{value}\n")


@cache
def teller_refusal() -> str | None:
    """Why this machine cannot be asked; None if it can."""
    return refusal()
