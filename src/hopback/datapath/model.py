"""The network as the stages see it: bridge states made from the tables, and who is behind what."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.bond_state import BondState, bond_states
from hopback.datapath.bridge.nf_state import NfState, nf_state
from hopback.datapath.bridge.state import (
    NO_VLANS,
    BridgeState,
    FdbEntry,
    FdbKey,
    PortConfig,
    VlanGroup,
)
from hopback.datapath.effects import Question
from hopback.datapath.groups import snooping_of
from hopback.datapath.hosts import hosts_listed
from hopback.datapath.hosts import hosts_of as bridge_hosts_of
from hopback.datapath.ip.host import Host
from hopback.datapath.ip.hosts import hosts_of
from hopback.datapath.ipvs.build import directors_of
from hopback.datapath.ipvs.state import Director
from hopback.datapath.kernel import Behaviour, behaviour_of
from hopback.datapath.macvlan import Macvlans, macvlans_of
from hopback.datapath.netfilter.hooks import Netfilter, netfilter_of
from hopback.datapath.netfilter.ruleset import rulesets_of
from hopback.datapath.tunnel_state import Tunnels, tunnels_of
from hopback.datapath.vlan_device import VlanDevices, vlan_devices
from hopback.datapath.vxlan_state import Vxlans, vxlans_of
from hopback.frames.ethernet import DOT1Q
from hopback.frames.mac import Mac
from hopback.network.facts import DevId, Fact, Ref, merge_refs
from hopback.network.lookups import looked_up
from hopback.network.model import BridgeView, Listing, Network, Port, Station
from hopback.network.segments import Segments, segments_of

_FLAGS = (
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
)


class Model(Struct, frozen=True):
    """All that ``path.step`` needs.

    ``netfilter`` has the packet filters by host and namespace, ``hosts`` the IP layers that are
    known, ``directors`` those that have IPVS. ``inside`` are devices whose other end is in sight,
    ``segments`` what joins the hosts.
    """

    network: Network
    bridges: Mapping[DevId, BridgeState]
    bridge_of: Mapping[DevId, DevId]
    stations: Mapping[DevId, tuple[Station, ...]]
    macvlans: Macvlans
    vxlans: Vxlans
    tunnels: Tunnels
    bonds: Mapping[DevId, BondState]
    bond_of: Mapping[DevId, DevId]
    vlans: VlanDevices
    netfilter: Mapping[tuple[str, str], Netfilter] = MappingProxyType({})
    bridge_nf: Mapping[DevId, NfState] = MappingProxyType({})
    hosts: Mapping[tuple[str, str], Host] = MappingProxyType({})
    directors: Mapping[tuple[str, str], Director] = MappingProxyType({})
    inside: frozenset[DevId] = frozenset()
    segments: Segments = Segments()

    def entry_of(self, station: Station) -> FdbEntry | None:
        """Where the station's bridge has it, in the VLAN of what it sends untagged."""
        state = self.bridges[station.bridge]
        vid = state.ports[station.port].vlans.pvid if state.vlan_filtering else 0
        return state.fdb.get((station.mac, vid))


def model_of(network: Network) -> Model:
    """The model of ``network`` with its tables as recorded last."""
    stations: dict[DevId, tuple[Station, ...]] = {}
    for station in network.stations:
        stations[station.port] = (*stations.get(station.port, ()), station)
    bonds = bond_states(network)
    vlans, macvlans = vlan_devices(network), macvlans_of(network)
    return Model(
        network=network,
        bridges=MappingProxyType({id_: _state(network, b) for id_, b in network.bridges.items()}),
        bridge_of=MappingProxyType(
            {port: id_ for id_, bridge in network.bridges.items() for port in bridge.ports}
        ),
        stations=MappingProxyType(stations),
        macvlans=macvlans,
        vxlans=vxlans_of(network),
        tunnels=tunnels_of(network),
        bonds=MappingProxyType(bonds),
        bond_of=MappingProxyType({leg.id: b.id for b in bonds.values() for leg in b.legs}),
        vlans=vlans,
        netfilter=MappingProxyType(
            {
                (host, netns): netfilter_of(rules)
                for host, snapshot in network.snapshots.items()
                for netns, rules in rulesets_of(snapshot).items()
            }
        ),
        bridge_nf=MappingProxyType(
            {id_: nf_state(network.snapshots[id_.host], b) for id_, b in network.bridges.items()}
        ),
        hosts=hosts_of(network),
        directors=directors_of(network),
        inside=_inside(network, vlans, macvlans),
        segments=segments_of(network),
    )


