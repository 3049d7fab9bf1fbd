"""The bridge of taps with VLAN filtering: each port, and the bridge device, has its VLANs."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from hopback.frames.ethernet import DOT1Q
from hopback.frames.mac import Mac
from hopback.sources.live.netlink import pack_attribute
from tests.kernel import netlink
from tests.kernel.bridge_rig import (
    DEFAULT,
    FORWARDING,
    KernelBridge,
    PortConfig,
    Settings,
    StaticEntry,
)

_RTM_DELLINK, _RTM_NEWVLAN = 17, 112
_IFLA_AF_SPEC, _IFLA_BRIDGE_FLAGS, _IFLA_BRIDGE_VLAN_INFO = 26, 0, 2
_BRIDGE_FLAGS_SELF = 2
_PVID, _UNTAGGED, _ONLY_OPTS = 1 << 1, 1 << 2, 1 << 6  # BRIDGE_VLAN_INFO_*
_VLANDB_ENTRY, _VLANDB_ENTRY_INFO, _VLANDB_ENTRY_STATE = 1, 1, 3
_NLA_F_NESTED = 0x8000
_IFLA_BR_VLAN_FILTERING, _IFLA_BR_VLAN_PROTOCOL = 7, 8
_IFINFOMSG = struct.Struct("=BxHiII")
_VLAN_MSG = struct.Struct("=BxxxI")  # br_vlan_msg: family, ifindex
_VLAN_INFO = struct.Struct("=HH")  # bridge_vlan_info: flags, vid
_PROVIDER_GROUP = bytes.fromhex("0180c2000008")


@dataclass(frozen=True)
class PortVlan:
    """A VLAN of a port, or of the bridge device."""

    vid: int
    untagged: bool = False
    pvid: bool = False
    state: int = FORWARDING


@dataclass(frozen=True)
class VlanEntry(StaticEntry):
    """A table entry in a VLAN that its port has."""

    vid: int = field(default=0, kw_only=True)


class VlanBridge(KernelBridge):
    """Nobody is in any VLAN until ``filter``."""

    def __init__(self, count: int, *, mac: Mac | None) -> None:
        super().__init__([PortConfig()] * count, mac=mac)
        self._vlans: Sequence[Sequence[PortVlan]] = [()] * count
        self._own: Sequence[PortVlan] = ()

    def filter(
        self,
        ports: Sequence[PortConfig],
        vlans: Sequence[Sequence[PortVlan]],
        own: Sequence[PortVlan],
        entries: Sequence[VlanEntry] = (),
        settings: Settings = DEFAULT,
        *,
        filtering: bool = True,
        protocol: int = DOT1Q,
    ) -> None:
        """Other flags, VLANs of ports and of the bridge device, and entries; the rest is gone."""
        # States of VLANs cannot be set while the kernel's spanning tree runs.
        calm = replace(settings, stp=False)
        self.configure(ports, (), calm)
        orders = list(self._memberships(_RTM_DELLINK))
        self._vlans, self._own = vlans, own
        told = [
            (_IFLA_BR_VLAN_PROTOCOL, protocol.to_bytes(2, "big")),
            (_IFLA_BR_VLAN_FILTERING, bytes((filtering,))),
        ]
        orders.append(netlink.bridge(self._bridge, told))
        orders += self._memberships(netlink.RTM_SETLINK)
        orders += self._states()
        orders += map(self._add, entries)
        orders += self._change(calm, settings)
        self._settings = settings
        self._orders.give(orders)

    def _members(self) -> Iterator[tuple[int, Sequence[PortVlan]]]:
        """Interface indexes with their VLANs; ports first: whose address the bridge has, keeps it
        in the table."""
        yield from zip(self._index, self._vlans, strict=True)
        yield self._bridge, self._own

    def _memberships(self, kind: int) -> Iterator[netlink.Order]:
        for index, vlans in self._members():
            if vlans:
                yield _membership(kind, index, vlans, of_bridge=index == self._bridge)

    def _states(self) -> Iterator[netlink.Order]:
        for index, vlans in self._members():
            for vlan in vlans:
                if vlan.state != FORWARDING:
                    yield _state(index, vlan)

    def _add(self, entry: StaticEntry) -> netlink.Order:
        order = super()._add(entry)
        if not isinstance(entry, VlanEntry):
            return order
        vid = pack_attribute(netlink.NDA_VLAN, struct.pack("=H", entry.vid))
        return order._replace(body=order.body + vid)

    def _transmitted(self, tap: int) -> tuple[bytes, ...]:
        frames = super()._transmitted(tap)
        if not self._settings.stp:
            return frames
        return tuple(frame for frame in frames if not _is_provider_bpdu(frame))


def _membership(
    kind: int, index: int, vlans: Sequence[PortVlan], *, of_bridge: bool
) -> netlink.Order:
    """Be in these VLANs, or no longer, as ``bridge vlan add`` and ``del``."""
    nested = b""
    if of_bridge:
        nested += pack_attribute(_IFLA_BRIDGE_FLAGS, struct.pack("=H", _BRIDGE_FLAGS_SELF))
    for vlan in vlans:
        flags = (_PVID if vlan.pvid else 0) | (_UNTAGGED if vlan.untagged else 0)
        nested += pack_attribute(_IFLA_BRIDGE_VLAN_INFO, _VLAN_INFO.pack(flags, vlan.vid))
    body = _IFINFOMSG.pack(netlink.AF_BRIDGE, 0, index, 0, 0)
    body += pack_attribute(_IFLA_AF_SPEC | _NLA_F_NESTED, nested)
    return netlink.Order(kind, body, f"VLANs of {index}")


def _state(index: int, vlan: PortVlan) -> netlink.Order:
    """The VLAN's state on the port, as ``bridge vlan set … state``."""
    entry = pack_attribute(_VLANDB_ENTRY_INFO, _VLAN_INFO.pack(_ONLY_OPTS, vlan.vid))
    entry += pack_attribute(_VLANDB_ENTRY_STATE, bytes((vlan.state,)))
    body = _VLAN_MSG.pack(netlink.AF_BRIDGE, index)
    body += pack_attribute(_VLANDB_ENTRY | _NLA_F_NESTED, entry)
    return netlink.Order(_RTM_NEWVLAN, body, f"state of {vlan} on {index}")


def _is_provider_bpdu(frame: bytes) -> bool:
    """The spanning tree of an 802.1ad bridge speaks to the provider bridges' group."""
    return frame[:6] == _PROVIDER_GROUP and int.from_bytes(frame[12:14], "big") < 0x600
