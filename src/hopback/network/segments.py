"""Which given device gets a frame that leaves another given host.

Nothing lists what a cable joins. A device is taken to be on the other end where it, and no other
given one, has the frame's destination for its address, and both hosts tell that they share a
segment: by a subnet that both are in, or by the sender's neighbour table.
"""

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_interface,
)
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct

from hopback.frames.mac import ZERO, Mac
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.network.model import Network, Station
from hopback.network.plugs import plugs_of
from hopback.network.stacks import Refs, Stacks, stacks_of

Ip = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network
Space = tuple[str, str]
"""A host's label and a namespace."""


class Reached(NamedTuple):
    """The frame comes in at ``dev``, a NIC or a whole bond. ``refs`` tell that it does."""

    dev: DevId
    refs: Refs


class Unclear(NamedTuple):
    """Several given devices may be meant: ``refs`` are the rows that speak of them."""

    refs: Refs


class End(Struct, frozen=True):
    """A NIC or a bond by which frames leave its host.

    ``subnets`` are those of the addresses on top of it, ``neighbours`` the addresses that the
    neighbour tables there have, by MAC.
    """

    dev: DevId
    subnets: Mapping[Subnet, Refs]
    neighbours: Mapping[Mac, Mapping[Ip, Refs]]


class Segments(Struct, frozen=True):
    """The ends of all hosts: by themselves and their legs, by MAC, by subnet.

    ``plugs`` are NICs of guests, each with its port of a bridge: these are on no segment but the
    bridge's, and ``guests`` are the same by port and MAC. Empty where only one namespace of one
    host is given.
    """

    ends: Mapping[DevId, End] = MappingProxyType({})
    by_mac: Mapping[Mac, Mapping[DevId, Refs]] = MappingProxyType({})
    by_subnet: Mapping[Subnet, Mapping[Space, tuple[DevId, ...]]] = MappingProxyType({})
    addresses: Mapping[Space, frozenset[Ip]] = MappingProxyType({})
    plugs: Mapping[DevId, Reached] = MappingProxyType({})
    guests: Mapping[tuple[DevId, Mac], Reached] = MappingProxyType({})

    def unicast(self, dev: DevId, mac: Mac) -> Reached | Unclear | None:
        """Who gets a frame for ``mac`` that leaves by ``dev``; None: nobody who is given."""
        end, found = self.ends.get(dev), self.by_mac.get(mac)
        if end is None or found is None or all(d[:2] == dev[:2] for d in found):
            return None
        if len(found) > 1:
            return Unclear(merge_refs(*found.values()))
        ((target, refs),) = found.items()
        shared = self._shared(end, self.ends[target]) or self._known(end, target, mac)
        return Reached(target, merge_refs(refs, shared)) if shared else None

    def group(self, dev: DevId) -> tuple[Reached, ...]:
        """Who else hears a frame for a group that leaves by ``dev``."""
        end = self.ends.get(dev)
        if end is None:
            return ()
        spaces = (space for net in end.subnets for space in self.by_subnet[net].items())
        others = dict.fromkeys(o for space, devs in spaces if space != dev[:2] for o in devs)
        near = (self.ends[other] for other in others)
        return tuple(Reached(e.dev, refs) for e in near if (refs := self._shared(end, e)))

    def _shared(self, one: End, other: End) -> Refs:
        """The rows of a subnet that both are in, and of their namespaces no other end."""
        for subnet in one.subnets:
            spaces = self.by_subnet[subnet]
            alone = all(len(spaces.get(end.dev[:2], ())) == 1 for end in (one, other))
            if subnet in other.subnets and alone:
                return merge_refs(one.subnets[subnet], other.subnets[subnet])
        return ()

    def _known(self, end: End, target: DevId, mac: Mac) -> Refs:
        """The row by which the sender knows the other host at that MAC."""
        theirs = self.addresses.get(target[:2], frozenset())
        known = end.neighbours.get(mac, {})
        return next((refs for address, refs in known.items() if address in theirs), ())


