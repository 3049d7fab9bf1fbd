"""The snapshot: what is known of one host at one moment, table by table."""

from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from hopback.snapshot.rows import (
    Address,
    BadChecksums,
    Blind,
    Bond,
    BondLeg,
    Bridge,
    BridgePort,
    Connection,
    CpuShare,
    DadEvent,
    DhcpMessage,
    EvpnMac,
    Fdb,
    FdbEvent,
    FilterChain,
    FilterRule,
    FilterSet,
    Guest,
    GuestNic,
    HairpinAdvice,
    HairpinMode,
    HostIdentity,
    IpvsConnection,
    IpvsCount,
    IpvsDaemon,
    IpvsServer,
    IpvsService,
    Kernel,
    KernelCounter,
    Lease,
    Link,
    LogLine,
    MacFlap,
    Martian,
    Mdb,
    Neighbour,
    NeighbourMessage,
    NwBinding,
    NwFilter,
    NwReference,
    NwRule,
    OwnSource,
    PacketFilter,
    PingSign,
    PortEvent,
    PortVlan,
    Route,
    RouteAnswer,
    RouterPort,
    Row,
    Rule,
    Sandbox,
    Sighting,
    Sysctl,
    TraceHop,
    Tunnel,
    TunnelLoop,
    UnnamedPort,
    Unread,
    VlanDevice,
    Vrf,
    VrrpEvent,
    VrrpInstance,
    Vxlan,
    WireguardPeer,
)
from hopback.snapshot.table import Extent, Missing, Problem, Rows, Source

AnyRow = TypeVar("AnyRow", bound=Row)

_NOT_GIVEN = "not in what was given"


def _missing(command: str) -> Missing:
    return Missing(_NOT_GIVEN, command)


