"""``ip -j link`` and the devices of ``ip -j addr``."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from hopback.snapshot.rows import Link, Row
from hopback.snapshot.table import Cite
from hopback.sources.parse.base import At, Parsed, Text
from hopback.sources.parse.fields import mac_or_none
from hopback.sources.parse.ip_link_facts import Facts, blind_rows, detail_rows, macvlan_mode
from hopback.sources.parse.json_objects import objects
from hopback.sources.parse.listing import number
from hopback.sources.parse.tunnel_facts import kind_of, said_in_json

# Where the JSON names a thing otherwise than the text.
_LEG_NAMES = {"no": "port_no", "multicast_router": "mcast_router"}


class LinkInfo(Struct):
    """``linkinfo`` of a device."""

    info_kind: str | None = None
    info_data: dict[str, Any] = {}
    info_slave_kind: str | None = None
    info_slave_data: dict[str, Any] = {}


class Device(Struct):
    """One object of the list. ``link`` is null where the text says ``@NONE``."""

    ifname: str | None = None
    ifindex: int | None = None
    link: str | None = None
    link_index: int | None = None
    link_netnsid: int | None = None
    link_netns: str | None = None
    flags: list[str] | None = None
    mtu: int | None = None
    qdisc: str | None = None
    master: str | None = None
    address: str | None = None
    permaddr: str | None = None
    linkinfo: LinkInfo | None = None
    xdp: Any = None
    phys_switch_id: str | None = None
    vfinfo_list: list[Any] = []
    addr_info: list[Any] = []


def parse(text: Text) -> Parsed:
    """The same rows as from the text."""
    found, problems = objects(text, Device)
    return Parsed(
        [row for index, device in found for row in device_rows(text, index, device)], problems
    )


def device_rows(text: Text, index: At, device: Device) -> Iterator[Row]:
    """All that an object tells of its device, addresses apart."""
    if not device.ifname:
        return
    cite = text.cite(index)
    info = device.linkinfo or LinkInfo()
    own = Facts(info.info_kind, _own(info), cite) if info.info_kind else None
    link = _link(text, cite, device.ifname, device, own)
    yield link
    as_leg = _as_leg(info, cite)
    yield from detail_rows(link, own, as_leg)
    yield from blind_rows(link, bool(device.phys_switch_id), bool(device.vfinfo_list))


def _own(info: LinkInfo) -> Mapping[str, Any]:
    said = info.info_data
    if info.info_kind == "vxlan" and said:
        return {**said, "dstport": said.get("port"), "dev": said.get("link")}
    if said and kind_of(info.info_kind):
        return said_in_json(said)
    aggregate = said.get("ad_info")
    if not isinstance(aggregate, dict):
        return said
    return {
        **said,
        "ad_aggregator": aggregate.get("aggregator"),
        "ad_partner_mac": aggregate.get("partner_mac"),
    }


def _as_leg(info: LinkInfo, cite: Cite) -> Facts | None:
    if not info.info_slave_kind:
        return None
    said = {_LEG_NAMES.get(name, name): value for name, value in info.info_slave_data.items()}
    return Facts(info.info_slave_kind, said, cite)


def _link(text: Text, cite: Cite, name: str, device: Device, own: Facts | None) -> Link:
    info = device.linkinfo or LinkInfo()
    flags = device.flags
    whole = device.qdisc is not None
    away = device.link_index is not None
    untold = away or (device.link is None and info.info_kind == "veth")
    return Link(
        cite=cite,
        netns=text.netns,
        name=name,
        index=number(device.ifindex),
        kind=info.info_kind,
        mac=mac_or_none(device.address),
        perm_mac=mac_or_none(device.permaddr),
        up=None if flags is None else "UP" in flags,
        carrier=None if flags is None else "LOWER_UP" in flags,
        promisc=None if flags is None else "PROMISC" in flags,
        mtu=number(device.mtu),
        master=device.master or ("" if whole else None),
        port_of=info.info_slave_kind,
        lower=None if untold else device.link or "",
        lower_index=number(device.link_index),
        lower_netnsid=number(device.link_netnsid),
        peer_netns=device.link_netns,
        xdp=bool(device.xdp) if device.xdp is not None or whole else None,
        macvlan_mode=macvlan_mode(own),
    )
