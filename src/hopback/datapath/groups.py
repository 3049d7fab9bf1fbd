"""What the tables tell of multicast snooping: queriers, group members, router ports."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from types import MappingProxyType

from hopback.datapath.bridge.state import (
    NO_SNOOPING,
    Family,
    GroupKey,
    Ip,
    Member,
    Snooping,
)
from hopback.frames.mac import Mac, parse_mac
from hopback.network.facts import DevId, Fact, Ref, merge_refs
from hopback.network.model import BridgeView, Network
from hopback.snapshot.model import Snapshot

_FAMILIES: tuple[Family, ...] = (4, 6)
_HEARD: Mapping[Family, str] = {4: "igmp_querier_heard", 6: "mld_querier_heard"}
_ALWAYS = (2, 3)
"""MDB_RTR_TYPE_PERM and _TEMP: a router port by order, not by what was heard on it."""
_ON_BRIDGE = 2

_Told = tuple[bool, tuple[Ref, ...]]


def snooping_of(network: Network, bridge: BridgeView, *, filters: bool) -> Snooping:
    """What snooping on ``bridge`` goes by; ``filters``: groups are kept for each VLAN."""
    snooping = bridge.settings.get("mcast_snooping")
    if snooping is not None and not snooping.value:
        return NO_SNOOPING
    snapshot = network.snapshots[bridge.id.host]
    router = bridge.settings.get("mcast_router")
    queriers = {f: told for f in _FAMILIES if (told := _querier(snapshot, bridge, f)) is not None}
    return Snooping(
        queriers=MappingProxyType(queriers),
        likely=frozenset(_likely(snapshot, bridge)),
        groups=MappingProxyType(_groups(snapshot, bridge.id, filters)),
        by_source=frozenset(_by_source(snapshot, bridge.id, filters)),
        routers=MappingProxyType({f: _routers(snapshot, bridge, f) for f in _FAMILIES}),
        host_is_router=router is not None and router.value == _ON_BRIDGE,
        listed=snapshot.mdb.complete(bridge.id.netns, bridge.id.name),
    )


def _querier(snapshot: Snapshot, bridge: BridgeView, family: Family) -> _Told | None:
    """Whether the family has a querier: the bridge's own, or one that was heard."""
    heard = bridge.settings.get(_HEARD[family])
    if heard is not None and heard.value:
        return True, heard.refs
    own = _own_querier(snapshot, bridge, family)
    if own is None or own[0]:
        return own
    return None if heard is None else (False, merge_refs(own[1], heard.refs))


def _own_querier(snapshot: Snapshot, bridge: BridgeView, family: Family) -> _Told | None:
    """The bridge's own needs, for IPv6, a link-local address to ask from (BROPT_HAS_IPV6_ADDR)."""
    setting: Fact[int] | None = bridge.settings.get("mcast_querier")
    if setting is None:
        return None
    if not setting.value or family == 4:
        return bool(setting.value), setting.refs
    for row in snapshot.addresses.rows:
        mine = (row.netns, row.dev) == (bridge.id.netns, bridge.id.name)
        if mine and row.address.lower().startswith("fe80:") and "tentative" not in row.flags:
            return True, (*setting.refs, Ref(snapshot.host, row.cite))
    if snapshot.addresses.complete(bridge.id.netns, bridge.id.name):
        return False, setting.refs
    return None


def _likely(snapshot: Snapshot, bridge: BridgeView) -> Iterator[Family]:
    """A router port that nobody ordered was learned from a query; an unnamed family is IPv4's."""
    for row in snapshot.router_ports.rows:
        id_ = bridge.id._replace(name=row.dev)
        port = bridge.ports.get(id_)
        ordered = port and port.mcast_router and port.mcast_router.value in _ALWAYS
        if (row.netns, row.bridge) == (id_.netns, bridge.id.name) and port and not ordered:
            yield row.family or 4


def _groups(snapshot: Snapshot, bridge: DevId, filters: bool) -> dict[GroupKey, tuple[Member, ...]]:
    found: dict[GroupKey, tuple[Member, ...]] = {}
    for row in snapshot.mdb.rows:
        if (row.netns, row.bridge) != (bridge.netns, bridge.name) or row.source:
            continue
        if bool(row.vlan) == filters:
            port = None if row.dev == bridge.name else bridge._replace(name=row.dev)
            member = Member(port, not row.permanent, (Ref(bridge.host, row.cite),))
            key = (group_of(row.group), row.vlan)
            found[key] = (*found.get(key, ()), member)
    return found


def _by_source(snapshot: Snapshot, bridge: DevId, filters: bool) -> Iterator[GroupKey]:
    for row in snapshot.mdb.rows:
        if row.source and (row.netns, row.bridge) == (bridge.netns, bridge.name):
            yield group_of(row.group), row.vlan if filters else 0


def group_of(text: str) -> Ip | Mac:
    """The group that a listing names: an IP address, or a MAC."""
    try:
        return ip_address(text)
    except ValueError:
        return parse_mac(text)


def _routers(
    snapshot: Snapshot, bridge: BridgeView, family: Family
) -> Mapping[DevId, tuple[Ref, ...]]:
    found: dict[DevId, tuple[Ref, ...]] = {}
    for id_, port in bridge.ports.items():
        if port.mcast_router is not None and port.mcast_router.value in _ALWAYS:
            found[id_] = port.mcast_router.refs
    for row in snapshot.router_ports.rows:
        id_ = bridge.id._replace(name=row.dev)
        mine = (row.netns, row.bridge) == (bridge.id.netns, bridge.id.name)
        if mine and row.family in (None, family) and id_ in bridge.ports:
            found[id_] = merge_refs(found.get(id_, ()), (Ref(snapshot.host, row.cite),))
    return MappingProxyType(found)