class Snapshot(Struct, frozen=True, omit_defaults=True):
    """One host's tables. ``host`` is its label, "" while nothing named it; ``at`` ns since 1970."""

    host: str = ""
    at: int | None = None
    sources: tuple[Source, ...] = ()
    problems: tuple[Problem, ...] = ()
    links: Rows[Link] | Missing = _missing("ip -d link show")
    bridges: Rows[Bridge] | Missing = _missing("ip -d link show type bridge")
    ports: Rows[BridgePort] | Missing = _missing("bridge -d link show")
    bonds: Rows[Bond] | Missing = _missing("cat /proc/net/bonding/*")
    bond_legs: Rows[BondLeg] | Missing = _missing("cat /proc/net/bonding/*")
    vlan_devices: Rows[VlanDevice] | Missing = _missing("ip -d link show type vlan")
    vxlans: Rows[Vxlan] | Missing = _missing("ip -d link show type vxlan")
    blinds: Rows[Blind] | Missing = _missing("ip -d link show; tc filter show dev DEV ingress")
    fdb: Rows[Fdb] | Missing = _missing("bridge fdb show")
    fdb_events: Rows[FdbEvent] | Missing = _missing("bridge -t monitor fdb")
    evpn_macs: Rows[EvpnMac] | Missing = _missing('vtysh -c "show evpn mac vni all"')
    mac_flaps: Rows[MacFlap] | Missing = _missing("the switch's log")
    port_vlans: Rows[PortVlan] | Missing = _missing("bridge vlan show")
    mdb: Rows[Mdb] | Missing = _missing("bridge mdb show")
    router_ports: Rows[RouterPort] | Missing = _missing("bridge -d mdb show")
    addresses: Rows[Address] | Missing = _missing("ip addr show")
    neighbours: Rows[Neighbour] | Missing = _missing("ip neigh show")
    routes: Rows[Route] | Missing = _missing("ip route show table all")
    route_answers: Rows[RouteAnswer] | Missing = _missing("ip route get TARGET")
    rules: Rows[Rule] | Missing = _missing("ip rule show")
    guests: Rows[Guest] | Missing = _missing("virsh list")
    guest_nics: Rows[GuestNic] | Missing = _missing("virsh dumpxml GUEST")
    filters: Rows[PacketFilter] | Missing = _missing("nft list ruleset; ebtables-save")
    filter_chains: Rows[FilterChain] | Missing = _missing("nft -j list ruleset; iptables-save")
    filter_rules: Rows[FilterRule] | Missing = _missing("nft -j list ruleset; iptables-save")
    filter_sets: Rows[FilterSet] | Missing = _missing("nft -j list ruleset; ipset save")
    nw_filters: Rows[NwFilter] | Missing = _missing("virsh nwfilter-list")
    nw_rules: Rows[NwRule] | Missing = _missing("virsh nwfilter-dumpxml FILTER")
    nw_references: Rows[NwReference] | Missing = _missing("virsh nwfilter-dumpxml FILTER")
    nw_bindings: Rows[NwBinding] | Missing = _missing("virsh nwfilter-binding-list")
    connections: Rows[Connection] | Missing = _missing("conntrack -L")
    sysctls: Rows[Sysctl] | Missing = _missing("sysctl -a")
    tunnels: Rows[Tunnel] | Missing = _missing("ip -d link show")
    wireguard_peers: Rows[WireguardPeer] | Missing = _missing("wg show")
    vrfs: Rows[Vrf] | Missing = _missing("ip -d link show type vrf")
    ipvs_services: Rows[IpvsService] | Missing = _missing("ipvsadm -Sn")
    ipvs_servers: Rows[IpvsServer] | Missing = _missing("ipvsadm -Sn")
    ipvs_connections: Rows[IpvsConnection] | Missing = _missing("ipvsadm -Lnc")
    ipvs_counts: Rows[IpvsCount] | Missing = _missing("ipvsadm -Ln --stats")
    ipvs_daemons: Rows[IpvsDaemon] | Missing = _missing("ipvsadm -L --daemon")
    vrrp_instances: Rows[VrrpInstance] | Missing = _missing("cat /etc/keepalived/keepalived.conf")
    vrrp_events: Rows[VrrpEvent] | Missing = _missing("journalctl -u keepalived")
    counters: Rows[KernelCounter] | Missing = _missing("nstat -az")
    cpu_shares: Rows[CpuShare] | Missing = _missing("mpstat -P ALL 1 5")
    kernels: Rows[Kernel] | Missing = _missing("uname -r")
    identities: Rows[HostIdentity] | Missing = _missing("hostnamectl")
    own_sources: Rows[OwnSource] | Missing = _missing("dmesg")
    martians: Rows[Martian] | Missing = _missing("dmesg")
    tunnel_loops: Rows[TunnelLoop] | Missing = _missing("dmesg")
    port_events: Rows[PortEvent] | Missing = _missing("dmesg")
    dad_events: Rows[DadEvent] | Missing = _missing("dmesg")
    neighbour_messages: Rows[NeighbourMessage] | Missing = _missing("tcpdump -e -v -n arp or icmp6")
    dhcp_messages: Rows[DhcpMessage] | Missing = _missing("tcpdump -e -v -n port 67 or port 68")
    bad_checksums: Rows[BadChecksums] | Missing = _missing("the DHCP client's log")
    leases: Rows[Lease] | Missing = _missing("the DHCP server's leases")
    sandboxes: Rows[Sandbox] | Missing = _missing("crictl pods")
    hairpin_advice: Rows[HairpinAdvice] | Missing = _missing("")
    hairpin_modes: Rows[HairpinMode] | Missing = _missing("journalctl -u kubelet")
    unnamed_ports: Rows[UnnamedPort] | Missing = _missing("")
    log: Rows[LogLine] | Missing = _missing("dmesg")
    sightings: Rows[Sighting] | Missing = _missing("tcpdump -e -n -i DEV")
    ping_signs: Rows[PingSign] | Missing = _missing("ping -c 3 TARGET")
    trace_hops: Rows[TraceHop] | Missing = _missing("traceroute -n TARGET")
    unread: Rows[Unread] | Missing = _missing("")

    def table(self, kind: type[AnyRow]) -> "Rows[AnyRow] | Missing":
        """The table that holds rows of type ``kind``."""
        found: Rows[AnyRow] | Missing = getattr(self, TABLES[kind])
        return found

    def tables(self) -> "Iterator[tuple[str, Rows[Any] | Missing]]":
        """Every table with its name, in the order of the fields."""
        for name in TABLES.values():
            yield name, getattr(self, name)


