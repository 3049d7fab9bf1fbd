"""What tells the rows of a table apart, and what they say apart from where they were read."""

from types import MappingProxyType

from msgspec.structs import replace

from hopback.snapshot.model import TABLES
from hopback.snapshot.rows import (
    Address,
    Connection,
    Fdb,
    FilterChain,
    FilterRule,
    FilterSet,
    Guest,
    GuestNic,
    IpvsConnection,
    IpvsCount,
    IpvsDaemon,
    IpvsServer,
    IpvsService,
    KernelCounter,
    Lease,
    Mdb,
    Neighbour,
    NwBinding,
    NwReference,
    NwRule,
    PacketFilter,
    PortVlan,
    Route,
    RouterPort,
    Row,
    Rule,
    Sandbox,
    Sysctl,
    Tunnel,
    Vrf,
    WireguardPeer,
)
from hopback.snapshot.table import Cite

_NOWHERE = Cite(-1, 0)
_SERVICE = ("protocol", "family", "address", "port", "mark")

_FIELDS: dict[type[Row], tuple[str, ...]] = {
    Fdb: ("bridge", "vlan", "mac", "on_device"),
    PortVlan: ("dev", "vid"),
    Mdb: ("bridge", "dev", "group", "vlan", "source"),
    RouterPort: ("bridge", "dev", "family"),
    Address: ("dev", "address"),
    Neighbour: ("dev", "address"),
    Route: ("destination", "family", "table", "metric"),
    Rule: ("family", "priority", "selector"),
    Guest: ("name",),
    GuestNic: ("guest", "mac", "target"),
    PacketFilter: ("family", "name"),
    FilterChain: ("backend", "family", "table", "name"),
    FilterRule: ("backend", "family", "table", "chain", "place"),
    FilterSet: ("backend", "family", "table", "name"),
    NwRule: ("filter", "place"),
    NwReference: ("filter", "place"),
    NwBinding: ("device",),
    Connection: ("zone", "protocol", "source", "target", "source_port", "target_port"),
    Lease: ("address",),
    Sandbox: ("id",),
    Sysctl: ("key",),
    IpvsService: (*_SERVICE, "configured"),
    IpvsServer: (*_SERVICE, "server", "server_port", "configured"),
    IpvsConnection: (
        "protocol",
        "client",
        "client_port",
        "virtual",
        "virtual_port",
        "server",
        "server_port",
    ),
    IpvsCount: (*_SERVICE, "server", "server_port"),
    IpvsDaemon: ("state",),
    KernelCounter: ("name",),
    Tunnel: ("dev",),
    WireguardPeer: ("dev", "peer"),
    Vrf: ("dev",),
}
_DEVICE = ("name",)


def _fields(kind: type[Row]) -> tuple[str, ...]:
    return _FIELDS.get(kind, _DEVICE if "name" in kind.__struct_fields__ else ())


KEYS = MappingProxyType({kind: _fields(kind) for kind in TABLES})
"""The fields that identify a row in its table and namespace; none for events: they never change."""


def key_of(row: Row) -> tuple[object, ...] | None:
    """What the row is about; None for rows that are only ever added or removed."""
    fields = KEYS[type(row)]
    return (row.netns, *(getattr(row, field) for field in fields)) if fields else None


def said(row: Row) -> Row:
    """The row without its citation: two listings that say the same give equal values."""
    return replace(row, cite=_NOWHERE)
