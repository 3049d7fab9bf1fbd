"""Routes: RTM_GETROUTE (``include/uapi/linux/rtnetlink.h``), every table of both families."""

import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Literal

from hopback.snapshot.rows import NextHop, Route
from hopback.sources.live.addresses import SCOPES, format_ip
from hopback.sources.live.netlink import Attributes, Netlink, attributes, number, number_of
from hopback.sources.live.reading import Names, Origin, Reading
from hopback.sources.live.tables import table_name

_RTM_GETROUTE = 26
_RTMSG = struct.Struct("=BBBBBBBBI")  # family, dst, src, tos, table, protocol, scope, type, flags
_RTNEXTHOP = struct.Struct("=HBBi")  # length, flags, hops, ifindex
_DST, _OIF, _GATEWAY, _PRIORITY, _PREFSRC, _MULTIPATH, _TABLE, _VIA = 1, 4, 5, 6, 7, 9, 15, 18
_SRC, _PREF = 2, 20
_CLONED, _ONLINK = 0x200, 0x4
_DEAD, _LINKDOWN = 0x1, 0x10
_PREFERENCES = {0: "medium", 1: "high", 3: "low"}

_KINDS = (
    "unspec",
    "unicast",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "blackhole",
    "unreachable",
    "prohibit",
    "throw",
    "nat",
)
_PROTOCOLS = {
    0: "unspec",
    1: "redirect",
    2: "kernel",
    3: "boot",
    4: "static",
    8: "gated",
    9: "ra",
    10: "mrt",
    11: "zebra",
    12: "bird",
    13: "dnrouted",
    14: "xorp",
    15: "ntk",
    16: "dhcp",
    18: "keepalived",
    42: "babel",
    99: "openr",
    186: "bgp",
    187: "isis",
    188: "ospf",
    189: "rip",
    192: "eigrp",
}


def read(reading: Reading, link: Netlink) -> None:
    """Add every route of this namespace."""
    requests = [
        (
            f"RTM_GETROUTE IPv{digit} (ip -{digit} route show table all)",
            _RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0),
        )
        for digit, family in ((4, socket.AF_INET), (6, socket.AF_INET6))
    ]
    reading.take(link, _RTM_GETROUTE, requests, decode, Route)


def decode(origin: Origin, messages: Iterable[bytes]) -> Iterator[Route]:
    """The rows of one dump, without the copies that the route cache made (RTM_F_CLONED)."""
    for line, message in enumerate(messages, 1):
        family, bits, from_bits, tos, table, protocol, scope, kind, flags = _RTMSG.unpack_from(
            message
        )
        if flags & _CLONED or family not in (socket.AF_INET, socket.AF_INET6):
            continue
        found = attributes(message, _RTMSG.size)
        version: Literal[4, 6] = 4 if family == socket.AF_INET else 6
        prefsrc = found.get(_PREFSRC)
        yield Route(
            cite=origin.cite(line),
            netns=origin.netns,
            destination=prefix(found.get(_DST), bits, version),
            family=version,
            kind=_KINDS[kind] if kind < len(_KINDS) else str(kind),
            hops=tuple(_hops(found, flags, origin.names)),
            table=table_name(number_of(found, _TABLE) or table),
            protocol=_PROTOCOLS.get(protocol, str(protocol)),
            scope=SCOPES.get(scope, str(scope)),
            metric=number_of(found, _PRIORITY),
            source=format_ip(prefsrc) if prefsrc else None,
            onlink=bool(flags & _ONLINK) or _multipath_onlink(found),
            tos=f"{tos:#04x}" if tos else None,
            origin=prefix(found[_SRC], from_bits, version) if _SRC in found else None,
            preference=_PREFERENCES.get(number(found[_PREF])) if _PREF in found else None,
        )


def prefix(raw: bytes | None, bits: int, version: Literal[4, 6]) -> str:
    """A prefix as iproute2 writes it: ``default`` for all, no length for a single address."""
    if raw is None:
        if not bits:
            return "default"
        raw = bytes(4 if version == 4 else 16)
    single = bits == 8 * len(raw)
    return format_ip(raw) if single else f"{format_ip(raw)}/{bits}"


def _hops(found: Attributes, flags: int, names: Names) -> Iterator[NextHop]:
    if _MULTIPATH in found:
        for each, hops, index, attached in _multipath(found[_MULTIPATH]):
            yield NextHop(names[index], _via(attached), hops + 1, *_down(each))
    elif _OIF in found or _via(found):
        index = number(found.get(_OIF, b""))
        yield NextHop(names[index] if index else None, _via(found), 1, *_down(flags))


def _down(flags: int) -> tuple[bool, bool]:
    return bool(flags & _DEAD), bool(flags & _LINKDOWN)


def _multipath(raw: bytes) -> Iterator[tuple[int, int, int, Attributes]]:
    """(flags, hops, ifindex, attributes) of each struct rtnexthop."""
    position = 0
    while position + _RTNEXTHOP.size <= len(raw):
        length, flags, hops, index = _RTNEXTHOP.unpack_from(raw, position)
        if length < _RTNEXTHOP.size:
            return
        yield flags, hops, index, attributes(raw[position : position + length], _RTNEXTHOP.size)
        position += length + 3 & ~3


def _multipath_onlink(found: Attributes) -> bool:
    return any(hop[0] & _ONLINK for hop in _multipath(found.get(_MULTIPATH, b"")))


def _via(found: Attributes) -> str | None:
    """RTA_GATEWAY, or RTA_VIA (family, address) where an IPv4 route has an IPv6 gateway."""
    raw = found.get(_GATEWAY) or found.get(_VIA, b"")[2:]
    return format_ip(raw) if raw else None