TABLES: MappingProxyType[type[Row], str] = MappingProxyType(
    {
        Link: "links",
        Bridge: "bridges",
        BridgePort: "ports",
        Bond: "bonds",
        BondLeg: "bond_legs",
        VlanDevice: "vlan_devices",
        Vxlan: "vxlans",
        Blind: "blinds",
        Fdb: "fdb",
        FdbEvent: "fdb_events",
        EvpnMac: "evpn_macs",
        MacFlap: "mac_flaps",
        PortVlan: "port_vlans",
        Mdb: "mdb",
        RouterPort: "router_ports",
        Address: "addresses",
        Neighbour: "neighbours",
        Route: "routes",
        RouteAnswer: "route_answers",
        Rule: "rules",
        Guest: "guests",
        GuestNic: "guest_nics",
        PacketFilter: "filters",
        FilterChain: "filter_chains",
        FilterRule: "filter_rules",
        FilterSet: "filter_sets",
        NwFilter: "nw_filters",
        NwRule: "nw_rules",
        NwReference: "nw_references",
        NwBinding: "nw_bindings",
        Connection: "connections",
        Sysctl: "sysctls",
        Tunnel: "tunnels",
        WireguardPeer: "wireguard_peers",
        Vrf: "vrfs",
        IpvsService: "ipvs_services",
        IpvsServer: "ipvs_servers",
        IpvsConnection: "ipvs_connections",
        IpvsCount: "ipvs_counts",
        IpvsDaemon: "ipvs_daemons",
        VrrpInstance: "vrrp_instances",
        VrrpEvent: "vrrp_events",
        KernelCounter: "counters",
        CpuShare: "cpu_shares",
        Kernel: "kernels",
        HostIdentity: "identities",
        OwnSource: "own_sources",
        Martian: "martians",
        TunnelLoop: "tunnel_loops",
        PortEvent: "port_events",
        DadEvent: "dad_events",
        NeighbourMessage: "neighbour_messages",
        DhcpMessage: "dhcp_messages",
        BadChecksums: "bad_checksums",
        Lease: "leases",
        Sandbox: "sandboxes",
        HairpinAdvice: "hairpin_advice",
        HairpinMode: "hairpin_modes",
        UnnamedPort: "unnamed_ports",
        LogLine: "log",
        Sighting: "sightings",
        PingSign: "ping_signs",
        TraceHop: "trace_hops",
        Unread: "unread",
    }
)
"""The field of ``Snapshot`` for each row type."""


class Builder:
    """Gathers listings into a snapshot; the only mutable thing here, and it never leaves a source.

    A caller opens a source, parses it with the number it got, and adds what came out.
    """

    def __init__(self, host: str = "", at: int | None = None) -> None:
        self.host = host
        self.at = at
        self.sources: list[Source] = []
        self.problems: list[Problem] = []
        self._rows: dict[str, list[Row]] = {}
        self._extents: dict[str, list[Extent]] = {}
        self._missing: dict[str, Missing] = {}

    def open(self, source: Source) -> int:
        """The number under which rows may now cite ``source``."""
        self.sources.append(source)
        return len(self.sources) - 1

    def add(
        self,
        rows: Iterable[Row],
        problems: Iterable[Problem] = (),
        fills: Iterable[type[Row]] = (),
        extent: Extent | None = None,
    ) -> None:
        """Take a listing's rows; ``extent`` tells what it covered of the tables ``fills``."""
        for row in rows:
            self._rows.setdefault(TABLES[type(row)], []).append(row)
        self.problems.extend(problems)
        if extent is not None:
            for kind in fills:
                self._extents.setdefault(TABLES[kind], []).append(extent)

    def miss(self, kind: type[Row], missing: Missing) -> None:
        """Say why a table could not be read; forgotten if another listing fills it."""
        self._missing[TABLES[kind]] = missing

    def build(self) -> Snapshot:
        """The snapshot of all that was added."""
        names = self._rows.keys() | self._extents.keys()
        tables: dict[str, Any] = dict(self._missing)
        for name in names:
            tables[name] = Rows(tuple(self._rows.get(name, ())), tuple(self._extents.get(name, ())))
        return replace(
            Snapshot(self.host, self.at, tuple(self.sources), tuple(self.problems)), **tables
        )
