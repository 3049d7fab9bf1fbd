"""Which device lies on which, and by which of them a host's frames come and go."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from msgspec import Struct

from hopback.frames.mac import ZERO
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.network.model import Device, Network

Refs = tuple[Ref, ...]
Joints = Mapping[DevId, tuple[tuple[DevId, Refs], ...]]

_UPPER = frozenset({"macvlan", "macvtap", "ipvlan"})
_CABLES = frozenset({"veth", "tun", "tap"})
_NICS = frozenset({"", *_CABLES, *_UPPER})


class Stacks(Struct, frozen=True):
    """The devices that lie on each, and those below each, with the rows that say so."""

    network: Network
    above: Joints
    below: Joints

    def over(self, dev: DevId) -> dict[DevId, Refs]:
        """``dev`` and all that lies on it, with the rows that lead there."""
        return _walk(dev, self.above)

    def ends(self, dev: DevId) -> dict[DevId, Refs]:
        """The ends by which a frame for ``dev`` comes in: it, what is below it, or its bond."""
        bonds = {d: refs for d, refs in self.over(dev).items() if d in self.network.bonds}
        found = bonds or _walk(dev, self.below)
        return {id_: refs for id_, refs in found.items() if self.is_end(id_)}

    def is_end(self, dev: DevId) -> bool:
        """A bond, or a NIC of none: not a guest's port, and nothing whose other end is in sight."""
        if dev in self.network.bonds:
            return True
        device = self.network.devices.get(dev)
        uppers = [upper for upper, _ in self.above.get(dev, ())]
        if device is None or not _is_nic(device) or any(u in self.network.bonds for u in uppers):
            return False
        bridges = (b for upper in uppers if (b := self.network.bridges.get(upper)))
        port = next((b.ports[dev] for b in bridges if dev in b.ports), None)
        cable = device.kind is not None and device.kind.value in _CABLES
        lowest = dev not in self.network.bridges and dev not in self.below
        return lowest and (port is None or not (cable or port.role == "guest"))


def stacks_of(network: Network) -> Stacks:
    """The stacks of all namespaces."""
    above: dict[DevId, list[tuple[DevId, Refs]]] = defaultdict(list)
    below: dict[DevId, list[tuple[DevId, Refs]]] = defaultdict(list)
    for lower, upper, refs in _joints(network):
        above[lower].append((upper, refs))
        below[upper].append((lower, refs))
    return Stacks(network, _frozen(above), _frozen(below))


def _frozen(joints: Mapping[DevId, list[tuple[DevId, Refs]]]) -> Joints:
    return MappingProxyType({id_: tuple(found) for id_, found in joints.items()})


def _joints(network: Network) -> Iterator[tuple[DevId, DevId, Refs]]:
    """Lower and upper: legs and ports, VLAN devices, macvlans."""
    for id_, device in network.devices.items():
        if device.master is not None and device.master.value:
            yield id_, id_._replace(name=device.master.value), device.master.refs
    for bridge in network.bridges.values():
        yield from ((port.id, bridge.id, port.refs) for port in bridge.ports.values())
    for bond in network.bonds.values():
        for name, rows in bond.legs.items():
            yield bond.id._replace(name=name), bond.id, tuple(ref for ref, _ in rows)
    for host, snapshot in network.snapshots.items():
        for vlan in snapshot.vlan_devices.rows:
            if vlan.lower:
                id_ = DevId(host, vlan.netns, vlan.name)
                yield id_._replace(name=vlan.lower), id_, (Ref(host, vlan.cite),)
        for link in snapshot.links.rows:
            if link.kind in _UPPER and link.lower:
                id_ = DevId(host, link.netns, link.name)
                yield id_._replace(name=link.lower), id_, (Ref(host, link.cite),)


def _walk(dev: DevId, joints: Joints) -> dict[DevId, Refs]:
    """``dev`` and what can be reached from it, each with the rows on the way."""
    found: dict[DevId, Refs] = {dev: ()}
    todo = [dev]
    for id_ in todo:
        for following, refs in joints.get(id_, ()):
            if following not in found:
                found[following] = merge_refs(found[id_], refs)
                todo.append(following)
    return found


def _is_nic(device: Device) -> bool:
    """An Ethernet device that is up. One on top of another that nothing shows is as good."""
    down = any(fact is not None and not fact.value for fact in (device.up, device.carrier))
    addressed = device.mac is not None and device.mac.value != ZERO
    kind = device.kind.value if device.kind else ""
    return addressed and not down and device.peer is None and kind in _NICS
