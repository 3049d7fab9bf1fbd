"""The VLAN tags that a model can tell apart: none, one, or two where the inner one may be read."""

from collections import defaultdict
from collections.abc import Hashable, Iterator
from itertools import product

from hopback.datapath.bridge.state import BridgeState
from hopback.datapath.model import Model
from hopback.datapath.vlan_device import VlanDev
from hopback.engines.compared import VLAN, Compared
from hopback.frames.ethernet import Vlan
from hopback.network.facts import DevId

_UNLISTED = 4094

Tags = tuple[Vlan, ...]


def tag_stacks(model: Model, compared: Compared) -> tuple[Tags, ...]:
    """One for each class; VLANs that all bridges treat alike are one."""
    filtering = [b for b in model.bridges.values() if b.vlan_filtering]
    devices = tuple(model.vlans.by_id.values())
    switched = list(_switched(filtering, compared))
    taken = [device.tag for device in devices]
    filtered = [Vlan(vid) for vid in _filtered(compared)]
    known = list(dict.fromkeys((*taken, *switched, *filtered)))
    # An inner tag is read by what a frame reaches after it has lost its outer one.
    inner = [*switched, *(d.tag for d in devices if _is_nested(model, d))]
    several = len(filtering) + len(devices) > 1 or has_links(model)
    pairs = product(known, dict.fromkeys(inner)) if several else ()
    return ((), *((tag,) for tag in known), *pairs)


def _switched(filtering: list[BridgeState], compared: Compared) -> Iterator[Vlan]:
    """A tag for each class of VLANs, one that no bridge has, and one of priority alone."""
    for protocol in {b.vlan_protocol: None for b in filtering}:
        facts = _facts([b for b in filtering if b.vlan_protocol == protocol])
        classes: dict[Hashable, int] = {}
        for vid, told in facts.items():
            classes.setdefault((frozenset(told), compared.facts(VLAN, vid)), vid)
        unlisted = next(v for v in range(_UNLISTED, 0, -1) if v not in facts)
        yield from (Vlan(vid, tpid=protocol) for vid in (*classes.values(), unlisted, 0))


def _filtered(compared: Compared) -> Iterator[int]:
    """A VLAN on both sides of each that a filter compares (of the outer tag)."""
    if VLAN in compared.tests:
        yield from (vid for vid in compared.values(VLAN, 0) if vid < 4096)


def _facts(bridges: list[BridgeState]) -> dict[int, set[Hashable]]:
    """What the tables say of each VLAN."""
    found: dict[int, set[Hashable]] = defaultdict(set)
    for bridge in bridges:
        groups = {bridge.id: bridge.vlans, **{p.id: p.vlans for p in bridge.ports.values()}}
        for id_, group in groups.items():
            for vid, state in group.vlans.items():
                found[vid].add((id_, state, vid in group.untagged, vid == group.pvid))
        for (mac, vid), entry in bridge.fdb.items():
            if vid:
                found[vid].add((bridge.id, mac, entry.port, entry.local))
        for key, vid in (*bridge.snooping.groups, *bridge.snooping.by_source):
            found[vid].add((bridge.id, key, vid))
        for vid in bridge.hosts:
            found[vid].add((bridge.id, "host", vid))
    return found


def _is_nested(model: Model, device: VlanDev) -> bool:
    """Whether frames may reach it that lost a tag on this host, not only those from a wire."""
    lower = model.network.devices.get(device.lower)
    joined = device.lower in model.bridges or device.lower in model.bridge_of
    linked = lower is not None and lower.peer is not None
    return joined or linked or device.lower in model.vlans.by_id


def has_links(model: Model, of: DevId | None = None) -> bool:
    """Whether frames of the bridge ``of`` (of any) may come to a bridge again in what we see.

    They do over a veth pair between two namespaces that have bridges, or within one that has.
    """
    spaces = {bridge[:2] for bridge in model.bridges}
    near = spaces if of is None else {of[:2]}
    return any(
        device.peer is not None and id_[:2] in near and device.peer.value[:2] in spaces
        for id_, device in model.network.devices.items()
    )
