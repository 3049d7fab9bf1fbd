"""What is allowed through a port: VLANs (RTM_GETLINK of AF_BRIDGE) and groups (RTM_GETMDB)."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from hopback.frames.mac import format_mac, mac_from_bytes
from hopback.snapshot.rows import Mdb, PortVlan, RouterPort
from hopback.sources.live.addresses import format_ip
from hopback.sources.live.netlink import Netlink, attribute_list, attributes, pack_attribute
from hopback.sources.live.reading import Origin, Reading

_AF_BRIDGE = 7
_RTM_GETLINK, _RTM_GETMDB = 18, 86
_IFINFOMSG = struct.Struct("=BxHiII")  # family, type, index, flags, change
_IFLA_AF_SPEC, _IFLA_EXT_MASK = 26, 29
_RTEXT_FILTER_BRVLAN = 2
_BRIDGE_VLAN_INFO = 2
_VLAN_INFO = struct.Struct("=HH")  # flags, vid
_PVID, _UNTAGGED = 2, 4

_PORT_MSG = struct.Struct("=BxxxI")  # br_port_msg: family, ifindex of the bridge
_MDBA_MDB, _MDBA_ROUTER = 1, 2
_MDB_SOURCE = 4  # MDBA_MDB_EATTR_SOURCE
_ROUTER_INDEX = struct.Struct("=I")
_ROUTER_FAMILIES: dict[int, Literal[4, 6]] = {3: 4, 4: 6}  # MDBA_ROUTER_PATTR_INET_TIMER, …INET6
_MDB_ENTRY = struct.Struct("=IBBH16sHxx")  # port, state, flags, vid, address, protocol (be16)
_PROTOCOLS = {0x0800: 4, 0x86DD: 16}


def read(reading: Reading, link: Netlink) -> None:
    """Add the VLANs and multicast group members of this namespace's bridge ports."""
    mask = pack_attribute(_IFLA_EXT_MASK, struct.pack("=I", _RTEXT_FILTER_BRVLAN))
    name = "RTM_GETLINK AF_BRIDGE (bridge vlan show)"
    body = _IFINFOMSG.pack(_AF_BRIDGE, 0, 0, 0, 0) + mask
    reading.take(link, _RTM_GETLINK, [(name, body)], decode_vlans, PortVlan)
    request = ("RTM_GETMDB (bridge mdb show)", _PORT_MSG.pack(_AF_BRIDGE, 0))
    reading.take(link, _RTM_GETMDB, [request], decode_groups, Mdb)
    reading.take(link, _RTM_GETMDB, [request], decode_routers, RouterPort)


def decode_vlans(origin: Origin, messages: Iterable[bytes]) -> Iterator[PortVlan]:
    """One row for each VLAN of each port; without VLAN filtering in the kernel there are none."""
    for line, message in enumerate(messages, 1):
        index = _IFINFOMSG.unpack_from(message)[2]
        spec = attributes(message, _IFINFOMSG.size).get(_IFLA_AF_SPEC, b"")
        for kind, raw in attribute_list(spec):
            if kind != _BRIDGE_VLAN_INFO:
                continue
            flags, vid = _VLAN_INFO.unpack_from(raw)
            yield PortVlan(
                cite=origin.cite(line),
                netns=origin.netns,
                dev=origin.names[index],
                vid=vid,
                pvid=bool(flags & _PVID),
                untagged=bool(flags & _UNTAGGED),
            )


def decode_groups(origin: Origin, messages: Iterable[bytes]) -> Iterator[Mdb]:
    """One row for each member port of each group; a message holds one bridge's."""
    for line, message in enumerate(messages, 1):
        bridge = origin.names[_PORT_MSG.unpack_from(message)[1]]
        groups = attributes(message, _PORT_MSG.size).get(_MDBA_MDB, b"")
        for _, group in attribute_list(groups):
            for _, info in attribute_list(group):
                port, state, _, vid, address, protocol = _MDB_ENTRY.unpack_from(info)
                yield Mdb(
                    cite=origin.cite(line),
                    netns=origin.netns,
                    bridge=bridge,
                    dev=origin.names[port],
                    group=_group(address, protocol),
                    vlan=vid,
                    permanent=state == 1,
                    source=_source(attribute_list(info, _MDB_ENTRY.size), protocol),
                )


def decode_routers(origin: Origin, messages: Iterable[bytes]) -> Iterator[RouterPort]:
    """One row for each port and family on which a multicast router is known.

    ``br_mdb.c:br_rports_fill_info``: a family's timer is sent if the port is on its list; kernels
    before 5.14 have one list for both.
    """
    for line, message in enumerate(messages, 1):
        bridge = origin.names[_PORT_MSG.unpack_from(message)[1]]
        routers = attributes(message, _PORT_MSG.size).get(_MDBA_ROUTER, b"")
        for _, raw in attribute_list(routers):
            told = attributes(raw, _ROUTER_INDEX.size)
            families = tuple(f for kind, f in _ROUTER_FAMILIES.items() if kind in told)
            for family in families or (None,):
                yield RouterPort(
                    cite=origin.cite(line),
                    netns=origin.netns,
                    bridge=bridge,
                    dev=origin.names[_ROUTER_INDEX.unpack_from(raw)[0]],
                    family=family,
                )


def _source(told: Sequence[tuple[int, bytes]], protocol: int) -> str | None:
    """The sender of a source-specific entry (MDBA_MDB_EATTR_SOURCE)."""
    raw = dict(told).get(_MDB_SOURCE)
    return None if raw is None or protocol == 0 else format_ip(raw)


def _group(address: bytes, protocol: int) -> str:
    """IPv4, IPv6 or (protocol 0) a MAC in a union of sixteen bytes."""
    size = _PROTOCOLS.get(int.from_bytes(struct.pack("=H", protocol), "big"))
    return format_ip(address[:size]) if size else format_mac(mac_from_bytes(address[:6]))
