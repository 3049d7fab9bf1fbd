"""What the VXLAN stage looks at: the devices with their tables, and whose addresses are whose."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct

from hopback.datapath.skb import Ip
from hopback.frames.mac import ZERO, Mac
from hopback.network.facts import DevId, Ref, Told, latest, merge_refs
from hopback.network.identifiers import canonical
from hopback.network.model import Network
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Fdb, Vxlan

Refs = tuple[Ref, ...]

_PORT = 4789
"""RFC 7348. A device whose port no listing shows is taken to use it."""


class Underlay(NamedTuple):
    """Where the outer packets live: the namespace in which the device was made."""

    host: str
    netns: str


class Remote(Struct, frozen=True):
    """One destination of an entry; ``dst`` None is a next-hop group's, which no listing shows."""

    dst: str | None
    vni: int | None = None
    refs: Refs = ()

    @property
    def address(self) -> Ip | None:
        """Whom it is routed to; None for a group, and where a listing shows no address."""
        return None if self.is_group else _ip(self.dst)

    @property
    def is_group(self) -> bool:
        """Whether it is a multicast group of the underlay."""
        address = _ip(self.dst)
        return address is not None and address.is_multicast


class Entry(Struct, frozen=True):
    """An address's remotes in the order in which they were added; ``pinned``: it does not move."""

    remotes: tuple[Remote, ...]
    pinned: bool = False
    refs: Refs = ()


class VxlanState(Struct, frozen=True):
    """A VXLAN device. ``complete``: an address that is not in ``fdb`` is not in the kernel's.

    ``lower`` is the device it is bound to, ``underlay`` None where its namespace is not known,
    ``local`` the outer source address.
    """

    id: DevId
    fdb: Mapping[Mac, Entry] = MappingProxyType({})
    complete: bool = True
    vni: int | None = None
    port: int = _PORT
    local: str | None = None
    lower: str = ""
    v6: bool = False
    mac: Mac | None = None
    learning: bool = True
    underlay: Underlay | None = None
    blind: tuple[str, Refs] | None = None
    refs: Refs = ()

    @property
    def source(self) -> Ip | None:
        """``local``, if it is an address."""
        return _ip(self.local)


class Vxlans(Struct, frozen=True):
    """All VXLAN devices, and the namespaces that have an address, with the rows that show it."""

    by_id: Mapping[DevId, VxlanState] = MappingProxyType({})
    owners: Mapping[str, Mapping[Underlay, Refs]] = MappingProxyType({})

    def own(self, state: VxlanState, dst: str) -> Refs | None:
        """The rows by which ``dst`` is an address of the device's own host; None if it is not."""
        address = _ip(dst)
        if address is not None and address.is_loopback:
            return ()
        return self.owners.get(dst, {}).get(state.underlay) if state.underlay else None

    def at(self, state: VxlanState, vni: int | None) -> VxlanState | None:
        """The device of ``vni`` that shares the underlay of ``state`` (vxlan_find_vni)."""
        return next((s for s in self._alike(state, vni) if s.underlay == state.underlay), None)

    def remotes(self, state: VxlanState, remote: Remote) -> tuple[VxlanState, ...]:
        """The devices elsewhere that get what ``state`` sends to ``remote``."""
        vni = state.vni if remote.vni is None else remote.vni
        there = [s for s in self._alike(state, vni) if s.underlay != state.underlay]
        if remote.is_group:
            return tuple(s for s in there if _joins(s, remote.dst))
        owners = self.owners.get(remote.dst or "", {})
        return tuple(s for s in there if s.underlay in owners)

    def _alike(self, state: VxlanState, vni: int | None) -> Iterator[VxlanState]:
        """The devices of that VNI; one of which nothing tells its VNI is like none."""
        for other in self.by_id.values():
            if other.vni is not None and (other.vni, other.port) == (vni, state.port):
                yield other


def _joins(state: VxlanState, group: str | None) -> bool:
    """Whether the device hears the group: it is its own first destination."""
    flood = state.fdb.get(ZERO)
    return flood is not None and any(remote.dst == group for remote in flood.remotes)


def vxlans_of(network: Network) -> Vxlans:
    """The VXLAN devices of all hosts."""
    found: dict[DevId, VxlanState] = {}
    for host, snapshot in network.snapshots.items():
        rows: dict[DevId, list[Told[Vxlan]]] = {
            id_: []
            for id_, device in network.devices.items()
            if id_.host == host and device.kind and device.kind.value == "vxlan"
        }
        for row in snapshot.vxlans.rows:
            rows.setdefault(DevId(host, row.netns, row.name), []).append(Told(host, row))
        entries = _entries_by_device(snapshot)
        for id_, told in rows.items():
            found[id_] = _state(network, id_, told, entries.get((id_.netns, id_.name), ()))
    return Vxlans(MappingProxyType(found), MappingProxyType(_owners(network, found)))


