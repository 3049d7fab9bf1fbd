"""Rows from what ``ip -d link`` says of a device, whether it said it in text or in JSON.

The facts are keyed by the words of the text (iproute2 ``ip/iplink_bridge.c``,
``iplink_bridge_slave.c``, ``iplink_bond.c``, ``iplink_bond_slave.c``, ``iplink_vlan.c``,
``iplink_vxlan.c``); tunnels by those of the JSON (``tunnel_facts``).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hopback.snapshot.rows import (
    PORT_STATES,
    Blind,
    Bond,
    BondLeg,
    Bridge,
    BridgePort,
    Link,
    PortStateName,
    Row,
    VlanDevice,
    Vrf,
    Vxlan,
)
from hopback.snapshot.table import Cite
from hopback.sources.parse.fields import mac_or_none
from hopback.sources.parse.listing import number, switch, table_name
from hopback.sources.parse.tunnel_facts import kind_of, tunnel_row

_CENTISECOND = 10_000_000  # bridge times are in clock_t, USER_HZ = 100 on every architecture in use

PORT_SWITCHES = {
    "hairpin": "hairpin",
    "learning": "learning",
    "flood": "flood",
    "mcast_flood": "mcast_flood",
    "bcast_flood": "bcast_flood",
    "isolated": "isolated",
    "locked": "locked",
    "mab": "mab",
    "proxy_arp": "proxyarp",
    "proxy_arp_wifi": "proxyarp_wifi",
    "neigh_suppress": "neigh_suppress",
    "mcast_to_unicast": "mcast_to_unicast",
    "vlan_tunnel": "vlan_tunnel",
    "guard": "guard",
    "root_block": "root_block",
}
_PORT_NUMBERS = {
    "port_no": "number",
    "mcast_router": "mcast_router",
    "group_fwd_mask": "group_fwd_mask",
    "cost": "cost",
    "priority": "priority",
}
_BRIDGE_SWITCHES = {
    "stp_state": "stp",
    "vlan_filtering": "vlan_filtering",
    "mcast_snooping": "mcast_snooping",
    "mcast_querier": "mcast_querier",
    "nf_call_iptables": "nf_call_iptables",
    "topology_change": "topology_change",
}


_TAGS = {"802.1Q": 0x8100, "802.1ad": 0x88A8}


class Facts(NamedTuple):
    """A line of details: the kind it speaks of, what it says, and where."""

    kind: str
    said: Mapping[str, object]
    cite: Cite


def detail_rows(link: Link, own: Facts | None, as_leg: Facts | None) -> Iterator[Row]:
    """The rows that tell a device's settings: ``own`` as what it is, ``as_leg`` as part of another.

    ``link`` is the row of the device itself.
    """
    if own is not None:
        match own.kind:
            case "bridge" if own.said:
                yield bridge_row(link, own)
            case "bond" if own.said:
                yield _bond_row(link, own)
            case "vlan" if (vid := number(own.said.get("id"))) is not None and 0 <= vid < 4096:
                yield _vlan_row(link, own, vid)
            case "vxlan" if own.said:
                yield _vxlan_row(link, own)
            case "vrf" if (table := own.said.get("table")) is not None:
                called = table_name(str(table))
                yield Vrf(cite=own.cite, netns=link.netns, dev=link.name, table=called)
            case "wireguard":
                yield tunnel_row(own.cite, link.netns, link.name, "wireguard", {})
            case name if own.said and (kind := kind_of(name)):
                yield tunnel_row(own.cite, link.netns, link.name, kind, own.said)
            case "openvswitch":
                yield Blind(cite=own.cite, netns=link.netns, dev=link.name, what="Open vSwitch")
    if as_leg is not None:
        match as_leg.kind:
            case "bridge":
                yield port_row(link, as_leg)
            case "bond":
                yield _leg_row(link, as_leg)


def macvlan_mode(own: Facts | None) -> str | None:
    """The mode of a macvlan or macvtap (``iplink_macvlan.c``); None for any other device."""
    if own is None or own.kind not in ("macvlan", "macvtap"):
        return None
    return _word(own.said.get("mode"))


def blind_rows(link: Link, switchdev: bool, sriov: bool) -> Iterator[Row]:
    """What sits on the device's path and cannot be evaluated."""
    seen = {
        "XDP": bool(link.xdp),
        "Open vSwitch": link.master == "ovs-system",
        "switchdev": switchdev,
        "SR-IOV": sriov,
    }
    for what, there in seen.items():
        if there:
            yield Blind(cite=link.cite, netns=link.netns, dev=link.name, what=what)


