"""A plain Linux bridge whose ports are taps, to be asked what it does with one frame.

Writing to a tap runs the bridge before ``write`` returns, so every copy is already there to be
read: nothing is waited for, and nothing can come late.
"""

import fcntl
import json
import os
import struct
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from hopback.frames.mac import Mac, format_mac, parse_mac
from hopback.lab.netns.namespace import Namespace
from hopback.lab.netns.observer import Observer, Seen
from tests.kernel.rig import CommandFailed, wait_until

TUN = "/dev/net/tun"
TUNSETIFF = 0x4004_54CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000

BRIDGE = "lbr0"
BRIDGE_MAC = parse_mac("02:bb:00:00:00:01")
FORWARDING = 3  # BR_STATE_*, include/uapi/linux/if_bridge.h

_FRAME_MAX = 1 << 16


def port_mac(index: int) -> Mac:
    """The address of port ``index`` when its configuration names none."""
    return Mac(0xFE00_0000_0100 + index)


@dataclass(frozen=True)
class PortConfig:
    """A port's flags, with the kernel's defaults. ``mac`` None: ``port_mac`` of its index."""

    mac: Mac | None = None
    state: int = FORWARDING
    hairpin: bool = False
    learning: bool = True
    flood: bool = True
    mcast_flood: bool = True
    bcast_flood: bool = True
    isolated: bool = False
    locked: bool = False
    group_fwd_mask: int = 0

    def flags(self) -> str:
        """As ``ip link set … type bridge_slave`` takes them."""
        switches = (
            "hairpin",
            "learning",
            "flood",
            "mcast_flood",
            "bcast_flood",
            "isolated",
            "locked",
        )
        words = [f"{name} {'on' if getattr(self, name) else 'off'}" for name in switches]
        return " ".join([*words, f"group_fwd_mask {self.group_fwd_mask}"])


@dataclass(frozen=True)
class StaticEntry:
    """An entry of ``bridge fdb add``: static (it moves), sticky (it does not) or local."""

    mac: Mac
    port: int
    sticky: bool = False
    local: bool = False


@dataclass(frozen=True)
class FdbEntry:
    """``port`` is None for the bridge's own address."""

    port: int | None
    static: bool = False
    sticky: bool = False
    local: bool = False


@dataclass(frozen=True)
class Observation:
    """What one frame led to.

    ``egress``: for each port that transmitted, its frames in order. ``local``: what was passed up
    on the bridge device, with the packet type it then had.
    """

    egress: Mapping[int, tuple[bytes, ...]] = field(default_factory=dict)
    local: tuple[Seen, ...] = ()


