"""Which MACs a model can tell apart: as the source of a frame, and as its destination.

Two addresses of which the tables say the same, and which are nobody's own, are one class: whatever
frame of the one comes back, that of the other does.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from hopback.datapath.model import Model
from hopback.engines.compared import DESTINATION, SOURCE, Compared
from hopback.engines.compared import macs as macs_in
from hopback.frames.mac import ZERO, Mac, is_group

STRANGERS = (Mac(0x0000_5E00_5310), Mac(0x0000_5E00_5311))
"""Stand for addresses that no table has (documentation range, RFC 7042)."""

_Facts = Mapping[Mac, frozenset[Hashable]]


class Addresses(NamedTuple):
    """For each class of sources one MAC or two, of destinations one; ``both``: of both at once."""

    sources: tuple[tuple[Mac, ...], ...]
    destinations: tuple[Mac, ...]
    both: tuple[Mac, ...]

    def senders(self, destination: Mac) -> Iterator[Mac]:
        """A source of each class that is not ``destination``."""
        for macs in self.sources:
            yield from [mac for mac in macs if mac != destination][:1]

    def pairs(self) -> Iterator[tuple[Mac, Mac]]:
        """Source and destination: every class with every class, and each with itself."""
        yield from ((source, d) for d in self.destinations for source in self.senders(d))
        yield from ((mac, mac) for mac in self.both)


def addresses_of(model: Model, compared: Compared, sources: Sequence[Mac] = ()) -> Addresses:
    """The classes of unicast addresses in all tables of the model, and strangers.

    ``compared`` is what filters ask of them. ``sources``: those to send from, if not from all.
    """
    as_source, as_destination = _facts(_source_facts(model)), _facts(_destination_facts(model))
    told = (*as_source, *as_destination, *sources, *macs_in(compared))
    known = {m: None for m in told if not is_group(m) and m != ZERO}
    macs = [*known, *(m for m in STRANGERS if m not in known)]
    empty: frozenset[Hashable] = frozenset()
    source = {m: (as_source.get(m, empty), compared.facts(SOURCE, m)) for m in macs}
    destination = {m: (as_destination.get(m, empty), compared.facts(DESTINATION, m)) for m in macs}
    if sources:
        destinations = tuple(macs[0] for macs in _classes(destination))
        return Addresses(tuple((mac,) for mac in sources), destinations, tuple(sources))
    return Addresses(
        sources=tuple(tuple(macs[:2]) for macs in _classes(source)),
        destinations=tuple(macs[0] for macs in _classes(destination)),
        both=tuple(macs[0] for macs in _classes({m: (source[m], destination[m]) for m in macs})),
    )


def _facts(told: Iterable[tuple[Mac, Hashable]]) -> _Facts:
    found: dict[Mac, set[Hashable]] = defaultdict(set)
    for mac, fact in told:
        found[mac].add(fact)
    return {mac: frozenset(facts) for mac, facts in found.items()}


def _classes(of: Mapping[Mac, Hashable]) -> Iterable[list[Mac]]:
    classes: dict[Hashable, list[Mac]] = defaultdict(list)
    for mac, facts in of.items():
        classes[facts].append(mac)
    return classes.values()


def _destination_facts(model: Model) -> Iterator[tuple[Mac, Hashable]]:
    """Where tables send what is for an address, and who takes it for itself."""
    for bridge in model.bridges.values():
        for (mac, vid), entry in bridge.fdb.items():
            yield mac, (bridge.id, vid, entry.port, entry.local)
    for device in model.network.devices.values():
        if device.mac is not None:
            yield device.mac.value, device.id
    for port, stations in model.stations.items():
        yield from ((station.mac, port) for station in stations)
    for bond in model.bonds.values():
        yield from ((mac, leg) for mac, leg in ((b.mac, b.id) for b in bond.legs) if mac)
    yield from _of_upper_devices(model)


def _source_facts(model: Model) -> Iterator[tuple[Mac, Hashable]]:
    """What rules ask of a source: locked ports, neighbours, macvlans, tunnels, bonds' balancing.

    That an address is learned changes nothing for the frame that teaches it; but where a bridge
    answers in another's name, the answer goes to that address.
    """
    if any(bridge.hosts for bridge in model.bridges.values()):
        yield from _destination_facts(model)
    for bridge in model.bridges.values():
        if any(port.locked for port in bridge.ports.values()):
            for (mac, vid), entry in bridge.fdb.items():
                yield mac, (bridge.id, vid, entry.port, entry.local, entry.locked)
        for vid, host in bridge.hosts.items():
            yield from ((n.mac, (bridge.id, vid, n.mac)) for n in host.neighbours.values())
    for bond in model.bonds.values():
        if bond.mode == "balance-alb":
            yield from ((m, bond.id) for m in (bond.mac, *(b.mac for b in bond.legs)) if m)
    yield from _of_upper_devices(model)


def _of_upper_devices(model: Model) -> Iterator[tuple[Mac, Hashable]]:
    """Macvlans and tunnels look at both addresses."""
    for child in model.macvlans.by_id.values():
        if child.mac is not None:
            yield child.mac, child.id
    for tunnel in model.vxlans.by_id.values():
        if tunnel.mac is not None:
            yield tunnel.mac, (tunnel.id, "own")
        for mac, entry in tunnel.fdb.items():
            yield mac, (tunnel.id, entry.pinned, *((r.dst, r.vni) for r in entry.remotes))
