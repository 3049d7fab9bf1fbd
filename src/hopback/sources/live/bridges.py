"""Bridges and their ports, from the nested attributes of RTM_NEWLINK.

``net/bridge/br_netlink.c:br_fill_info`` (IFLA_BR_*) and ``br_port_fill_attrs`` (IFLA_BRPORT_*). An
attribute that the kernel is too old to send leaves None: it was not said.
"""

from hopback.snapshot.rows import PORT_STATES, Bridge, BridgePort, PortStateName
from hopback.snapshot.table import Cite
from hopback.sources.live.netlink import TICK, Attributes, attributes, number_of
from hopback.sources.live.reading import Names

_FORWARD_DELAY, _AGEING_TIME, _STP, _VLAN_FILTERING, _GROUP_FWD_MASK = 1, 4, 5, 7, 9
_VLAN_PROTOCOL = 8
_BRIDGE_ID, _TOPOLOGY_CHANGE, _NF_IPTABLES, _PVID = 11, 14, 36, 39
_MCAST_ROUTER_BRIDGE, _SNOOPING, _QUERIER, _QUERIER_STATE = 22, 23, 25, 47
_LEARNED_COUNT = 48  # since 6.7, and always sent
_IGMP_TIMER, _MLD_TIMER = 3, 7  # BRIDGE_QUERIER_IP_OTHER_TIMER, …_IPV6_OTHER_TIMER

_STATE, _PRIORITY, _COST, _NO, _MCAST_ROUTER, _PORT_FWD_MASK, _BACKUP = 1, 2, 3, 18, 25, 31, 34
_FLAGS = {
    "hairpin": 4,  # IFLA_BRPORT_MODE
    "guard": 5,
    "root_block": 6,  # IFLA_BRPORT_PROTECT
    "learning": 8,
    "flood": 9,
    "proxyarp": 10,
    "proxyarp_wifi": 12,
    "mcast_flood": 27,
    "mcast_to_unicast": 28,
    "vlan_tunnel": 29,
    "bcast_flood": 30,
    "neigh_suppress": 32,
    "isolated": 33,
    "locked": 39,
    "mab": 40,
}


def bridge(cite: Cite, netns: str, name: str, data: Attributes) -> Bridge:
    """The settings of a bridge, out of its IFLA_INFO_DATA."""
    return Bridge(
        cite=cite,
        netns=netns,
        name=name,
        bridge_id=_bridge_id(data.get(_BRIDGE_ID)),
        stp=_flag(data, _STP),
        vlan_filtering=_flag(data, _VLAN_FILTERING),
        vlan_protocol=_ethertype(data.get(_VLAN_PROTOCOL)),
        vlan_default_pvid=number_of(data, _PVID),
        forward_delay=_time(data, _FORWARD_DELAY),
        ageing_time=_time(data, _AGEING_TIME),
        group_fwd_mask=number_of(data, _GROUP_FWD_MASK),
        mcast_snooping=_flag(data, _SNOOPING),
        mcast_querier=_flag(data, _QUERIER),
        igmp_querier_heard=_heard(data, _IGMP_TIMER),
        mld_querier_heard=_heard(data, _MLD_TIMER),
        mcast_router=number_of(data, _MCAST_ROUTER_BRIDGE),
        nf_call_iptables=_flag(data, _NF_IPTABLES),
        topology_change=_flag(data, _TOPOLOGY_CHANGE),
    )


def port(
    cite: Cite, netns: str, name: str, master: str, data: Attributes, known: Names
) -> BridgePort:
    """A bridge port, out of its IFLA_INFO_SLAVE_DATA."""
    backup = number_of(data, _BACKUP)
    flags = {field: _flag(data, kind) for field, kind in _FLAGS.items()}
    return BridgePort(
        cite=cite,
        netns=netns,
        name=name,
        bridge=master,
        number=number_of(data, _NO),
        state=_state(data),
        mcast_router=number_of(data, _MCAST_ROUTER),
        group_fwd_mask=number_of(data, _PORT_FWD_MASK),
        backup_port=known[backup] if backup else None,
        cost=number_of(data, _COST),
        priority=number_of(data, _PRIORITY),
        **flags,
    )


def _state(data: Attributes) -> PortStateName | None:
    state = number_of(data, _STATE)
    return PORT_STATES[state] if state is not None and state < len(PORT_STATES) else None


def _bridge_id(raw: bytes | None) -> str | None:
    """``8000.fe5400770021``, as sysfs and brctl write it."""
    return f"{raw[:2].hex()}.{raw[2:].hex()}" if raw is not None and len(raw) == 8 else None


def _ethertype(raw: bytes | None) -> int | None:
    """A protocol number, which alone of all attributes is in network order."""
    return None if raw is None else int.from_bytes(raw, "big")


def _flag(data: Attributes, kind: int) -> bool | None:
    raw = data.get(kind)
    return None if raw is None else any(raw)


def _heard(data: Attributes, timer: int) -> bool | None:
    """Whether another's query was heard of late (``br_multicast_dump_querier_state``).

    A timer is sent only while it runs, and the state only if it holds anything: without one, a
    kernel that is known to be newer than 5.15, the first to send it, has heard nobody.
    """
    state = data.get(_QUERIER_STATE)
    if state is None:
        return False if _LEARNED_COUNT in data else None
    return timer in attributes(state)


def _time(data: Attributes, kind: int) -> int | None:
    ticks = number_of(data, kind)
    return None if ticks is None else ticks * TICK
