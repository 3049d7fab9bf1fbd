"""A plain Linux bridge whose ports are taps, to be asked what it does with one frame.

Writing to a tap runs the bridge before ``write`` returns, so every copy is already there to be
read: nothing is waited for, and nothing can come late.
"""

import json
import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from hopback.frames.mac import Mac, format_mac, mac_from_bytes, parse_mac
from hopback.lab.netns.namespace import Namespace
from hopback.lab.netns.observer import ETH_P_ALL, Observer, Seen
from hopback.sources.live.netlink import Netlink, attributes, number
from tests.kernel import netlink
from tests.kernel.opened import Opened
from tests.kernel.rig import checked, wait_until
from tests.kernel.tap import drain, open_tap

BRIDGE = "lbr0"
BRIDGE_MAC = parse_mac("02:bb:00:00:00:01")
FORWARDING = 3  # BR_STATE_*, include/uapi/linux/if_bridge.h
TEST_ETHERTYPE = 0x88B5
"""IEEE 802 local experimental: nothing in the kernel answers it."""

_USER_HZ = 100
_IFLA_BR = {"ageing_time": 4, "stp": 5, "group_fwd_mask": 9}
_IFLA_BRPORT = {
    "state": 1,
    "hairpin": 4,
    "learning": 8,
    "flood": 9,
    "proxyarp": 10,
    "mcast_flood": 27,
    "bcast_flood": 30,
    "group_fwd_mask": 31,
    "isolated": 33,
    "locked": 39,
}
_STP_GROUP = bytes.fromhex("0180c2000000")


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
    proxyarp: bool = False
    group_fwd_mask: int = 0


@dataclass(frozen=True)
class Settings:
    """The bridge's own; ``ageing_time`` in seconds, ``stp`` is the kernel's own spanning tree."""

    group_fwd_mask: int = 0
    ageing_time: int = 300
    stp: bool = False


DEFAULT = Settings()


@dataclass(frozen=True)
class StaticEntry:
    """An entry of ``bridge fdb add``: static (it moves), sticky (it does not) or local.

    ``extern``: ext-learned, as a switch driver or a routing daemon adds it, and not static.
    """

    mac: Mac
    port: int
    sticky: bool = False
    local: bool = False
    extern: bool = False


@dataclass(frozen=True)
class FdbEntry:
    """``port`` is None for the bridge's own address."""

    port: int | None
    static: bool = False
    sticky: bool = False
    local: bool = False


@dataclass(frozen=True)
class Observation:
    """What one frame (or several) led to.

    ``egress``: for each port that transmitted, its frames in order. ``local``: what was passed up
    on the bridge device, with the packet type it then had. ``kept``: for each port, what the bridge
    left to the port's own device (of ``TEST_ETHERTYPE`` alone).
    """

    egress: Mapping[int, tuple[bytes, ...]] = field(default_factory=dict)
    local: tuple[Seen, ...] = ()
    kept: Mapping[int, tuple[Seen, ...]] = field(default_factory=dict)


class Row(NamedTuple):
    """A table entry as the kernel lists it; ``device`` is an interface index."""

    mac: Mac
    vid: int
    device: int
    state: int
    flags: int


