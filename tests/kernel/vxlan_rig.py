"""Two hosts joined by VXLAN, to be asked where one frame goes and what the tables learn.

No bridge stands behind the devices, so a frame that comes back ends there and nothing can go round.
"""

import json
import os
import socket
import struct
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from ipaddress import IPv4Address

from hopback.frames.mac import BROADCAST, Mac, format_mac, mac_to_bytes
from hopback.lab.netns.namespace import OWN, Namespace
from hopback.lab.netns.observer import Observer, PacketType, Seen
from hopback.snapshot.rows import Fdb
from hopback.sources.live import fdb as live_fdb
from hopback.sources.live.netlink import Netlink, pack_attribute
from hopback.sources.live.reading import Names, Origin
from tests.kernel.bridge_rig import TEST_ETHERTYPE
from tests.kernel.netlink import (
    NDA_LLADDR,
    NDMSG,
    NLM_F_CREATE,
    NUD_PERMANENT,
    NUD_REACHABLE,
    RTM_DELNEIGH,
    RTM_GETNEIGH,
    RTM_NEWNEIGH,
    Order,
    Orders,
)
from tests.kernel.opened import Opened
from tests.kernel.rig import CommandFailed, wait_until

HOSTS = ("a", "b")
LEARNING_VNI, DEAF_VNI = 7, 8
VNIS = (LEARNING_VNI, DEAF_VNI)
NOBODY = "10.9.0.99"
ADDRESSES: Mapping[str, tuple[str, str]] = {
    "a": ("10.9.0.1", "10.9.0.11"),
    "b": ("10.9.0.2", "10.9.0.12"),
}
"""Each host's own; the first is the outer source of what its devices send."""

_AF_BRIDGE = 7
_MARKER_VNI = 1
_UNDERLAY = "lvu"
_NTF_SELF, _NLM_F_APPEND, _NDA_DST, _NDA_VNI = 0x02, 0x800, 1, 7
_OUTER = 14 + 20 + 8 + 8  # Ethernet, IPv4, UDP and VXLAN headers
_MARKER = mac_to_bytes(BROADCAST) + bytes.fromhex("0200000000ee88b6") + bytes(46)


def device_name(host: str, vni: int) -> str:
    return f"lv{host}{vni}"


def device_mac(host: str, vni: int) -> Mac:
    return Mac(0x0200_0000_0400 + 0x100 * HOSTS.index(host) + vni)


@dataclass(frozen=True)
class Destination:
    """Where an entry sends. ``vni`` None: that of the entry's device."""

    address: str
    vni: int | None = None


@dataclass(frozen=True)
class EntryConfig:
    """An entry of ``bridge fdb add … self``; more than one destination only for zero and groups."""

    host: str
    vni: int
    mac: Mac
    destinations: tuple[Destination, ...]
    permanent: bool = True


@dataclass(frozen=True)
class Reached:
    """What frames led to: by device those received, and by host those sent to ``NOBODY``."""

    local: Mapping[str, tuple[Seen, ...]]
    nobody: Mapping[str, tuple[bytes, ...]]
    table: tuple[Fdb, ...]