class KernelBridge:
    """A bridge (STP, multicast snooping and VLAN filtering off) with one tap for each port.

    ``group_fwd_mask`` and ``ageing_time`` (s) are the bridge's own; ``ageing_time`` None leaves the
    kernel's 300 s. CommandFailed when the kernel refuses a setting.
    """

    def __init__(
        self,
        ports: Sequence[PortConfig],
        static: Sequence[StaticEntry] = (),
        *,
        mac: Mac = BRIDGE_MAC,
        group_fwd_mask: int = 0,
        ageing_time: int | None = None,
    ) -> None:
        self._ports = ports
        self._static = static
        self._mac = mac
        self._settings = f"group_fwd_mask {group_fwd_mask}"
        if ageing_time is not None:
            self._settings += f" ageing_time {ageing_time * 100}"  # in USER_HZ
        self._taps: list[int] = []
        self._undo = ExitStack()

    def __enter__(self) -> "KernelBridge":
        # The namespace has no name and no process: with the last descriptor it is gone.
        with ExitStack() as undo:
            self._space = Namespace.anonymous()
            undo.callback(self._space.close)
            for index in range(len(self._ports)):
                self._taps.append(self._open_tap(index))
                undo.callback(os.close, self._taps[-1])
            self._build()
            self.configure(self._ports, self._static)
            self._device = Observer(self._space, BRIDGE, outgoing=False)
            undo.callback(self._device.close)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.close()

    def inject(self, port: int, frame: bytes) -> Observation:
        """Let ``frame`` arrive on a port, and see what the bridge does with it."""
        os.write(self._taps[port], frame)
        return self._observed()

    def transmit(self, frame: bytes) -> Observation:
        """Let the host send ``frame`` through the bridge device."""
        self._device.send(frame)
        return self._observed()

    def configure(self, ports: Sequence[PortConfig], static: Sequence[StaticEntry] = ()) -> None:
        """Give the ports (the same number, with the same addresses) other flags and states.

        What was learned is forgotten: as good as a new bridge, and made ten times as fast.
        """
        if [_mac_of(p, i) for i, p in enumerate(ports)] != self._port_macs():
            raise ValueError("the ports' number and addresses are those the bridge was made with")
        flags = [
            f"link set lp{index} type bridge_slave {port.flags()}"
            for index, port in enumerate(ports)
        ]
        states = [f"link set dev lp{index} state {port.state}" for index, port in enumerate(ports)]
        self._batch("ip", flags)
        self._batch("bridge", [*self._forget_lines(), *map(_add_line, static), *states])

    def fdb(self) -> dict[Mac, FdbEntry]:
        """The bridge's table, without the devices' own filter lists."""
        listed = json.loads(self._run("bridge", "-j", "fdb", "show", "br", BRIDGE))
        return {
            parse_mac(entry["mac"]): self._entry(entry)
            for entry in listed
            if entry.get("master") == BRIDGE and "vlan" not in entry
        }

    def _observed(self) -> Observation:
        egress = {index: _drain(tap) for index, tap in enumerate(self._taps)}
        return Observation(
            {index: frames for index, frames in egress.items() if frames},
            tuple(self._device.take()),
        )

    def _entry(self, entry: dict[str, Any]) -> FdbEntry:
        name = entry["ifname"]
        return FdbEntry(
            port=None if name == BRIDGE else int(name.removeprefix("lp")),
            static=entry["state"] == "static",
            sticky="sticky" in entry["flags"],
            local=entry["state"] == "permanent",
        )

    def _open_tap(self, index: int) -> int:
        with self._space:
            tap = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            name = f"lp{index}".encode()
            fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name, IFF_TAP | IFF_NO_PI))
        return tap

    def _build(self) -> None:
        options = f"stp_state 0 forward_delay 0 mcast_snooping 0 {self._settings}"
        lines = [
            f"link add {BRIDGE} address {format_mac(self._mac)} type bridge {options}",
            f"link set {BRIDGE} up",
        ]
        for index, mac in enumerate(self._port_macs()):
            lines.append(f"link set lp{index} address {format_mac(mac)} master {BRIDGE} up")
        self._batch("ip", lines)
        # A late link event would make a disabled port forward again.
        wait_until(self._settled, "all ports up and forwarding")

    def _settled(self) -> bool:
        links = json.loads(self._run("ip", "-d", "-j", "link", "show", "master", BRIDGE))
        # A tap never knows more of its carrier than that there is one: its state stays UNKNOWN.
        return all(
            link["operstate"] in ("UP", "UNKNOWN")
            and link["linkinfo"]["info_slave_data"]["state"] == "forwarding"
            for link in links
        )

    def _forget_lines(self) -> list[str]:
        own = {self._mac, *self._port_macs()}
        return [
            f"fdb del {format_mac(mac)} dev lp{entry.port} master"
            for mac, entry in self.fdb().items()
            if mac not in own
        ]

    def _port_macs(self) -> list[Mac]:
        return [_mac_of(port, index) for index, port in enumerate(self._ports)]

    def _batch(self, tool: str, lines: Sequence[str]) -> None:
        if lines:
            self._run(tool, "-batch", "-", script="\n".join(lines))

    def _run(self, *argv: str, script: str | None = None) -> str:
        with self._space:
            done = subprocess.run(argv, input=script, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CommandFailed(f"{' '.join(argv)}: {done.stderr}\n{script or ''}")
        return done.stdout


def _mac_of(port: PortConfig, index: int) -> Mac:
    return port_mac(index) if port.mac is None else port.mac


def _add_line(entry: StaticEntry) -> str:
    kind = "local" if entry.local else "static sticky" if entry.sticky else "static"
    return f"fdb add {format_mac(entry.mac)} dev lp{entry.port} master {kind}"


def _drain(tap: int) -> tuple[bytes, ...]:
    frames: list[bytes] = []
    while True:
        try:
            frames.append(os.read(tap, _FRAME_MAX))
        except BlockingIOError:
            return tuple(frames)
