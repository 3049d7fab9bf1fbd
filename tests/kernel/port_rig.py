"""The bridge of taps with what only few ports have: MAB, a backup, an MTU, no carrier."""

import fcntl
import json
import struct
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from hopback.frames.mac import Mac, mac_from_bytes
from hopback.sources.live.netlink import attributes, number
from tests.kernel import netlink
from tests.kernel.bridge_rig import BRIDGE, DEFAULT, KernelBridge, PortConfig, Settings, StaticEntry
from tests.kernel.rig import wait_until

MTU = 1500
_IFLA_BRPORT_BACKUP_PORT, _IFLA_BRPORT_MAB = 34, 40
_TUNSETCARRIER = 0x4004_54E2
_NDA_FLAGS_EXT, _NTF_EXT_LOCKED = 15, 0x02


@dataclass(frozen=True)
class FullPort(PortConfig):
    """``mab`` needs ``locked`` and ``learning``.

    ``backup``: the next port, or after the last the first, is its backup.
    """

    mab: bool = False
    backup: bool = False
    mtu: int = MTU


class PortBridge(KernelBridge):
    """``cut``: its first port has no carrier, and so can be in no state but disabled.

    ``promisc`` is the bridge device's. Both are for life: the kernel is slow with one, and logs
    each change of the other.
    """

    def __init__(self, count: int, *, cut: bool, promisc: bool) -> None:
        super().__init__([PortConfig()] * count)
        self._cut = cut
        self._promisc = promisc
        self._full: Sequence[FullPort] = [FullPort()] * count

    def _enter(self, undo: ExitStack) -> None:
        super()._enter(undo)
        # A bridge whose MTU nobody changed takes the least of its ports', and sends no more.
        promisc = "on" if self._promisc else "off"
        self._batch("ip", [f"link set {BRIDGE} mtu {2 * MTU} promisc {promisc}"])
        if self._cut:
            fcntl.ioctl(self._taps[0], _TUNSETCARRIER, struct.pack("=i", 0))
            wait_until(self._is_cut, "the first port without a carrier")

    def fill(
        self,
        ports: Sequence[FullPort],
        static: Sequence[StaticEntry] = (),
        settings: Settings = DEFAULT,
    ) -> None:
        """``configure``, for full ports."""
        # A port with MAB can neither be unlocked nor told not to learn.
        self._orders.give([self._mab(i, on=False) for i, p in enumerate(self._full) if p.mab])
        self.configure(ports, static, settings)
        changed = [
            i for i, (old, new) in enumerate(zip(self._full, ports, strict=True)) if old != new
        ]
        self._orders.give(
            [
                *(self._mab(i, on=True) for i, port in enumerate(ports) if port.mab),
                *(self._backup(i, ports[i]) for i in changed),
                *(netlink.mtu(self._index[i], ports[i].mtu) for i in changed),
            ]
        )
        self._full = ports

    def waiting(self) -> Mapping[Mac, bool]:
        """For each address of the table, whether it waits for its authorisation."""
        request = netlink.table_request(self._bridge)
        found = (
            attributes(message, netlink.NDMSG.size)
            for message in self._listing.dump(netlink.RTM_GETNEIGH, request).messages
        )
        return {
            mac_from_bytes(entry[netlink.NDA_LLADDR]): bool(
                number(entry.get(_NDA_FLAGS_EXT, b"\0")) & _NTF_EXT_LOCKED
            )
            for entry in found
            if netlink.NDA_MASTER in entry
        }

    def _is_cut(self) -> bool:
        (link,) = json.loads(self._run("ip", "-d", "-j", "link", "show", "lp0"))
        return bool(link["linkinfo"]["info_slave_data"]["state"] == "disabled")

    def _mab(self, port: int, *, on: bool) -> netlink.Order:
        return netlink.bridge_port(self._index[port], [(_IFLA_BRPORT_MAB, bytes((on,)))])

    def _backup(self, port: int, config: FullPort) -> netlink.Order:
        backup = self._index[(port + 1) % len(self._index)] if config.backup else 0
        value = struct.pack("=I", backup)
        return netlink.bridge_port(self._index[port], [(_IFLA_BRPORT_BACKUP_PORT, value)])