class KernelVxlans(Opened):
    """Two namespaces with a device of each VNI; all gone when left."""

    def _enter(self, undo: ExitStack) -> None:
        # On one CPU what was sent before a marker is received before it, too.
        undo.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        self._spaces = {host: undo.enter_context(closing(Namespace.anonymous())) for host in HOSTS}
        self._build()
        self._open(undo)

    def configure(self, entries: Sequence[EntryConfig]) -> None:
        """Forget what the tables have and give them these entries."""
        for host in HOSTS:
            orders = [_delete(self._index[row.dev or ""], row.mac) for row in self._rows(host)]
            for entry in entries:
                if entry.host == host:
                    orders += self._add(entry)
            self._orders[host].give(list(dict.fromkeys(orders)))

    def play(
        self, frames: Sequence[tuple[str, int, bytes]], *, forget_routes: bool = True
    ) -> Reached:
        """Frames one after another, each sent by a host's device of a VNI.

        A destination remembers the route that it was last reached by, also when its address has
        changed since (vxlan_snoop resets no dst_cache). No table shows that, so it is undone.
        """
        for host, vni, frame in frames:
            if forget_routes:
                for flush in self._flushes.values():
                    os.write(flush, b"1")
            self._devices[device_name(host, vni)].send(frame)
            self._settle()
        local = {name: tuple(observer.take()) for name, observer in self._devices.items()}
        nobody = {host: _inner(observer.take()) for host, observer in self._below.items()}
        return Reached(
            {name: seen for name, seen in local.items() if seen},
            {host: sent for host, sent in nobody.items() if sent},
            tuple(row for host in HOSTS for row in self._rows(host)),
        )

    def _settle(self) -> None:
        """Wait until a marker has gone both ways: all that was sent before has arrived by then."""
        for sender, receiver in (HOSTS, HOSTS[::-1]):
            self._markers[sender].send(_MARKER)
            wait_until(lambda to=receiver: bool(self._markers[to].take()), "a marker")  # type: ignore[misc]

    def _rows(self, host: str) -> list[Fdb]:
        body = NDMSG.pack(_AF_BRIDGE, 0, 0, 0, 0)
        messages = self._listing[host].dump(RTM_GETNEIGH, body).messages
        rows = live_fdb.decode(Origin(0, "", self._names[host]), messages)
        devices = {device_name(host, vni) for vni in VNIS}
        return [row for row in rows if row.on_device and row.dev in devices]

    def _add(self, entry: EntryConfig) -> list[Order]:
        index = self._index[device_name(entry.host, entry.vni)]
        state = NUD_PERMANENT if entry.permanent else NUD_REACHABLE
        orders = []
        for destination in entry.destinations:
            body = NDMSG.pack(_AF_BRIDGE, index, state, _NTF_SELF, 0)
            body += pack_attribute(NDA_LLADDR, mac_to_bytes(entry.mac))
            body += pack_attribute(_NDA_DST, IPv4Address(destination.address).packed)
            if destination.vni is not None:
                body += pack_attribute(_NDA_VNI, struct.pack("=I", destination.vni))
            says = f"{format_mac(entry.mac)} to {destination}"
            orders.append(Order(RTM_NEWNEIGH, body, says, NLM_F_CREATE | _NLM_F_APPEND))
        return orders

    def _build(self) -> None:
        with self._spaces["b"]:
            other = os.open(OWN, os.O_RDONLY)
        try:
            there = f"address {_wire_mac('b')} netns /proc/{os.getpid()}/fd/{other}"
            here = f"{_UNDERLAY} address {_wire_mac('a')}"
            self._ip("a", f"link add {here} type veth peer name {_UNDERLAY} {there}")
        finally:
            os.close(other)
        for host in HOSTS:
            self._ip(host, *_lines(host))
        # The carrier of a veth is noticed some time after both ends are up.
        wait_until(lambda: all(self._has_carrier(host) for host in HOSTS), "carrier")

    def _has_carrier(self, host: str) -> bool:
        with self._spaces[host]:
            argv = ["ip", "-j", "link", "show", _UNDERLAY]
            listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        return bool(json.loads(listed)[0]["operstate"] == "UP")

    def _ip(self, host: str, *lines: str) -> None:
        with self._spaces[host]:
            done = subprocess.run(
                ["ip", "-batch", "-"], input="\n".join(lines), capture_output=True, text=True
            )
        if done.returncode != 0:
            raise CommandFailed(done.stderr)

    def _open(self, undo: ExitStack) -> None:
        self._orders: dict[str, Orders] = {}
        self._listing: dict[str, Netlink] = {}
        self._names: dict[str, Names] = {}
        self._index: dict[str, int] = {}
        self._devices: dict[str, Observer] = {}
        self._below: dict[str, Observer] = {}
        self._markers: dict[str, Observer] = {}
        self._flushes: dict[str, int] = {}
        for host, space in self._spaces.items():
            self._orders[host] = Orders(space)
            undo.callback(self._orders[host].close)
            names = [device_name(host, vni) for vni in VNIS]
            with space:
                self._flushes[host] = os.open("/proc/sys/net/ipv4/route/flush", os.O_WRONLY)
                undo.callback(os.close, self._flushes[host])
                self._listing[host] = undo.enter_context(Netlink())
                indexes = {name: socket.if_nametoindex(name) for name in names}
            self._index |= indexes
            self._names[host] = Names({index: name for name, index in indexes.items()})
            for name in names:
                self._devices[name] = self._observer(undo, space, name, TEST_ETHERTYPE)
            self._below[host] = Observer(space, _UNDERLAY)
            undo.callback(self._below[host].close)
            marker = device_name(host, _MARKER_VNI)
            self._markers[host] = self._observer(undo, space, marker, TEST_ETHERTYPE + 1)

    def _observer(self, undo: ExitStack, space: Namespace, name: str, protocol: int) -> Observer:
        observer = Observer(space, name, outgoing=False, protocol=protocol)
        undo.callback(observer.close)
        return observer


def _wire_mac(host: str) -> str:
    return f"02:00:00:00:04:f{host}"


def _lines(host: str) -> list[str]:
    other = HOSTS[1 - HOSTS.index(host)]
    lines = [f"address add {address}/24 dev {_UNDERLAY}" for address in ADDRESSES[host]]
    lines += ["link set lo up", f"link set {_UNDERLAY} up"]
    # Nobody is asked who has an address: what is sent to NOBODY ends at the other host.
    lines += [
        f"neigh add {address} lladdr {_wire_mac(other)} dev {_UNDERLAY} nud permanent"
        for address in (*ADDRESSES[other], NOBODY)
    ]
    local = ADDRESSES[host][0]
    for vni in (*VNIS, _MARKER_VNI):
        name, mac = device_name(host, vni), format_mac(device_mac(host, vni))
        remote = f"remote {ADDRESSES[other][0]}" if vni == _MARKER_VNI else ""
        learning = "learning" if vni == LEARNING_VNI else "nolearning"
        lines.append(
            f"link add {name} address {mac} type vxlan id {vni} local {local} {remote}"
            f" dstport 4789 {learning}"
        )
        lines.append(f"link set {name} up")
    return lines


def _delete(index: int, mac: Mac) -> Order:
    body = NDMSG.pack(_AF_BRIDGE, index, 0, _NTF_SELF, 0)
    body += pack_attribute(NDA_LLADDR, mac_to_bytes(mac))
    return Order(RTM_DELNEIGH, body, f"old entry {format_mac(mac)}")


def _inner(seen: Sequence[Seen]) -> tuple[bytes, ...]:
    """The frames inside the packets that were sent to NOBODY."""
    nobody = IPv4Address(NOBODY).packed
    return tuple(
        s.frame[_OUTER:]
        for s in seen
        if s.type is PacketType.OUTGOING
        and s.frame[12:14] == b"\x08\x00"
        and s.frame[30:34] == nobody
    )
