"""What the bridge stages look at: one bridge's ports, flags and table, at one moment."""

from collections.abc import Mapping
from types import MappingProxyType

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


class PortConfig(Struct, frozen=True):
    """A port and its flags, at the values a new port has (br_if.c:new_nbp) unless told.

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
    group_fwd_mask: int = 0
    vlans: VlanGroup = NO_VLANS
    refs: Mapping[str, tuple[Ref, ...]] = NO_REFS

    def why(self, flag: str) -> tuple[Ref, ...]:
        """The rows that told ``flag``."""
        return self.refs.get(flag, ())


class FdbEntry(Struct, frozen=True):
    """A table entry. ``port`` None with ``local`` is the bridge device's own address."""

    port: DevId | None
    local: bool = False
    sticky: bool = False
    refs: tuple[Ref, ...] = ()


class BridgeState(Struct, frozen=True):
    """A bridge. ``ports`` are in the order in which they were enslaved.

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
    vlan_filtering: bool = False
    vlan_protocol: int = DOT1Q
    vlans: VlanGroup = NO_VLANS
    table_complete: bool = True
    table_source: str = ""
    question: Question | None = None
    blind: tuple[str, tuple[Ref, ...]] | None = None
    kernel: Behaviour = CURRENT
