"""Networks of taps with rulesets of nftables: a bridge, and a bridge in a router."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache, lru_cache
from ipaddress import IPv6Address
from pathlib import Path

from hopback.lab.netns.namespace import Namespace
from hopback.sources.live.netlink import NETLINK_NETFILTER
from tests.kernel.bridge_rig import KernelBridge, PortConfig
from tests.kernel.hearing import hear
from tests.kernel.nftables import Nftables, has_library
from tests.kernel.rig import checked
from tests.kernel.router_rig import Router, Setup
from tests.kernel.tap import drain

LOCAL = "host"
SILENCE = (
    "table inet silence {\nchain c {\ntype filter hook output priority -400; policy drop;\n}\n}\n"
)
"""What the router would say by itself never leaves it, nor begins a connection."""

_LOCAL = tuple(
    (family, protocol)
    for family, protocols in ((socket.AF_INET, (1, 6, 17)), (socket.AF_INET6, (6, 17, 58)))
    for protocol in protocols
)
XTABLES = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
"""The tables of iptables and their own chains."""

EBTABLES = {
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "OUTPUT", "POSTROUTING"),
}
"""Those of ebtables that bridge."""

_ARP = b"\x08\x06"
_FLUSH = struct.pack("=IHHIIBBH", 20, 1 << 8 | 2, 1 | 4, 0, 0, 0, 0, 0)  # IPCTNL_MSG_CT_DELETE


class FilteredBridge(KernelBridge):
    """A bridge whose packet filters change from case to case; br_netfilter keeps out of it."""

    def __init__(self, count: int) -> None:
        super().__init__([PortConfig()] * count)

    def _enter(self, undo: ExitStack) -> None:
        super()._enter(undo)
        with self._space:
            for switch in Path("/proc/sys/net/bridge").glob("bridge-nf-call-*"):
                switch.write_text("0")
        if has_library():
            self.nft = Nftables(self._space)
            undo.callback(self.nft.close)

    def ebtables(self, script: str) -> None:
        """Other tables of ebtables (legacy) instead of all of its."""
        with self._space:
            _filled(script)


class FilteredRouter(Router):
    """The namespace that bridges and routes, with rulesets; it says nothing by itself.

    What it takes for itself is seen by raw sockets.
    """

    def _enter(self, undo: ExitStack) -> None:
        super()._enter(undo)
        self._listeners = {key: self._listener(undo, *key) for key in _LOCAL}
        self._nft = Nftables(self._space)
        undo.callback(self._nft.close)
        with self._space:
            self._tracking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        undo.callback(self._tracking.close)
        self._set: Setup | None = None
        self._rules = ()  # its own rules keep out of all this

    def load(self, ruleset: str, setup: Setup) -> None:
        """Another ruleset and other settings, and no connections."""
        if setup != self._set:
            self.set(setup)
        self._set = setup
        self._nft.load(SILENCE + ruleset)
        self._tracking.send(_FLUSH)
        self._tracking.recv(1 << 12)
        self.take()

    def restore(self, tool: str, script: str) -> None:
        """Other tables of x_tables for ``tool`` (iptables or ip6tables), instead of all of its."""
        with self._space:
            _restored(tool, script)

    def inject(self, tap: str, frame: bytes) -> None:
        """Let a frame arrive."""
        os.write(self._taps[tap], frame)

    def take(self) -> list[tuple[str, bytes]]:
        """What has left since, by tap; what the host itself got, under ``LOCAL``."""
        left = [
            (name, frame)
            for name, tap in self._taps.items()
            for frame in drain(tap)
            if frame[12:14] != _ARP  # it asks for neighbours
        ]
        got = [
            (LOCAL, _as_told(family, *told))
            for (family, _), listener in self._listeners.items()
            for told in _received(listener)
        ]
        return left + got

    def _listener(self, undo: ExitStack, family: int, protocol: int) -> socket.socket:
        with self._space:
            made = hear(undo, family, protocol)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        return made


@cache
def _scratch() -> Namespace:
    return Namespace.anonymous()


@lru_cache(maxsize=8)
def xtables_listing(tool: str, script: str) -> str:
    """What ``tool``-legacy-save prints of the tables."""
    with _scratch():
        _restored(tool, script)
        return checked([f"{tool}-legacy-save"])


def _restored(tool: str, script: str) -> None:
    empty = "".join(
        f"*{table}\n" + "".join(f":{chain} ACCEPT\n" for chain in chains) + "COMMIT\n"
        for table, chains in XTABLES.items()
    )
    checked([f"{tool}-legacy-restore"], empty)
    checked([f"{tool}-legacy-restore", "--noflush"], script)


@lru_cache(maxsize=4)
def ebtables_listing(script: str) -> dict[str, str]:
    """What ``ebtables-legacy -L`` prints of each table."""
    with _scratch():
        _filled(script)
        return {t: checked(["ebtables-legacy", "-t", t, "-L"]) for t in EBTABLES}


def _filled(script: str) -> None:
    empty = "".join(
        f"*{table}\n" + "".join(f":{chain} ACCEPT\n" for chain in chains)
        for table, chains in EBTABLES.items()
        if f"*{table}\n" not in script
    )
    checked(["ebtables-legacy-restore"], empty + script)


def local_packet(raw: bytes) -> bytes:
    """A packet that the host took for itself, as ``FilteredRouter.take`` tells it.

    Of IPv6 the addresses and what follows the last header are told.
    """
    packet = raw[14:]
    if packet[0] >> 4 == 4:
        return packet
    protocol, at = packet[6], 40
    while protocol in (0, 43, 60):
        protocol, at = packet[at], at + (packet[at + 1] + 1) * 8
    return packet[8:40] + packet[at:]


def _as_told(family: socket.AddressFamily, data: bytes, source: str, target: bytes) -> bytes:
    if family == socket.AF_INET:
        return data
    return IPv6Address(source).packed + target + data


def _received(listener: socket.socket) -> Iterator[tuple[bytes, str, bytes]]:
    """Packets with their source and (IPv6) destination."""
    while True:
        try:
            data, extra, _, address = listener.recvmsg(1 << 16, 128)
        except BlockingIOError:
            return
        target = next((value[:16] for _, _, value in extra), b"")
        yield data, str(address[0]).partition("%")[0], target
