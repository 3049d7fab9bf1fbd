"""Which devices are ports of which bridge, and with what flags.

A membership is believed from a listing of ports (``brctl show``, ``bridge link``, ``ip link``), and
from a forwarding entry (an entry needs a port). Only for a bridge of which nothing else is known
do the kernel log and libvirt's definition count: both tell of the past or of an intention.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import TypeVar

from msgspec import Struct

from hopback.network.facts import DevId, Fact, Ref, Told, latest
from hopback.network.model import Device, Port
from hopback.network.roles import role_of
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Bridge, BridgePort, Row

PORT_FLAGS = (
    "hairpin",
    "learning",
    "flood",
    "mcast_flood",
    "bcast_flood",
    "isolated",
    "locked",
    "mab",
    "proxyarp",
    "proxyarp_wifi",
    "neigh_suppress",
    "mcast_to_unicast",
    "vlan_tunnel",
)
BRIDGE_SETTINGS = (
    "stp",
    "vlan_filtering",
    "vlan_protocol",
    "forward_delay",
    "ageing_time",
    "group_fwd_mask",
    "mcast_snooping",
    "mcast_querier",
    "igmp_querier_heard",
    "mld_querier_heard",
    "mcast_router",
    "nf_call_iptables",
)

R = TypeVar("R", bound=Row)


class Members(Struct, frozen=True):
    """The ports of one bridge as listed, before their numbers are worked out."""

    bridge: DevId
    ports: Mapping[DevId, Port]
    complete: bool
    settings: Mapping[str, Fact[int]]
    refs: tuple[Ref, ...]


def members_of(
    snapshots: Iterable[Snapshot], devices: Mapping[DevId, Device]
) -> dict[DevId, Members]:
    """The bridges of all hosts, by their ids."""
    found: dict[DevId, Members] = {}
    for snapshot in snapshots:
        found.update(_of_host(snapshot, devices))
    return found


def _told(snapshot: Snapshot, rows: Iterable[R]) -> list[Told[R]]:
    return [Told(snapshot.host, row) for row in rows]


def _of_host(snapshot: Snapshot, devices: Mapping[DevId, Device]) -> dict[DevId, Members]:
    joined = _listed(snapshot)
    settings: dict[DevId, list[Told[Bridge]]] = defaultdict(list)
    for t in _told(snapshot, snapshot.bridges.rows):
        settings[DevId(snapshot.host, t.row.netns, t.row.name)].append(t)
    bridges = dict.fromkeys((*joined, *settings, *_named(snapshot, devices)))
    port_rows: dict[DevId, list[Told[BridgePort]]] = defaultdict(list)
    for p in _told(snapshot, snapshot.ports.rows):
        port_rows[DevId(snapshot.host, p.row.netns, p.row.name)].append(p)
    result = {}
    for bridge in bridges:
        named = joined.get(bridge) or _recalled(snapshot, bridge)
        ports = {
            id_: _port(id_, refs, port_rows.get(id_, ()), devices.get(id_))
            for id_, refs in named.items()
        }
        result[bridge] = Members(
            bridge=bridge,
            ports=MappingProxyType(ports),
            complete=_complete(snapshot, bridge),
            settings=MappingProxyType(_settings(settings.get(bridge, ()))),
            refs=tuple(t.ref for t in settings.get(bridge, ())),
        )
    return result


_Joined = dict[DevId, dict[DevId, tuple[Ref, ...]]]


def _listed(snapshot: Snapshot) -> _Joined:
    """The memberships that the tables show, each with the last row that shows it."""
    joined: _Joined = defaultdict(dict)

    def join(row: Row, port: str, bridge: str) -> None:
        ports = joined[DevId(snapshot.host, row.netns, bridge)]
        id_ = DevId(snapshot.host, row.netns, port)
        ports[id_] = (Ref(snapshot.host, row.cite),)

    for port in snapshot.ports.rows:
        if port.bridge:
            join(port, port.name, port.bridge)
    known = {(b.netns, b.name) for b in snapshot.bridges.rows}
    known |= {(link.netns, link.name) for link in snapshot.links.rows if link.kind == "bridge"}
    for link in snapshot.links.rows:
        if link.master and (link.port_of == "bridge" or (link.netns, link.master) in known):
            join(link, link.name, link.master)
    members = {(b.netns, p.name) for b, ports in joined.items() for p in ports}
    for entry in snapshot.fdb.rows:
        if entry.on_device or not entry.bridge or not entry.dev or entry.dev == entry.bridge:
            continue
        if (entry.netns, entry.dev) not in members:
            members.add((entry.netns, entry.dev))
            join(entry, entry.dev, entry.bridge)
    return joined


def _named(snapshot: Snapshot, devices: Mapping[DevId, Device]) -> list[DevId]:
    """Bridges of which a listing says no more than that they are there."""
    rows: list[tuple[str, str | None]] = [
        *dict.fromkeys((e.netns, e.bridge) for e in snapshot.fdb.rows),
        *_logged(snapshot),
        *((n.netns, n.source) for n in snapshot.guest_nics.rows if n.source_kind == "bridge"),
    ]
    named = [DevId(snapshot.host, netns, name) for netns, name in rows if name]
    named += [
        id_
        for id_, device in devices.items()
        if id_.host == snapshot.host and device.kind and device.kind.value == "bridge"
    ]
    return named


def _logged(snapshot: Snapshot) -> list[tuple[str, str | None]]:
    """Bridges that the log names, unless a list of all devices shows that they are gone."""
    heard = [(e.netns, e.bridge) for e in snapshot.own_sources.rows]
    heard += [(e.netns, e.bridge) for e in snapshot.port_events.rows]
    return [(netns, bridge) for netns, bridge in heard if not snapshot.links.complete(netns)]


def _recalled(snapshot: Snapshot, bridge: DevId) -> dict[DevId, tuple[Ref, ...]]:
    """The ports that the log or libvirt tell of, for a bridge whose ports nobody listed."""
    found: dict[DevId, tuple[Ref, ...]] = {}
    for event in snapshot.port_events.rows:
        if event.bridge == bridge.name and event.netns == bridge.netns:
            found[bridge._replace(name=event.dev)] = (Ref(bridge.host, event.cite),)
    for nic in snapshot.guest_nics.rows:
        if nic.target and nic.source == bridge.name and nic.netns == bridge.netns:
            found[bridge._replace(name=nic.target)] = (Ref(bridge.host, nic.cite),)
    return found


def _port(
    id_: DevId,
    refs: tuple[Ref, ...],
    rows: Sequence[Told[BridgePort]],
    device: Device | None,
) -> Port:
    flags = {
        name: fact for name in PORT_FLAGS if (fact := latest(rows, attrgetter(name))) is not None
    }
    kind = device.kind.value if device and device.kind else None
    return Port(
        id=id_,
        role=role_of(id_.name, kind),
        state=latest(rows, lambda r: r.state),
        flags=MappingProxyType(flags),
        group_fwd_mask=latest(rows, lambda r: r.group_fwd_mask),
        backup=latest(rows, lambda r: r.backup_port),
        mcast_router=latest(rows, lambda r: r.mcast_router),
        refs=refs,
    )


def _settings(rows: Sequence[Told[Bridge]]) -> dict[str, Fact[int]]:
    return {
        name: fact
        for name in BRIDGE_SETTINGS
        if (fact := latest(rows, attrgetter(name))) is not None
    }


def _complete(snapshot: Snapshot, bridge: DevId) -> bool:
    """Whether some listing showed every port of ``bridge``."""
    tables = (snapshot.ports, snapshot.links)
    return any(t.complete(bridge.netns, bridge.name) for t in tables)
