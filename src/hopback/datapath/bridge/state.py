"""What the bridge stages look at: one bridge's ports, flags and table, at one moment."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from hopback.datapath.effects import Question
from hopback.datapath.kernel import CURRENT, Behaviour
from hopback.frames.ethernet import DOT1Q
from hopback.frames.mac import Mac
from hopback.network.facts import DevId, Ref
from hopback.snapshot.rows import PortStateName

NO_REFS: Mapping[str, tuple[Ref, ...]] = MappingProxyType({})


class VlanGroup(Struct, frozen=True):
    """The VLANs of a port, or of the bridge device itself, with their spanning-tree states."""

    vlans: Mapping[int, PortStateName] = MappingProxyType({})
    untagged: frozenset[int] = frozenset()
    pvid: int = 0
    refs: tuple[Ref, ...] = ()


NO_VLANS = VlanGroup()

FdbKey = tuple[Mac, int]
"""An address and its VLAN, 0 where the bridge does not filter."""

Family = Literal[4, 6]
Ip = IPv4Address | IPv6Address

GroupKey = tuple[Ip | Mac, int]
"""A multicast group (a MAC for what is not IP) and its VLAN, 0 where the bridge does not filter."""


class PortConfig(Struct, frozen=True):
    """A port and its flags, at the values a new port has (br_if.c:new_nbp) unless told.

    ``backup`` takes what the table sends to the port while it has no carrier. ``mtu`` in bytes.
    ``refs`` are the rows that told a flag, by the flag's name.
    """

    id: DevId
    mac: Mac | None = None
    state: PortStateName = "forwarding"
    hairpin: bool = False
    learning: bool = True
    flood: bool = True
    mcast_flood: bool = True
    bcast_flood: bool = True
    isolated: bool = False
    locked: bool = False
    proxyarp: bool = False
    proxyarp_wifi: bool = False
    neigh_suppress: bool = False
    mcast_to_unicast: bool = False
    mab: bool = False
    carrier: bool = True
    backup: DevId | None = None
    mtu: int | None = None
    group_fwd_mask: int = 0
    vlans: VlanGroup = NO_VLANS
    refs: Mapping[str, tuple[Ref, ...]] = NO_REFS

    def why(self, flag: str) -> tuple[Ref, ...]:
        """The rows that told ``flag``."""
        return self.refs.get(flag, ())


class Member(Struct, frozen=True):
    """A member of a multicast group: a port, or (None) the host. ``learned`` from a report."""

    port: DevId | None
    learned: bool = False
    refs: tuple[Ref, ...] = ()


class Snooping(Struct, frozen=True):
    """What multicast snooping goes by.

    ``queriers`` has a family that was told of: whether it has a querier, and by which rows.
    ``likely`` are families of which nothing was told but that probably have one. ``by_source``
    are groups that some member wants from certain senders alone. ``listed`` False: nobody listed
    the groups.
    """

    queriers: Mapping[Family, tuple[bool, tuple[Ref, ...]]] = MappingProxyType({})
    likely: frozenset[Family] = frozenset()
    groups: Mapping[GroupKey, tuple[Member, ...]] = MappingProxyType({})
    by_source: frozenset[GroupKey] = frozenset()
    routers: Mapping[Family, Mapping[DevId, tuple[Ref, ...]]] = MappingProxyType({})
    host_is_router: bool = False
    listed: bool = True


NO_SNOOPING = Snooping()


class FdbEntry(Struct, frozen=True, gc=False):
    """A table entry. ``port`` None with ``local`` is the bridge device's own address.

    ``locked``: a station that waits for its authorisation (MAC authentication bypass).
    ``lasting``: static or learned by the hardware, so it moves but does not age.
    """

    port: DevId | None
    local: bool = False
    sticky: bool = False
    locked: bool = False
    refs: tuple[Ref, ...] = ()
    lasting: bool = False


class NeighbourEntry(Struct, frozen=True):
    """A valid entry (NUD_VALID) of the host's neighbour table."""

    mac: Mac
    router: bool = False
    refs: tuple[Ref, ...] = ()


class HostState(Struct, frozen=True):
    """What the host knows on the bridge device, or on its device in a VLAN of the bridge."""

    addresses: Mapping[Ip, tuple[Ref, ...]] = MappingProxyType({})
    neighbours: Mapping[Ip, NeighbourEntry] = MappingProxyType({})


class BridgeState(Struct, frozen=True):
    """A bridge. ``ports`` are in the order in which they were enslaved.

    ``hosts`` is the host by VLAN (0 the bridge device); ``hosts_listed`` False: it may know more.
    ``promisc`` are the rows that show the bridge device promiscuous, None if it is not.

    ``question`` is open while some flag was in no listing; ``blind`` says why the bridge cannot be
    evaluated at all. ``table_complete`` False: an address that is not in ``fdb`` may still be in
    the kernel's table.
    """

    id: DevId
    ports: Mapping[DevId, PortConfig]
    fdb: Mapping[FdbKey, FdbEntry]
    mac: Mac | None = None
    stp: bool = False
    learns: bool = True  # False when the ageing time is 0 (br_fdb.c:hold_time)
    group_fwd_mask: int = 0
    mcast_snooping: bool = True
    snooping: Snooping = NO_SNOOPING
    vlan_filtering: bool = False
    vlan_protocol: int = DOT1Q
    vlans: VlanGroup = NO_VLANS
    promisc: tuple[Ref, ...] | None = None
    hosts: Mapping[int, HostState] = MappingProxyType({})
    hosts_listed: bool = True
    table_complete: bool = True
    question: Question | None = None
    blind: tuple[str, tuple[Ref, ...]] | None = None
    kernel: Behaviour = CURRENT