def _inside(network: Network, vlans: VlanDevices, macvlans: Macvlans) -> frozenset[DevId]:
    """Devices by which a frame goes where we see what becomes of it."""
    joined = (id_ for id_, device in network.devices.items() if device.peer is not None)
    found = {*network.bridges, *joined, *macvlans.by_id}
    for id_, device in vlans.by_id.items():
        if device.lower in found:
            found.add(id_)
    return frozenset(found)


def _state(network: Network, bridge: BridgeView) -> BridgeState:
    kernel = behaviour_of(network.release(bridge.id.host))
    filters = _filters(bridge)
    ports = {
        id_: _port(network, p, _vlans(network, id_) if filters else NO_VLANS)
        for id_, p in bridge.ports.items()
    }
    ageing = bridge.settings.get("ageing_time")
    table, complete = _table(network, bridge, kernel)
    snapshot = network.snapshots[bridge.id.host]
    device = network.devices.get(bridge.id)
    return BridgeState(
        id=bridge.id,
        ports=MappingProxyType(ports),
        fdb=MappingProxyType(table),
        mac=bridge.mac.value if bridge.mac else None,
        stp=bool(_setting(bridge, "stp", 0)),
        learns=ageing is None or ageing.value != 0,
        group_fwd_mask=_setting(bridge, "group_fwd_mask", 0),
        mcast_snooping=bool(_setting(bridge, "mcast_snooping", 1)),
        snooping=snooping_of(network, bridge, filters=filters),
        vlan_filtering=filters,
        vlan_protocol=_setting(bridge, "vlan_protocol", DOT1Q),
        vlans=_vlans(network, bridge.id) if filters else NO_VLANS,
        promisc=device.promisc.refs if device and device.promisc and device.promisc.value else None,
        hosts=bridge_hosts_of(snapshot, bridge),
        hosts_listed=hosts_listed(snapshot, bridge.id),
        table_complete=complete,
        question=_question(bridge),
        blind=_blind(network, bridge),
        kernel=kernel,
    )


def _setting(bridge: BridgeView, name: str, default: int) -> int:
    fact = bridge.settings.get(name)
    return default if fact is None else int(fact.value)


def _port(network: Network, port: Port, vlans: VlanGroup) -> PortConfig:
    device = network.devices.get(port.id)
    told: dict[str, bool] = {n: port.flags[n].value for n in _FLAGS if n in port.flags}
    refs = {name: port.flags[name].refs for name in told}
    facts = {
        "state": port.state,
        "backup": port.backup,
        "carrier": device.carrier if device else None,
        "mtu": device.mtu if device else None,
    }
    refs |= {name: fact.refs for name, fact in facts.items() if fact is not None}
    config = PortConfig(
        id=port.id,
        mac=device.mac.value if device and device.mac else None,
        state=port.state.value if port.state else "forwarding",
        carrier=device.carrier.value if device and device.carrier else True,
        backup=port.id._replace(name=port.backup.value) if port.backup else None,
        mtu=device.mtu.value if device and device.mtu else None,
        group_fwd_mask=port.group_fwd_mask.value if port.group_fwd_mask else 0,
        vlans=vlans,
        refs=MappingProxyType(refs),
    )
    return replace(config, **told)


