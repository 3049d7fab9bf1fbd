"""VLAN devices (net/8021q/vlan_core.c:vlan_do_receive, vlan_dev.c; Linux 6.12).

A VLAN device takes its VLAN's frames off the device below before that device's bridge or bond sees
them (net/core/dev.c:__netif_receive_skb_core asks vlan_do_receive before the rx_handler). It also
takes them where the device below is a leg of a bond.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.effects import Cross, Send, Why
from hopback.frames.ethernet import DOT1AD, DOT1Q, Frame, Vlan
from hopback.network.facts import DevId, Ref
from hopback.network.model import Network

_PROTOCOLS = {"802.1Q": DOT1Q, "802.1ad": DOT1AD}


class VlanDev(Struct, frozen=True):
    """The device ``id`` on ``lower``; ``tag`` is what its frames carry there."""

    id: DevId
    lower: DevId
    tag: Vlan
    refs: tuple[Ref, ...] = ()


class VlanDevices(Struct, frozen=True):
    """All VLAN devices, by themselves and by what they take from which device."""

    by_id: Mapping[DevId, VlanDev] = MappingProxyType({})
    by_tag: Mapping[tuple[DevId, int, int], VlanDev] = MappingProxyType({})


def vlan_devices(network: Network) -> VlanDevices:
    """Those of which some listing tells the device below."""
    found: dict[DevId, VlanDev] = {}
    for host, snapshot in network.snapshots.items():
        for row in snapshot.vlan_devices.rows:
            if row.lower:
                id_ = DevId(host, row.netns, row.name)
                tag = Vlan(row.vid, tpid=_PROTOCOLS.get(row.protocol or "", DOT1Q))
                found[id_] = VlanDev(id_, id_._replace(name=row.lower), tag, (Ref(host, row.cite),))
    for id_ in [id_ for id_ in found if _circular(found, id_)]:
        del found[id_]
    tags = {(d.lower, d.tag.tpid, d.tag.vid): d for d in found.values()}
    return VlanDevices(MappingProxyType(found), MappingProxyType(tags))


def _circular(found: Mapping[DevId, VlanDev], id_: DevId) -> bool:
    """Whether the devices below lead back; only listings of different moments can say so."""
    seen: set[DevId] = set()
    while id_ in found and id_ not in seen:
        seen.add(id_)
        id_ = found[id_].lower
    return id_ in seen


def taken(devices: VlanDevices, at: DevId, frame: Frame) -> Cross | None:
    """The frame without its outer tag, up at the VLAN device that takes it from ``at``, if any."""
    if not frame.tags:
        return None
    device = devices.by_tag.get((at, frame.tags[0].tpid, frame.tags[0].vid))
    if device is None:
        return None
    return Cross(device.id, replace(frame, tags=frame.tags[1:]), Why("vlan-up", device.refs))


def tagged(device: VlanDev, frame: Frame) -> Send:
    """The frame with the device's tag, down by the device below (vlan_dev_hard_start_xmit)."""
    frame = replace(frame, tags=(device.tag, *frame.tags))
    return Send(device.lower, frame, Why("vlan-down", device.refs))
