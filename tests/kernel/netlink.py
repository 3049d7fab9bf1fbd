"""Orders to netlink, many to one system call: a bridge is set up anew in a fraction of a ms.

Numbers are those of ``include/uapi/linux/{rtnetlink,if_link,neighbour}.h``.
"""

import os
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

from hopback.frames.mac import Mac, mac_to_bytes
from hopback.lab.netns.namespace import Namespace
from hopback.sources.live.netlink import NETLINK_ROUTE, pack_attribute

RTM_NEWLINK, RTM_SETLINK, RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 16, 19, 28, 29, 30
AF_BRIDGE = 7
NLM_F_CREATE, NLM_F_EXCL = 0x400, 0x200
NDA_LLADDR, NDA_VLAN, NDA_MASTER = 2, 5, 9
NUD_REACHABLE, NUD_NOARP, NUD_PERMANENT = 0x02, 0x40, 0x80
NTF_MASTER, NTF_EXT_LEARNED, NTF_STICKY = 0x04, 0x10, 0x40

NDMSG = struct.Struct("=BxxxiHBB")  # family, ifindex, state, flags, type

_NLMSG_ERROR = 2
_NLM_F_REQUEST, _NLM_F_ACK = 0x01, 0x04
_IFLA_MTU, _IFLA_MASTER, _IFLA_PROTINFO, _IFLA_LINKINFO = 4, 10, 12, 18
_INFO_KIND, _INFO_DATA = 1, 2
_NLA_F_NESTED = 0x8000
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_IFINFOMSG = struct.Struct("=BxHiII")  # family, type, ifindex, flags, change
_ERROR = struct.Struct("=i")


class Order(NamedTuple):
    """One message; ``says`` is for people, should the kernel refuse it."""

    kind: int
    body: bytes
    says: str
    flags: int = 0


class Refused(Exception):
    """The kernel refused an order; the message says which and why."""


class Orders:
    """A socket that gives orders in one namespace."""

    def __init__(self, space: Namespace, protocol: int = NETLINK_ROUTE) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        with space:
            self._socket = socket.socket(socket.AF_NETLINK, kind, protocol)
        self._socket.bind((0, 0))
        self._sequence = 0

    def give(self, orders: Sequence[Order]) -> None:
        """Have all of them carried out, in order; Refused for the first that was not."""
        if not orders:
            return
        first = self._sequence + 1
        self._sequence += len(orders)
        # An error is told unasked, so success need only be told of the last.
        flags = [_NLM_F_REQUEST] * (len(orders) - 1) + [_NLM_F_REQUEST | _NLM_F_ACK]
        self._socket.send(
            b"".join(
                _HEADER.pack(_HEADER.size + len(o.body), o.kind, o.flags | f, first + i, 0) + o.body
                for i, (o, f) in enumerate(zip(orders, flags, strict=True))
            )
        )
        refused: list[str] = []
        answered = 0
        while answered != self._sequence:
            for answered, code in _answers(self._socket.recv(1 << 16)):
                if code:
                    refused.append(f"{orders[answered - first].says}: {os.strerror(-code)}")
        if refused:
            raise Refused("; ".join(refused))

    def close(self) -> None:
        self._socket.close()


def _answers(data: bytes) -> list[tuple[int, int]]:
    """Sequence number and negative errno (0: done) of each answer in one datagram."""
    found = []
    position = 0
    while position < len(data):
        length, kind, _, sequence, _ = _HEADER.unpack_from(data, position)
        if kind == _NLMSG_ERROR:
            found.append((sequence, _ERROR.unpack_from(data, position + _HEADER.size)[0]))
        position += length + 3 & ~3
    return found


def bridge_port(index: int, attributes: Sequence[tuple[int, bytes]]) -> Order:
    """Set ``IFLA_BRPORT_*`` of the port with this interface index, as ``bridge link set`` does."""
    nested = b"".join(pack_attribute(kind, value) for kind, value in attributes)
    body = _IFINFOMSG.pack(AF_BRIDGE, 0, index, 0, 0)
    body += pack_attribute(_IFLA_PROTINFO | _NLA_F_NESTED, nested)
    return Order(RTM_SETLINK, body, f"flags of port {index}")


def bridge(index: int, attributes: Sequence[tuple[int, bytes]]) -> Order:
    """Set ``IFLA_BR_*`` of a bridge, as ``ip link set … type bridge`` does."""
    data = b"".join(pack_attribute(kind, value) for kind, value in attributes)
    info = pack_attribute(_INFO_KIND, b"bridge\0") + pack_attribute(_INFO_DATA, data)
    body = _IFINFOMSG.pack(0, 0, index, 0, 0) + pack_attribute(_IFLA_LINKINFO, info)
    return Order(RTM_NEWLINK, body, f"settings of bridge {index}")


def mtu(index: int, size: int) -> Order:
    """Set the MTU of the device with this interface index."""
    body = _IFINFOMSG.pack(0, 0, index, 0, 0) + pack_attribute(_IFLA_MTU, struct.pack("=I", size))
    return Order(RTM_NEWLINK, body, f"MTU of device {index}")


def add_neighbour(index: int, mac: Mac, state: int, flags: int) -> Order:
    """A new table entry for ``mac`` behind port ``index``, as ``bridge fdb add … master``."""
    body = NDMSG.pack(AF_BRIDGE, index, state, flags | NTF_MASTER, 0)
    body += pack_attribute(NDA_LLADDR, mac_to_bytes(mac))
    return Order(RTM_NEWNEIGH, body, f"new entry {mac:012x}", NLM_F_CREATE | NLM_F_EXCL)


def delete_neighbour(index: int, mac: Mac, vid: int) -> Order:
    """Remove the table entry of ``mac`` in VLAN ``vid`` (0: in none) behind port ``index``."""
    body = NDMSG.pack(AF_BRIDGE, index, 0, NTF_MASTER, 0)
    body += pack_attribute(NDA_LLADDR, mac_to_bytes(mac))
    if vid:
        body += pack_attribute(NDA_VLAN, struct.pack("=H", vid))
    return Order(RTM_DELNEIGH, body, f"old entry {mac:012x}")


def table_request(bridge: int) -> bytes:
    """The body of an RTM_GETNEIGH for the table of the bridge with this index."""
    return _IFINFOMSG.pack(AF_BRIDGE, 0, 0, 0, 0) + pack_attribute(
        _IFLA_MASTER, struct.pack("=I", bridge)
    )