def segments_of(network: Network) -> Segments:
    """The ends of all namespaces, if there are several."""
    if len({id_[:2] for id_ in network.devices}) < 2:
        return Segments()
    stacks = stacks_of(network)
    plugs = plugs_of(network, stacks)
    own, neighbours = _own(network), _neighbours(network)
    ends = {
        dev: _end(stacks, dev, own, neighbours)
        for dev in network.devices
        if stacks.is_end(dev) and dev not in plugs
    }
    by_subnet: dict[Subnet, dict[Space, tuple[DevId, ...]]] = defaultdict(dict)
    for dev, end in ends.items():
        for subnet in end.subnets:
            there = by_subnet[subnet]
            there[dev[:2]] = (*there.get(dev[:2], ()), dev)
    addresses: dict[Space, set[Ip]] = defaultdict(set)
    for id_, found in own.items():
        addresses[id_[:2]].update(address for _, address, _ in found)
    legs = {leg: ends[d] for d in ends for leg, _ in stacks.below.get(d, ())}
    return Segments(
        MappingProxyType(ends | legs),
        MappingProxyType(_by_mac(network, stacks, plugs)),
        MappingProxyType(by_subnet),
        MappingProxyType({space: frozenset(found) for space, found in addresses.items()}),
        MappingProxyType({dev: Reached(s.port, s.refs) for dev, s in plugs.items()}),
        MappingProxyType({(s.port, s.mac): Reached(dev, s.refs) for dev, s in plugs.items()}),
    )


_Own = Mapping[DevId, list[tuple[Subnet, Ip, Ref]]]
_Neighbours = Mapping[DevId, list[tuple[Mac, Ip, Ref]]]


def _end(stacks: Stacks, dev: DevId, own: _Own, neighbours: _Neighbours) -> End:
    subnets: dict[Subnet, Refs] = {}
    known: dict[Mac, dict[Ip, Refs]] = defaultdict(dict)
    for upper, way in stacks.over(dev).items():
        for subnet, _, ref in own.get(upper, ()):
            if subnet.num_addresses > 1 and not subnet.is_link_local:
                subnets.setdefault(subnet, merge_refs(way, (ref,)))
        for mac, address, ref in neighbours.get(upper, ()):
            known[mac].setdefault(address, merge_refs(way, (ref,)))
    return End(dev, MappingProxyType(subnets), MappingProxyType(known))


def _own(network: Network) -> _Own:
    found: dict[DevId, list[tuple[Subnet, Ip, Ref]]] = defaultdict(list)
    for host, snapshot in network.snapshots.items():
        for row in snapshot.addresses.rows:
            with suppress(ValueError):
                at = ip_interface(f"{row.address}/{row.prefix_len}")
                entry = at.network, at.ip, Ref(host, row.cite)
                found[DevId(host, row.netns, row.dev)].append(entry)
    return found


def _neighbours(network: Network) -> _Neighbours:
    found: dict[DevId, list[tuple[Mac, Ip, Ref]]] = defaultdict(list)
    for host, snapshot in network.snapshots.items():
        for row in snapshot.neighbours.rows:
            with suppress(ValueError):
                if row.mac is not None and not row.proxy:
                    entry = row.mac, ip_address(row.address), Ref(host, row.cite)
                    found[DevId(host, row.netns, row.dev)].append(entry)
    return found


def _by_mac(
    network: Network, stacks: Stacks, plugs: Mapping[DevId, Station]
) -> dict[Mac, Mapping[DevId, Refs]]:
    """The ends that take frames for a MAC: those that have it, else those below who has it.

    A guest that is given is behind the ways out of its bridge.
    """
    having: dict[Mac, list[tuple[DevId, Refs]]] = defaultdict(list)
    for id_, device in network.devices.items():
        if device.mac is not None and device.mac.value != ZERO:
            plug = plugs.get(id_)
            taken = (plug.bridge, merge_refs(device.mac.refs, plug.refs)) if plug else None
            having[device.mac.value].append(taken or (id_, device.mac.refs))
    found: dict[Mac, Mapping[DevId, Refs]] = {}
    for mac, devices in having.items():
        ends: dict[DevId, Refs] = {}
        for id_, refs in [d for d in devices if stacks.is_end(d[0])] or devices:
            for end, way in stacks.ends(id_).items():
                ends.setdefault(end, merge_refs(refs, way))
        if ends:
            found[mac] = MappingProxyType(ends)
    return found
