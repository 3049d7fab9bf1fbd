"""One frozen row type for each kernel (or libvirt) table.

Common to all: ``cite`` says where the row was read; ``netns`` is the network namespace's name
("" is the one the listing was made in). **None means that the listing did not say**, never "off"
or "absent": old tools print less. Times are integer nanoseconds. Several rows may describe one
device, each telling what its own command showed; the network layer merges them and keeps, for
each fact, the row that told it.
"""

from hopback.snapshot.rows.base import Row
from hopback.snapshot.rows.devices import (
    PORT_STATES,
    Blind,
    Bond,
    BondLeg,
    Bridge,
    BridgePort,
    Link,
    PortStateName,
    VlanDevice,
    Vxlan,
)
from hopback.snapshot.rows.forwarding import (
    Address,
    EvpnMac,
    Fdb,
    FdbEvent,
    MacFlap,
    Mdb,
    Neighbour,
    NextHop,
    PortVlan,
    Route,
    RouterPort,
    Rule,
)
from hopback.snapshot.rows.guests import Guest, GuestNic, PacketFilter
from hopback.snapshot.rows.system import (
    DadEvent,
    HostIdentity,
    Kernel,
    LogLine,
    OwnSource,
    PingSign,
    PingSignKind,
    PortEvent,
    Sighting,
    Sysctl,
    Unread,
)

__all__ = [
    "PORT_STATES",
    "Address",
    "Blind",
    "Bond",
    "BondLeg",
    "Bridge",
    "BridgePort",
    "DadEvent",
    "EvpnMac",
    "Fdb",
    "FdbEvent",
    "Guest",
    "GuestNic",
    "HostIdentity",
    "Kernel",
    "Link",
    "LogLine",
    "MacFlap",
    "Mdb",
    "Neighbour",
    "NextHop",
    "OwnSource",
    "PacketFilter",
    "PingSign",
    "PingSignKind",
    "PortEvent",
    "PortStateName",
    "PortVlan",
    "Route",
    "RouterPort",
    "Row",
    "Rule",
    "Sighting",
    "Sysctl",
    "Unread",
    "VlanDevice",
    "Vxlan",
]
