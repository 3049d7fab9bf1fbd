"""Devices: RTM_GETLINK (``include/uapi/linux/if_link.h``).

One dump tells of the device itself, of the bridge, bond or VLAN it is, of the port it is, and of
what sits on it that hopback cannot evaluate; each of these has its decoder.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hopback.snapshot.rows import (
    Blind,
    Bond,
    BondLeg,
    Bridge,
    BridgePort,
    Link,
    Row,
    Tunnel,
    VlanDevice,
    Vrf,
    Vxlan,
)
from hopback.snapshot.table import Cite
from hopback.sources.live import bonds, bridges, tunnels, vxlans
from hopback.sources.live.netlink import (
    Attributes,
    Netlink,
    attributes,
    mac_of,
    number,
    number_of,
    pack_attribute,
    text,
)
from hopback.sources.live.reading import Names, Origin, Reading
from hopback.sources.live.tables import table_name
from hopback.sources.parse.tunnel_facts import kind_of

_RTM_GETLINK = 18
_IFINFOMSG = struct.Struct("=BxHiII")  # family, type, index, flags, change

_ADDRESS, _IFNAME, _MTU, _LINK, _MASTER, _LINKINFO = 1, 3, 4, 5, 10, 18
_NUM_VF, _EXT_MASK, _PHYS_SWITCH_ID, _LINK_NETNSID, _XDP, _PERM_ADDRESS = 21, 29, 36, 37, 43, 54
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_KIND, _INFO_SLAVE_DATA = 1, 2, 4, 5
_XDP_ATTACHED = 2
_VLAN_ID, _VLAN_PROTOCOL = 1, 5
_MACVLAN_MODE = 1
_VRF_TABLE = 1

_IFF_UP, _IFF_PROMISC, _IFF_LOWER_UP = 0x1, 0x100, 0x10000
# Virtual functions are listed only on request; the statistics that would come with them are not
# wanted (RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS).
_WANTED = pack_attribute(_EXT_MASK, struct.pack("=I", 1 | 8))

_PROTOCOLS = {0x8100: "802.1Q", 0x88A8: "802.1ad"}
_MACVLAN_MODES = {1: "private", 2: "vepa", 4: "bridge", 8: "passthru", 16: "source"}
_OVS = "openvswitch"

FILLS = (Link, Bridge, BridgePort, Bond, BondLeg, VlanDevice, Vxlan, Tunnel, Vrf)
"""The tables that one RTM_GETLINK fills; of blind spots it tells some, ``tc`` the rest."""


class Device(NamedTuple):
    """One RTM_NEWLINK, its nested attributes opened."""

    cite: Cite
    netns: str
    name: str
    ifindex: int
    flags: int
    found: Attributes
    kind: str
    data: Attributes
    port_of: str
    port: Attributes


def read(reading: Reading, link: Netlink) -> Iterator[Row]:
    """The rows of this namespace's devices; it also teaches ``reading`` their names.

    They are returned, not added: what a veth's other end is called may be known only when its own
    namespace has been read.
    """
    body = _IFINFOMSG.pack(0, 0, 0, 0, 0) + _WANTED
    origin, found = reading.dump(link, "RTM_GETLINK (ip -d link show)", _RTM_GETLINK, body)
    reading.builder.add((), fills=FILLS, extent=reading.extent(origin, found.whole))
    reading.names.update(names(found.messages))
    reading.devices_whole = found.whole
    return decode(origin, found.messages)


def names(messages: Iterable[bytes]) -> Names:
    """What the devices are called, by index."""
    known = Names()
    for message in messages:
        found = attributes(message, _IFINFOMSG.size)
        known[_IFINFOMSG.unpack_from(message)[2]] = text(found.get(_IFNAME, b""))
    return known


def decode(origin: Origin, messages: Iterable[bytes]) -> Iterator[Row]:
    """All rows that the messages give, device by device."""
    for line, message in enumerate(messages, 1):
        device = _open(origin, line, message)
        yield _link(device, origin.names)
        yield from _blinds(device)
        if device.kind == "bridge":
            yield bridges.bridge(device.cite, device.netns, device.name, device.data)
        elif device.kind == "bond":
            yield bonds.bond(device.cite, device.netns, device.name, device.data, origin.names)
        elif device.kind == "vlan":
            yield _vlan(device, origin.names)
        elif device.kind == "vxlan":
            yield vxlans.vxlan(device.cite, device.netns, device.name, device.data, origin.names)
        elif device.kind == "vrf":
            table = table_name(number(device.data.get(_VRF_TABLE, b"")))
            yield Vrf(cite=device.cite, netns=device.netns, dev=device.name, table=table)
        elif kind := kind_of(device.kind):
            yield tunnels.tunnel(
                device.cite, device.netns, device.name, kind, device.data, origin.names
            )
        master = _master(device, origin.names)
        if device.port_of == "bridge":
            yield bridges.port(
                device.cite, device.netns, device.name, master, device.port, origin.names
            )
        elif device.port_of == "bond":
            yield bonds.leg(device.cite, device.netns, device.name, master, device.port)


def _open(origin: Origin, line: int, message: bytes) -> Device:
    _, _, index, flags, _ = _IFINFOMSG.unpack_from(message)
    found = attributes(message, _IFINFOMSG.size)
    info = attributes(found.get(_LINKINFO, b""))
    return Device(
        origin.cite(line),
        origin.netns,
        origin.names[index],
        index,
        flags,
        found,
        text(info.get(_INFO_KIND, b"")),
        attributes(info.get(_INFO_DATA, b"")),
        text(info.get(_INFO_SLAVE_KIND, b"")),
        attributes(info.get(_INFO_SLAVE_DATA, b"")),
    )


def _link(device: Device, known: Names) -> Link:
    found = device.found
    lower = number(found.get(_LINK, b""))  # 0: a tunnel bound to no device
    elsewhere = _LINK_NETNSID in found
    return Link(
        cite=device.cite,
        netns=device.netns,
        name=device.name,
        index=device.ifindex,
        kind=device.kind or None,
        mac=mac_of(found, _ADDRESS),
        perm_mac=mac_of(found, _PERM_ADDRESS),
        up=bool(device.flags & _IFF_UP),
        carrier=bool(device.flags & _IFF_LOWER_UP),
        promisc=bool(device.flags & _IFF_PROMISC),
        mtu=number_of(found, _MTU),
        master=_master(device, known),
        port_of=device.port_of or None,
        lower=None if elsewhere else known[lower] if lower else "",
        lower_index=lower or None,
        lower_netnsid=number_of(found, _LINK_NETNSID),
        xdp=_has_xdp(found),
        macvlan_mode=_macvlan_mode(device),
    )


def _macvlan_mode(device: Device) -> str | None:
    if device.kind not in ("macvlan", "macvtap"):
        return None
    return _MACVLAN_MODES.get(number(device.data.get(_MACVLAN_MODE, b"")))


def _master(device: Device, known: Names) -> str:
    return known[number(device.found[_MASTER])] if _MASTER in device.found else ""


def _vlan(device: Device, known: Names) -> VlanDevice:
    protocol = int.from_bytes(device.data.get(_VLAN_PROTOCOL, b""), "big")
    lower = number(device.found.get(_LINK, b""))
    return VlanDevice(
        cite=device.cite,
        netns=device.netns,
        name=device.name,
        vid=number(device.data.get(_VLAN_ID, b"")),
        lower=known[lower] if lower and _LINK_NETNSID not in device.found else None,
        protocol=_PROTOCOLS.get(protocol),
    )


def _has_xdp(found: Attributes) -> bool:
    return number(attributes(found.get(_XDP, b"")).get(_XDP_ATTACHED, b"")) != 0


def _blinds(device: Device) -> Iterator[Blind]:
    for what in _unseen(device):
        yield Blind(cite=device.cite, netns=device.netns, dev=device.name, what=what)


def _unseen(device: Device) -> Iterator[str]:
    """What on the device acts on frames by rules that no table here shows."""
    if _has_xdp(device.found):
        yield "XDP"
    if _NUM_VF in device.found and any(device.found[_NUM_VF]):
        yield "SR-IOV"
    if device.found.get(_PHYS_SWITCH_ID):
        yield "switchdev"
    if _OVS in (device.kind, device.port_of):
        yield "Open vSwitch"
    if device.kind == "netkit":  # made to be forwarded by BPF
        yield "netkit"
