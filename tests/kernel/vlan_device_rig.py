"""The bridge of taps with VLAN devices on its first port."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from hopback.frames.mac import Mac, format_mac
from hopback.lab.netns.observer import ETH_P_ALL, Seen
from tests.kernel.bridge_rig import BRIDGE, KernelBridge, PortConfig, port_mac

PORTS = ("lp0", "lp1")


class Device(NamedTuple):
    """A VLAN device on the first port."""

    name: str
    protocol: str
    vid: int
    mac: Mac


DEVICES = (
    Device("ld5", "802.1Q", 5, port_mac(0)),
    Device("ld7", "802.1Q", 7, Mac(0x0200_0000_0707)),
    Device("ls5", "802.1ad", 5, Mac(0x0200_0000_0705)),
)


class Heard(NamedTuple):
    """What left by each port, and what went up on the bridge and on each VLAN device."""

    egress: Mapping[str, tuple[bytes, ...]]
    local: Mapping[str, tuple[Seen, ...]]


class VlanDeviceBridge(KernelBridge):
    """CommandFailed where the kernel has no VLAN devices."""

    def __init__(self) -> None:
        super().__init__([PortConfig()] * len(PORTS))

    def _enter(self, undo: ExitStack) -> None:
        super()._enter(undo)
        self._batch("ip", [line for device in DEVICES for line in _made(device)])
        self._observers = {
            device.name: self._observer(undo, device.name, ETH_P_ALL) for device in DEVICES
        }

    def hear(self, frames: Sequence[tuple[str, bytes]]) -> Heard:
        """Frames, each in by a port, or sent by the host by any other device; no table before."""
        self.configure(self._ports)
        for name, frame in frames:
            if name in PORTS:
                os.write(self._taps[PORTS.index(name)], frame)
            else:
                (self._device if name == BRIDGE else self._observers[name]).send(frame)
        seen = self.play([])
        local = {name: tuple(observer.take()) for name, observer in self._observers.items()}
        local[BRIDGE] = seen.local
        return Heard(
            {PORTS[port]: sent for port, sent in seen.egress.items()},
            {name: heard for name, heard in local.items() if heard},
        )


def _made(device: Device) -> tuple[str, str]:
    address = format_mac(device.mac)
    kind = f"type vlan protocol {device.protocol} id {device.vid}"
    return (
        f"link add {device.name} link {PORTS[0]} address {address} {kind}",
        f"link set {device.name} up",
    )