def _entries_by_device(snapshot: Snapshot) -> dict[tuple[str, str], list[Fdb]]:
    found: dict[tuple[str, str], list[Fdb]] = {}
    for row in snapshot.fdb.rows:
        if row.on_device and row.dev:
            found.setdefault((row.netns, row.dev), []).append(row)
    return found


def _state(
    network: Network, id_: DevId, told: Sequence[Told[Vxlan]], entries: Sequence[Fdb]
) -> VxlanState:
    snapshot = network.snapshots[id_.host]
    device = network.devices.get(id_)
    vni, port = latest(told, lambda r: r.vni), latest(told, lambda r: r.port)
    local, learning = latest(told, lambda r: r.local), latest(told, lambda r: r.learning)
    remote = latest(told, lambda r: r.remote or r.group)
    lower = latest(told, lambda r: r.lower)
    fdb = _table(id_.host, entries)
    # A whole listing shows the entries of all devices, that of a bridge those of its ports; but
    # brctl, which counts as one too, shows none of them.
    names = (id_.name, device.master.value if device and device.master else "")
    complete = bool(fdb) and any(snapshot.fdb.complete(id_.netns, name) for name in names)
    if not complete and ZERO not in fdb and remote is not None and remote.value:
        first = Remote(canonical(remote.value), refs=remote.refs)
        fdb[ZERO] = Entry((first,), pinned=True, refs=remote.refs)
    addresses = [fact.value for fact in (local, remote) if fact and fact.value]
    return VxlanState(
        id=id_,
        fdb=MappingProxyType(fdb),
        complete=complete,
        vni=vni.value if vni else None,
        port=port.value if port else _PORT,
        local=canonical(local.value) if local and local.value else None,
        lower=lower.value if lower else "",
        v6=any(":" in address for address in addresses),
        mac=device.mac.value if device and device.mac else None,
        learning=learning is None or learning.value,
        underlay=_underlay(snapshot, id_),
        blind=_blind(id_, told),
        refs=merge_refs(*(t.refs for t in (vni, local) if t)) or (device.refs if device else ()),
    )


def _table(host: str, rows: Sequence[Fdb]) -> dict[Mac, Entry]:
    """The device's own entries; a later listing shows them again, and adds what is new."""
    found: dict[Mac, dict[tuple[str | None, int | None], Remote]] = {}
    pinned: set[Mac] = set()
    for row in rows:
        dst = canonical(row.dst) if row.dst else None
        found.setdefault(row.mac, {})[dst, row.vni] = Remote(dst, row.vni, (Ref(host, row.cite),))
        if row.local or row.static:
            pinned.add(row.mac)
    return {
        mac: Entry(
            tuple(remotes.values()),
            mac in pinned,
            merge_refs(*(remote.refs for remote in remotes.values())),
        )
        for mac, remotes in found.items()
    }


def _blind(id_: DevId, told: Sequence[Told[Vxlan]]) -> tuple[str, Refs] | None:
    """What takes a frame out of this table's hands."""
    metadata = latest(told, lambda r: r.collect_metadata)
    if metadata is not None and metadata.value:
        return f"{id_.name} takes the VNI and the remote from each packet", metadata.refs
    proxy = latest(told, lambda r: r.proxy)
    if proxy is not None and proxy.value:
        return f"{id_.name} answers ARP and ND itself", proxy.refs
    return None


def _underlay(snapshot: Snapshot, id_: DevId) -> Underlay | None:
    """The device's own namespace, unless it was moved out of the one it was made in."""
    for row in reversed(snapshot.links.rows):
        if (row.netns, row.name) == (id_.netns, id_.name) and row.lower_netnsid is not None:
            return None if row.peer_netns is None else Underlay(id_.host, row.peer_netns)
    return Underlay(id_.host, id_.netns)


def _owners(
    network: Network, states: Mapping[DevId, VxlanState]
) -> dict[str, Mapping[Underlay, Refs]]:
    """Who has which address. A device's own ``local`` counts too: nobody else's would work."""
    found: dict[str, dict[Underlay, Refs]] = {}
    for state in states.values():
        if state.local is not None and state.underlay is not None:
            found.setdefault(state.local, {})[state.underlay] = state.refs
    for address, devices in network.owners.items():
        for dev, ref in devices:
            found.setdefault(address, {})[Underlay(*dev[:2])] = (ref,)
    return {address: MappingProxyType(owners) for address, owners in found.items()}


def _ip(address: str | None) -> Ip | None:
    try:
        return ip_address(address or "")
    except ValueError:
        return None
