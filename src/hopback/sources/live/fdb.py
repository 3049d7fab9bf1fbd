"""Forwarding databases: RTM_GETNEIGH of AF_BRIDGE, once for all bridges of the namespace.

Hosts have tens of thousands of entries, so this loop is written for speed: messages of one length
nearly always hold the same attributes at the same places (``net/bridge/br_fdb.c:fdb_fill_info``
writes them in a fixed order), so a layout is worked out once per length, checked against every
message by comparing the attribute headers, and only a message that differs is walked again.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from hopback.frames.mac import Mac
from hopback.snapshot.rows import Fdb
from hopback.snapshot.table import Cite
from hopback.sources.live.addresses import format_ip
from hopback.sources.live.netlink import TICK, Netlink
from hopback.sources.live.reading import Origin, Reading

_RTM_GETNEIGH = 30
_AF_BRIDGE = 7
_NDMSG = struct.Struct("=BxxxiHBB")  # family, ifindex, state, flags, type
_NDA_DST, _NDA_LLADDR, _NDA_CACHEINFO, _NDA_VLAN, _NDA_VNI, _NDA_MASTER = 1, 2, 3, 5, 7, 9
_NUD_NOARP, _NUD_PERMANENT = 0x40, 0x80
_NTF_SELF, _NTF_EXT_LEARNED, _NTF_OFFLOADED, _NTF_STICKY = 0x02, 0x10, 0x20, 0x40
_UPDATED = 8  # nda_cacheinfo: confirmed, used, updated, refcnt


class _Layout(NamedTuple):
    """Where the attributes stand in messages of one length; 0 where there is none.

    ``headers`` unpacks every attribute header (and skips the values), ``seen`` is what it gave.
    """

    headers: struct.Struct
    seen: tuple[int, ...]
    mac: int
    vlan: int
    master: int
    age: int
    dst: int
    end: int
    vni: int


def read(reading: Reading, link: Netlink) -> None:
    """Add every entry of every bridge and device filter list of this namespace."""
    name = "RTM_GETNEIGH AF_BRIDGE (bridge fdb show)"
    body = _NDMSG.pack(_AF_BRIDGE, 0, 0, 0, 0)
    reading.take(link, _RTM_GETNEIGH, [(name, body)], decode, Fdb)


def decode(origin: Origin, messages: Iterable[bytes]) -> list[Fdb]:
    """The rows of one dump; a message without a MAC (an EVPN nexthop group's) gives none."""
    rows: list[Fdb] = []
    layouts: dict[int, _Layout] = {}
    head, u16, u32 = _NDMSG.unpack_from, _U16.unpack_from, _U32.unpack_from
    source, netns, names = origin
    for line, message in enumerate(messages, 1):
        layout = layouts.get(len(message))
        if layout is None or layout.headers.unpack_from(message, 12) != layout.seen:
            layout = layouts[len(message)] = _layout(message)
        _, _, mac, vlan, master, age, dst, end, vni = layout
        if not mac:
            continue
        _, index, state, flags, _ = head(message)
        rows.append(
            Fdb(
                cite=Cite(source, line),
                netns=netns,
                mac=Mac(int.from_bytes(message[mac : mac + 6], "big")),
                dev=names[index],
                bridge=names[u32(message, master)[0]] if master else None,
                vlan=u16(message, vlan)[0] if vlan else 0,
                local=state & _NUD_PERMANENT != 0,
                static=state & _NUD_NOARP != 0,
                sticky=flags & _NTF_STICKY != 0,
                extern_learn=flags & _NTF_EXT_LEARNED != 0,
                offload=flags & _NTF_OFFLOADED != 0,
                on_device=flags & _NTF_SELF != 0,
                age=u32(message, age)[0] * TICK if age else None,
                dst=format_ip(message[dst:end]) if dst else None,
                vni=u32(message, vni)[0] if vni else None,
            )
        )
    return rows


_U16 = struct.Struct("=H")
_U32 = struct.Struct("=I")


def _layout(message: bytes) -> _Layout:
    """Walk one message's attributes and note where they stand."""
    pattern, places, end_of_dst = "=", dict[int, int](), 0
    position = 12
    while position + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, position)
        if length < 4:
            break
        padded = length + 3 & ~3
        pattern += f"I{min(padded, len(message) - position) - 4}x"
        if kind != _NDA_LLADDR or length == 10:  # six bytes: a MAC, no InfiniBand address
            places[kind] = position + 4
        if kind == _NDA_DST:
            end_of_dst = position + length
        position += padded
    headers = struct.Struct(pattern)
    at = places.get
    age = at(_NDA_CACHEINFO, 0)
    return _Layout(
        headers,
        headers.unpack_from(message, 12),
        at(_NDA_LLADDR, 0),
        at(_NDA_VLAN, 0),
        at(_NDA_MASTER, 0),
        age and age + _UPDATED,
        at(_NDA_DST, 0),
        end_of_dst,
        at(_NDA_VNI, 0),
    )
