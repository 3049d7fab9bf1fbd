"""The bridge of taps with multicast snooping on, its queriers, groups and router ports set up."""

import json
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

from hopback.frames import icmp, ipv6, mld
from hopback.frames.build import multicast_mac
from hopback.frames.codec import encode
from hopback.frames.ethernet import IPV6, Frame
from hopback.frames.ipv6 import Extension, Ipv6
from hopback.frames.mac import Mac, mac_to_bytes, parse_mac
from hopback.frames.mld import Mld
from hopback.sources.live.netlink import pack_attribute
from tests.kernel import netlink
from tests.kernel.bridge_rig import (
    BRIDGE,
    BRIDGE_MAC,
    KernelBridge,
    Observation,
    PortConfig,
)

ALL_NODES = IPv6Address("ff02::1")
_QUERIER = parse_mac("02:00:00:00:00:99")
_ROUTER_ALERT = Extension(ipv6.HOP_BY_HOP, b"\x05\x02\0\0\1\0")
_BRIDGE_NETFILTER = Path("/proc/sys/net/bridge")
_NEVER = 10_000_000_00  # in USER_HZ

_RTM_NEWMDB, _RTM_DELMDB = 84, 85
_MDBA_SET_ENTRY = 1
_PORT_MSG = struct.Struct("=BxxxI")  # br_port_msg: family, ifindex of the bridge
_MDB_ENTRY = struct.Struct("=IBBH16sHxx")  # port, state, flags, vid, address, protocol (be16)
_IFLA_BR_MCAST_ROUTER, _IFLA_BRPORT_MULTICAST_ROUTER = 22, 25


class GroupMember(NamedTuple):
    """A member of a group, an IP address or a MAC; ``port`` None is the host."""

    group: str
    port: int | None


class SnoopingBridge(KernelBridge):
    """``queriers``: whether IPv4 and IPv6 have one."""

    def __init__(self, count: int, queriers: tuple[bool, bool]) -> None:
        super().__init__([PortConfig()] * count)
        self._queriers = queriers
        self._members: Sequence[GroupMember] = ()

    def _enter(self, undo: ExitStack) -> None:
        super()._enter(undo)
        self._without_netfilter()
        four, six = self._queriers
        # An own querier serves IPv4 alone, since the bridge has no IPv6 address to ask from. It
        # asks once: the next query is far away.
        timers = f"mcast_startup_query_count 0 mcast_query_interval {_NEVER}"
        of_bridge = f"link set {BRIDGE} type bridge"
        lines = [
            "link set lp0 type bridge_slave mcast_router 0",  # it shall not become a router's port
            f"{of_bridge} {timers} mcast_query_response_interval 1",
            f"{of_bridge} mcast_snooping 1",
        ]
        self._batch("ip", lines)
        if six:
            time.sleep(0.1)  # while its own query is due, the bridge hears no other's
            self.inject(0, _mld_query())
        self._batch("ip", [f"{of_bridge} mcast_querier {four:d}"])
        time.sleep(0.1)  # a querier counts only after the response time it gave
        self.play([])

    def _without_netfilter(self) -> None:
        """Else it drops damaged packets before the bridge has seen them (br_validate_ipv4)."""
        with self._space:
            for switch in _BRIDGE_NETFILTER.glob("bridge-nf-call-*"):
                switch.write_text("0")

    def snoop(
        self,
        ports: Sequence[PortConfig],
        routers: Sequence[int],
        host_router: int,
        members: Sequence[GroupMember],
    ) -> None:
        """Other flags, router ports (``mcast_router``) and members; the rest is forgotten."""
        orders = [self._member(member, _RTM_DELMDB) for member in self._members]
        for index, value in enumerate(routers):
            attribute = (_IFLA_BRPORT_MULTICAST_ROUTER, bytes((value,)))
            orders.append(netlink.bridge_port(self._index[index], [attribute]))
        orders.append(
            netlink.bridge(self._bridge, [(_IFLA_BR_MCAST_ROUTER, bytes((host_router,)))])
        )
        orders += [self._member(member, _RTM_NEWMDB) for member in members]
        self._members = ()
        self._orders.give(orders)
        self._members = members
        self.configure(ports)

    def play(self, frames: Sequence[tuple[int | None, bytes]]) -> Observation:
        """As before, without what the host says by itself: its queries and reports."""
        seen = super().play(frames)
        own = mac_to_bytes(BRIDGE_MAC)
        egress = {i: tuple(f for f in sent if f[6:12] != own) for i, sent in seen.egress.items()}
        local = tuple(s for s in seen.local if s.frame[6:12] != own)
        return replace(seen, egress={i: sent for i, sent in egress.items() if sent}, local=local)

    def _member(self, member: GroupMember, kind: int) -> netlink.Order:
        address, protocol = _packed(member.group)
        port = self._bridge if member.port is None else self._index[member.port]
        permanent = member.port is not None
        entry = _MDB_ENTRY.pack(port, permanent, 0, 0, address, protocol)
        body = _PORT_MSG.pack(netlink.AF_BRIDGE, self._bridge)
        body += pack_attribute(_MDBA_SET_ENTRY, entry)
        flags = netlink.NLM_F_CREATE if kind == _RTM_NEWMDB else 0
        return netlink.Order(kind, body, f"group {member}", flags)

    def groups(self) -> Iterator[tuple[str, str]]:
        """The groups and their members as the kernel lists them."""
        for entry in json.loads(self._run("bridge", "-j", "mdb", "show", "dev", BRIDGE))[0]["mdb"]:
            yield entry["grp"], entry["port"]


def _packed(group: str) -> tuple[bytes, int]:
    try:
        address = ip_address(group)
    except ValueError:
        return mac_to_bytes(parse_mac(group)), 0
    protocol = 0x0800 if address.version == 4 else IPV6
    return address.packed, int.from_bytes(protocol.to_bytes(2, "big"), "little")


def _mld_query() -> bytes:
    message = Mld(mld.QUERY, IPv6Address("::"), max_delay=1)
    source = IPv6Address("fe80::99")
    packet = Ipv6(source, ALL_NODES, icmp.PROTOCOL_V6, message, 1, extensions=(_ROUTER_ALERT,))
    return encode(Frame(Mac(multicast_mac(ALL_NODES)), _QUERIER, (), IPV6, packet))
