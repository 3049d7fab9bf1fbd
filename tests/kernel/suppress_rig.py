"""The bridge of taps with ports that suppress neighbours, and a host that knows some."""

import struct
from collections.abc import Sequence
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from hopback.frames.mac import Mac, mac_to_bytes
from hopback.sources.live.netlink import pack_attribute
from tests.kernel import netlink
from tests.kernel.bridge_rig import BRIDGE, KernelBridge, PortConfig, StaticEntry

OWN_ADDRESS = "192.0.2.100"
_NDA_DST = 1
_NTF_ROUTER = 0x80
_AF = {4: 2, 6: 10}
_ARP_IGNORE_ALL = "8"
_IFLA_BRPORT = {"neigh_suppress": 32, "proxyarp": 10, "proxyarp_wifi": 12}


class Suppression(NamedTuple):
    """A port's flags of this kind."""

    neigh_suppress: bool = False
    proxyarp: bool = False
    proxyarp_wifi: bool = False


class Known(NamedTuple):
    """A permanent neighbour of the host's, on the bridge device."""

    address: str
    mac: Mac
    router: bool = False


class SuppressBridge(KernelBridge):
    """Its host has ``OWN_ADDRESS`` and answers nobody."""

    def __init__(self, count: int) -> None:
        super().__init__([PortConfig()] * count)
        self._known: Sequence[Known] = ()

    def _enter(self, undo: ExitStack) -> None:
        super()._enter(undo)
        with self._space:
            Path(f"/proc/sys/net/ipv4/conf/{BRIDGE}/arp_ignore").write_text(_ARP_IGNORE_ALL)
            for switch in Path("/proc/sys/net/bridge").glob("bridge-nf-call-*"):
                switch.write_text("0")
        # No IPv6 address: the host would speak by itself. But IPv6 has to be on for neighbours.
        lines = [
            f"link set {BRIDGE} addrgenmode none",
            f"address add {OWN_ADDRESS}/32 dev {BRIDGE}",
        ]
        self._batch("ip", lines)
        with self._space:
            Path(f"/proc/sys/net/ipv6/conf/{BRIDGE}/disable_ipv6").write_text("0")

    def suppress(
        self,
        ports: Sequence[PortConfig],
        flags: Sequence[Suppression],
        entries: Sequence[StaticEntry],
        known: Sequence[Known],
    ) -> None:
        """Other flags, entries and neighbours; what was there is forgotten."""
        self.configure(ports, entries)
        orders = [self._neighbour(k, netlink.RTM_DELNEIGH, 0) for k in self._known]
        for index, port in enumerate(flags):
            told = [(kind, bytes((getattr(port, f),))) for f, kind in _IFLA_BRPORT.items()]
            orders.append(netlink.bridge_port(self._index[index], told))
        create = netlink.NLM_F_CREATE
        orders += [self._neighbour(k, netlink.RTM_NEWNEIGH, create) for k in known]
        self._orders.give(orders)
        self._known = known

    def _neighbour(self, known: Known, kind: int, flags: int) -> netlink.Order:
        address = ip_address(known.address)
        head = struct.pack(
            "=BxxxiHBB",
            _AF[address.version],
            self._bridge,
            netlink.NUD_PERMANENT,
            _NTF_ROUTER if known.router else 0,
            0,
        )
        body = head + pack_attribute(_NDA_DST, address.packed)
        body += pack_attribute(netlink.NDA_LLADDR, mac_to_bytes(known.mac))
        return netlink.Order(kind, body, f"neighbour {known}", flags)