def bridge_row(link: Link, facts: Facts) -> Bridge:
    """A bridge's settings."""
    said = facts.said
    values: dict[str, Any] = {to: switch(said.get(name)) for name, to in _BRIDGE_SWITCHES.items()}
    if (stp := number(said.get("stp_state"))) is not None:
        values["stp"] = stp != 0  # 2: run by a daemon in user space
    return Bridge(
        cite=facts.cite,
        netns=link.netns,
        name=link.name,
        bridge_id=bridge_id(said.get("bridge_id")),
        vlan_protocol=_TAGS.get(str(said.get("vlan_protocol"))),
        vlan_default_pvid=number(said.get("vlan_default_pvid")),
        forward_delay=_centiseconds(said.get("forward_delay")),
        ageing_time=_centiseconds(said.get("ageing_time")),
        group_fwd_mask=number(said.get("group_fwd_mask")),
        mcast_router=number(said.get("mcast_router")),
        **values,
    )


def bridge_id(value: object) -> str | None:
    """A bridge's id as sysfs and brctl write it, e.g. ``8000.fe5400770021``.

    ip puts colons between the bytes, and leaves out their leading zeros.
    """
    priority, _, address = str(value).partition(".")
    mac = mac_or_none(address)
    return None if mac is None or len(priority) != 4 else f"{priority}.{mac:012x}"


def port_row(link: Link, facts: Facts) -> BridgePort:
    """A bridge port's settings (``bridge -d link`` uses the same words)."""
    said = facts.said
    values: dict[str, Any] = {to: switch(said.get(name)) for name, to in PORT_SWITCHES.items()}
    values |= {to: number(said.get(name)) for name, to in _PORT_NUMBERS.items()}
    backup = said.get("backup_port")
    return BridgePort(
        cite=facts.cite,
        netns=link.netns,
        name=link.name,
        bridge=link.master or None,
        state=port_state(said.get("state")),
        backup_port=str(backup) if backup else None,
        **values,
    )


def port_state(value: object) -> PortStateName | None:
    """The name of a port's state, if it is one."""
    return next((state for state in PORT_STATES if state == value), None)


def _centiseconds(value: object) -> int | None:
    count = number(value)
    return None if count is None or not 0 <= count < 2**32 else count * _CENTISECOND


def _bond_row(link: Link, facts: Facts) -> Bond:
    said = facts.said
    return Bond(
        cite=facts.cite,
        netns=link.netns,
        name=link.name,
        mode=_word(said.get("mode")),
        xmit_hash_policy=_word(said.get("xmit_hash_policy")),
        active_slave=_word(said.get("active_slave")),
        all_slaves_active=switch(said.get("all_slaves_active")),
        active_aggregator=number(said.get("ad_aggregator")),
        partner_mac=mac_or_none(_word(said.get("ad_partner_mac"))),
    )


def _leg_row(link: Link, facts: Facts) -> BondLeg:
    said = facts.said
    return BondLeg(
        cite=facts.cite,
        netns=link.netns,
        name=link.name,
        bond=link.master or None,
        active={"ACTIVE": True, "BACKUP": False}.get(str(said.get("state"))),
        mii_up={"UP": True, "DOWN": False}.get(str(said.get("mii_status"))),
        aggregator=number(said.get("ad_aggregator_id")),
        actor_state=number(said.get("ad_actor_oper_port_state")),
        partner_state=number(said.get("ad_partner_oper_port_state")),
        perm_mac=mac_or_none(_word(said.get("perm_hwaddr"))),
    )


def _vlan_row(link: Link, facts: Facts, vid: int) -> VlanDevice:
    return VlanDevice(
        cite=facts.cite,
        netns=link.netns,
        name=link.name,
        vid=vid,
        lower=link.lower or None,
        protocol=_word(facts.said.get("protocol")),
    )


def _vxlan_row(link: Link, facts: Facts) -> Vxlan:
    said = facts.said
    external = switch(said.get("external")) or False
    remotes = {
        name: _word(said.get(name)) or _word(said.get(f"{name}6")) or ""
        for name in ("remote", "group", "local")
    }
    return Vxlan(
        cite=facts.cite,
        netns=link.netns,
        name=link.name,
        vni=None if external else number(said.get("id")),
        port=number(said.get("dstport")),
        lower=_word(said.get("dev")),
        learning=switch(said.get("learning")),
        proxy=switch(said.get("proxy")) or False,
        collect_metadata=external,
        **remotes,
    )


def vxlan_switches(words: Sequence[str]) -> Mapping[str, bool]:
    """What the lone words of a VXLAN device's line switch on and off.

    Learning is the default, and a line that was cut before its TTL does not tell.
    """
    whole = "ttl" in words
    return {
        **({"learning": "nolearning" not in words} if whole or "nolearning" in words else {}),
        "proxy": "proxy" in words,
        "external": "external" in words,
    }


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