def _vlans(network: Network, id_: DevId) -> VlanGroup:
    """The VLANs of a port or of a bridge device, as ``bridge vlan`` lists them."""
    rows = [
        row
        for row in network.snapshots[id_.host].port_vlans.rows
        if (row.netns, row.dev) == (id_.netns, id_.name)
    ]
    return VlanGroup(
        vlans=MappingProxyType(dict.fromkeys((row.vid for row in rows), "forwarding")),
        untagged=frozenset(row.vid for row in rows if row.untagged),
        pvid=next((row.vid for row in rows if row.pvid), 0),
        refs=tuple(Ref(id_.host, row.cite) for row in rows),
    )


def _question(bridge: BridgeView) -> Question | None:
    """Asked once for a bridge some of whose ports' flags nobody listed."""
    needed = ("hairpin", "learning", "flood")
    if all(flag in p.flags for p in bridge.ports.values() for flag in needed):
        return None
    text = "do the port flags that no listing shows have the kernel's default values?"
    return Question(bridge.id, text, ("yes", "no"), "yes")


def _blind(network: Network, bridge: BridgeView) -> tuple[str, tuple[Ref, ...]] | None:
    snapshot = network.snapshots[bridge.id.host]
    filtering = bridge.settings.get("vlan_filtering")
    listed = snapshot.port_vlans.complete(bridge.id.netns)
    if filtering is not None and filtering.value and not listed:
        what = "VLAN filtering, and no listing of all its VLANs (bridge vlan show)"
        return what, filtering.refs
    for row in snapshot.blinds.rows:
        id_ = bridge.id._replace(name=row.dev)
        if row.netns == bridge.id.netns and (not row.dev or id_ in bridge.ports):
            return row.what, (Ref(bridge.id.host, row.cite),)
    return None


def _table(
    network: Network, bridge: BridgeView, kernel: Behaviour
) -> tuple[dict[FdbKey, FdbEntry], bool]:
    """The table as last seen: a whole listing replaces what came before, a filtered one adds."""
    table: dict[FdbKey, FdbEntry] = {}
    complete = False
    limit = _setting(bridge, "ageing_time", 300_000_000_000)
    for listing in bridge.listings:
        if listing.complete:
            table.clear()
            complete = True
        table.update(_entries(bridge, listing, limit if kernel.lookup_checks_age else None))
    for key, entry in _own_addresses(network, bridge):
        table.setdefault(key, entry)
    return table, complete


def _filters(bridge: BridgeView) -> bool:
    return bool(_setting(bridge, "vlan_filtering", 0))


def _entries(
    bridge: BridgeView, listing: Listing, limit: int | None
) -> Iterable[tuple[FdbKey, FdbEntry]]:
    merged: dict[FdbKey, FdbEntry] = {}
    filters = _filters(bridge)
    for entry in looked_up(bridge, listing):
        row = entry.row
        expired = limit is not None and row.age is not None and row.age > limit
        if expired and not (row.local or row.static):
            continue
        key = (row.mac, row.vlan if filters else 0)
        before = merged.get(key)
        refs = (entry.ref,) if before is None else merge_refs(before.refs, (entry.ref,))
        lasting = row.static or row.extern_learn
        merged[key] = FdbEntry(entry.port, row.local, row.sticky, row.locked, refs, lasting)
    return merged.items()


def _own_addresses(network: Network, bridge: BridgeView) -> Iterable[tuple[FdbKey, FdbEntry]]:
    """Each port's address, and the bridge's own, are local entries in each VLAN they are in.

    br_fdb.c:fdb_add_local, br_vlan.c:__vlan_add.
    """
    for id_ in bridge.ports:
        device = network.devices.get(id_)
        mac: Fact[Mac] | None = device.mac if device else None
        if mac is not None:
            for vid in _vids(network, bridge, id_):
                yield (mac.value, vid), FdbEntry(id_, local=True, refs=mac.refs)
    if bridge.mac is not None:
        for vid in _vids(network, bridge, bridge.id):
            yield (bridge.mac.value, vid), FdbEntry(None, local=True, refs=bridge.mac.refs)


def _vids(network: Network, bridge: BridgeView, id_: DevId) -> tuple[int, ...]:
    return (0, *_vlans(network, id_).vlans) if _filters(bridge) else (0,)