class KernelBridge(Opened):
    """A bridge (multicast snooping and VLAN filtering off) with one tap for each port.

    ``mac`` None: the bridge takes an address of its ports', as it does if nobody gives it one.
    CommandFailed or ``netlink.Refused`` when the kernel refuses a setting.
    """

    def __init__(
        self,
        ports: Sequence[PortConfig],
        static: Sequence[StaticEntry] = (),
        settings: Settings = DEFAULT,
        *,
        mac: Mac | None = BRIDGE_MAC,
    ) -> None:
        self._ports = ports
        self._static = static
        self._wanted = settings
        self._settings = DEFAULT
        self._mac = mac

    def _enter(self, undo: ExitStack) -> None:
        # The namespace has no name and no process: with the last descriptor it is gone.
        self._space = Namespace.anonymous()
        undo.callback(self._space.close)
        self._taps = [
            open_tap(undo, self._space, f"lp{index}") for index in range(len(self._ports))
        ]
        self._build()
        self._orders = netlink.Orders(self._space)
        undo.callback(self._orders.close)
        with self._space:
            self._listing = undo.enter_context(Netlink())
        self.configure(self._ports, self._static, self._wanted)
        self._device = self._observer(undo, BRIDGE, ETH_P_ALL)
        self._kept = [
            self._observer(undo, f"lp{index}", TEST_ETHERTYPE) for index in range(len(self._ports))
        ]

    def inject(self, port: int, frame: bytes) -> Observation:
        """Let ``frame`` arrive on a port, and see what the bridge does with it."""
        return self.play([(port, frame)])

    def transmit(self, frame: bytes) -> Observation:
        """Let the host send ``frame`` through the bridge device."""
        return self.play([(None, frame)])

    def play(self, frames: Sequence[tuple[int | None, bytes]]) -> Observation:
        """Frames one after another, each by its port (None: the host's own), and all they led to.

        A port's queue holds 500 frames, a device's about 200 kB: what is too much is lost.
        """
        for port, frame in frames:
            if port is None:
                self._device.send(frame)
            else:
                os.write(self._taps[port], frame)
        egress = {index: self._transmitted(tap) for index, tap in enumerate(self._taps)}
        kept = {index: tuple(observer.take()) for index, observer in enumerate(self._kept)}
        return Observation(
            {index: frames for index, frames in egress.items() if frames},
            tuple(self._device.take()),
            {index: seen for index, seen in kept.items() if seen},
        )

    def configure(
        self,
        ports: Sequence[PortConfig],
        static: Sequence[StaticEntry] = (),
        settings: Settings = DEFAULT,
    ) -> None:
        """Give the bridge and its ports (the same number and addresses) other flags and states.

        What was learned is forgotten: as good as a new bridge, and made a hundred times as fast.
        """
        if [_mac_of(p, i) for i, p in enumerate(ports)] != self._port_macs():
            raise ValueError("the ports' number and addresses are those the bridge was made with")
        # The state of a port cannot be set while the kernel's spanning tree runs; and the bridge
        # has to have a forwarding port all the time, or it loses its carrier for a while.
        calm = replace(settings, stp=False)
        forwarding_first = sorted(range(len(ports)), key=lambda i: -ports[i].state)
        self._orders.give(
            [
                *self._forget(),
                *self._change(self._settings, calm),
                *(netlink.bridge_port(self._index[i], _flags(ports[i])) for i in forwarding_first),
                *(self._add(entry) for entry in static),
                *self._change(calm, settings),
            ]
        )
        if self._settings.stp:
            for tap in self._taps:
                drain(tap)  # of what the spanning tree said since
        self._settings = settings

    def table(self) -> dict[tuple[Mac, int], FdbEntry]:
        """The bridge's table by address and VLAN, without the devices' own filter lists."""
        return {(row.mac, row.vid): self._entry(row) for row in self._rows()}

    def fdb(self) -> dict[Mac, FdbEntry]:
        """What of the table is in no VLAN, by address."""
        return {mac: entry for (mac, vid), entry in self.table().items() if not vid}

    def _rows(self) -> Iterator[Row]:
        request = netlink.table_request(self._bridge)
        for message in self._listing.dump(netlink.RTM_GETNEIGH, request).messages:
            _, device, state, flags, _ = netlink.NDMSG.unpack_from(message)
            found = attributes(message, netlink.NDMSG.size)
            if netlink.NDA_MASTER in found:
                mac = mac_from_bytes(found[netlink.NDA_LLADDR])
                vid = number(found.get(netlink.NDA_VLAN, b"\0"))
                yield Row(mac, vid, device, state, flags)

    def _entry(self, row: Row) -> FdbEntry:
        return FdbEntry(
            port=None if row.device == self._bridge else self._index.index(row.device),
            static=row.state == netlink.NUD_NOARP,
            sticky=bool(row.flags & netlink.NTF_STICKY),
            local=row.state == netlink.NUD_PERMANENT,
        )

    def _forget(self) -> Iterator[netlink.Order]:
        own = {self._mac, *self._port_macs()}
        # An order without a VLAN takes the address out of all VLANs: it has to be the last.
        for row in sorted(self._rows(), key=lambda row: -row.vid):
            if row.mac not in own:
                yield netlink.delete_neighbour(row.device, row.mac, row.vid)

    def _change(self, old: Settings, new: Settings) -> Iterator[netlink.Order]:
        if old != new:
            values = {
                "group_fwd_mask": struct.pack("=H", new.group_fwd_mask),
                "ageing_time": struct.pack("=I", new.ageing_time * _USER_HZ),
                "stp": struct.pack("=I", new.stp),
            }
            changed = [n for n in values if getattr(old, n) != getattr(new, n)]
            yield netlink.bridge(self._bridge, [(_IFLA_BR[n], values[n]) for n in changed])

    def _add(self, entry: StaticEntry) -> netlink.Order:
        state = netlink.NUD_PERMANENT if entry.local else netlink.NUD_NOARP
        flags = netlink.NTF_STICKY if entry.sticky else 0
        if entry.extern:
            state, flags = netlink.NUD_REACHABLE, netlink.NTF_EXT_LEARNED
        return netlink.add_neighbour(self._index[entry.port], entry.mac, state, flags)

    def _transmitted(self, tap: int) -> tuple[bytes, ...]:
        frames = drain(tap)
        if not self._settings.stp:
            return frames
        return tuple(frame for frame in frames if not _is_own_bpdu(frame))

    def _observer(self, undo: ExitStack, device: str, protocol: int) -> Observer:
        observer = Observer(self._space, device, outgoing=False, protocol=protocol)
        undo.callback(observer.close)
        return observer

    def _build(self) -> None:
        # Without a default PVID: where VLAN filtering is compiled in, each entry that is added
        # gets a twin in VLAN 1, which is never looked up, and stays behind when the entry moves.
        options = "stp_state 0 forward_delay 0 mcast_snooping 0 vlan_default_pvid 0"
        address = f"address {format_mac(self._mac)}" if self._mac else ""
        lines = [
            f"link add {BRIDGE} {address} type bridge {options}",
            f"link set {BRIDGE} up",
        ]
        for index, mac in enumerate(self._port_macs()):
            lines.append(f"link set lp{index} address {format_mac(mac)} master {BRIDGE} up")
        self._batch("ip", lines)
        # A late link event would make a disabled port forward again.
        wait_until(self._settled, "all ports up and forwarding")
        with self._space:
            self._bridge = socket.if_nametoindex(BRIDGE)
            self._index = [socket.if_nametoindex(f"lp{i}") for i in range(len(self._ports))]

    def _settled(self) -> bool:
        links = json.loads(self._run("ip", "-d", "-j", "link", "show", "master", BRIDGE))
        # A tap never knows more of its carrier than that there is one: its state stays UNKNOWN.
        return all(
            link["operstate"] in ("UP", "UNKNOWN")
            and link["linkinfo"]["info_slave_data"]["state"] == "forwarding"
            for link in links
        )

    def _port_macs(self) -> list[Mac]:
        return [_mac_of(port, index) for index, port in enumerate(self._ports)]

    def _batch(self, tool: str, lines: Sequence[str]) -> None:
        if lines:
            self._run(tool, "-batch", "-", script="\n".join(lines))

    def _run(self, *argv: str, script: str | None = None) -> str:
        with self._space:
            return checked([*argv], script)


def _mac_of(port: PortConfig, index: int) -> Mac:
    return port_mac(index) if port.mac is None else port.mac


def _flags(port: PortConfig) -> list[tuple[int, bytes]]:
    """The port's flags and state as IFLA_BRPORT_* attributes."""
    return [
        (kind, struct.pack("=H" if name == "group_fwd_mask" else "=B", getattr(port, name)))
        for name, kind in _IFLA_BRPORT.items()
    ]


def _is_own_bpdu(frame: bytes) -> bool:
    """Whether the bridge's spanning tree sent it: an 802.3 frame to the bridges' group."""
    return frame[:6] == _STP_GROUP and int.from_bytes(frame[12:14], "big") < 0x600
