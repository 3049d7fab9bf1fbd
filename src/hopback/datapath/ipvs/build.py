"""The directors that the tables show.

What keepalived is configured to do stands for the kernel's table only where nobody listed that.
"""

from collections.abc import Collection, Iterator, Mapping
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import TypeVar

from hopback.datapath.ipvs.state import (
    PROTOCOLS,
    Director,
    Known,
    Server,
    Service,
    Template,
    answers_to,
    behind,
)
from hopback.datapath.kernel import Behaviour, behaviour_of
from hopback.datapath.skb import Tuple
from hopback.network.directing import Key, key_of, server_key_of, together
from hopback.network.facts import DevId, Fact, Ref
from hopback.network.model import Network
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import IpvsConnection, IpvsCount, IpvsServer, IpvsService
from hopback.snapshot.table import Missing, Rows

_SETTING = "net.ipv4.vs."
_PORT_MAX = 0xFFFF
_R = TypeVar("_R", IpvsService, IpvsServer)


def directors_of(network: Network) -> Mapping[tuple[str, str], Director]:
    """The namespaces that some row shows to have IPVS, by host and namespace."""
    found: dict[tuple[str, str], Director] = {}
    for host, snapshot in network.snapshots.items():
        kernel = behaviour_of(network.release(host))
        rows = (
            *snapshot.ipvs_services.rows,
            *snapshot.ipvs_connections.rows,
            *snapshot.ipvs_counts.rows,
            *snapshot.ipvs_daemons.rows,
        )
        for netns in dict.fromkeys(row.netns for row in rows):
            found[host, netns] = _director(snapshot, netns, kernel)
    return MappingProxyType(found)


def _director(snapshot: Snapshot, netns: str, kernel: Behaviour) -> Director:
    daemons = snapshot.ipvs_daemons
    backups = [r for r in daemons.rows if r.netns == netns and r.state == "backup"]
    connections, templates = _connections(snapshot, netns)
    told = tuple(_services(snapshot, netns))
    services = tuple(service for service in told if service is not None)
    return Director(
        id=DevId(snapshot.host, netns, ""),
        by_virtual=MappingProxyType({service.virtual: service for service in services}),
        behind=behind(services),
        complete=snapshot.ipvs_services.complete(netns) and len(services) == len(told),
        connections=MappingProxyType(connections),
        templates=MappingProxyType(templates),
        answers=answers_to(connections),
        followed=snapshot.ipvs_connections.complete(netns),
        settings=MappingProxyType(_settings(snapshot, netns)),
        backup=tuple(Ref(snapshot.host, row.cite) for row in backups) if backups else None,
        daemons=daemons.complete(netns),
        kernel=kernel,
    )


def _settings(snapshot: Snapshot, netns: str) -> dict[str, Fact[int]]:
    return {
        row.key.removeprefix(_SETTING): Fact(int(row.value), (Ref(snapshot.host, row.cite),))
        for row in snapshot.sysctls.rows
        if row.netns == netns and row.key.startswith(_SETTING) and row.value.isdecimal()
    }


def _services(snapshot: Snapshot, netns: str) -> Iterator[Service | None]:
    """Those that were listed; of those that were only counted nobody knows who serves.

    None is for one that was listed by a name, or with what IPVS does not take.
    """
    servers: dict[Key, list[IpvsServer]] = {}
    table = snapshot.ipvs_servers
    for server in together(_said(table, netns), server_key_of).values():
        if not server.sorry:  # keepalived enters it where no other is left
            servers.setdefault(key_of(server), []).append(server)
    rows = together(_said(snapshot.ipvs_services, netns), key_of)
    for key, row in rows.items():
        whole = table.complete(netns)
        yield _service(snapshot.host, row, servers.get(key, ()), complete=whole)
    for counted in snapshot.ipvs_counts.rows:
        if counted.netns == netns and not counted.server and key_of(counted) not in rows:
            service = _service(snapshot.host, _only_counted(counted), (), complete=False)
            if service is not None:  # counted by a name, it may be any of those above
                yield service


def _only_counted(row: IpvsCount) -> IpvsService:
    return IpvsService(
        cite=row.cite,
        netns=row.netns,
        protocol=row.protocol,
        family=row.family,
        address=row.address,
        port=row.port,
        mark=row.mark,
    )


def _said(table: Rows[_R] | Missing, netns: str) -> list[_R]:
    """The rows that count: a plan does not where the table was listed."""
    rows = [row for row in table.rows if row.netns == netns]
    plans = {row.cite.source for row in rows if row.configured}
    listed = any(e.netns == netns and e.source not in plans for e in table.extents)
    return [row for row in rows if not (row.configured and listed)]


def _service(
    host: str, row: IpvsService, rows: Collection[IpvsServer], *, complete: bool
) -> Service | None:
    try:
        address = None if row.protocol == "fwmark" else ip_address(row.address)
        client = _mask(row) if row.persistent or "persistent" in row.flags else None
    except ValueError:
        return None
    family = row.family if address is None else address.version
    servers = tuple(_server(host, server) for server in rows if _may_serve(server, family))
    return Service(
        protocol=row.protocol,
        family=family,
        address=address,
        port=row.port,
        mark=row.mark,
        scheduler=row.scheduler,
        client=client,
        flags=frozenset(row.flags),
        servers=servers,
        complete=complete and len(servers) == len(rows),
        refs=(Ref(host, row.cite),),
    )


def _mask(row: IpvsService) -> int:
    """The prefix length of the netmask of persistence: all of an address where none was given."""
    whole = {4: 32, 6: 128}[row.family]
    if row.netmask is None:
        return whole
    length = row.netmask
    if not length.isdecimal():
        return ip_network(f"0.0.0.0/{length}").prefixlen
    if int(length) > whole:
        raise ValueError(f"a mask of {length} bits")
    return int(length)


def _may_serve(row: IpvsServer, family: int) -> bool:
    """Whether IPVS takes such a server: one of the other family is behind a tunnel alone.

    ip_vs_ctl.c:ip_vs_genl_set_cmd
    """
    if not _is_address(row.server) or (row.tunnel_port or 0) > _PORT_MAX:
        return False
    return row.method == "tunnel" or ip_address(row.server).version == family


def _server(host: str, row: IpvsServer) -> Server:
    return Server(
        address=ip_address(row.server),
        port=row.server_port,
        method=row.method,
        weight=row.weight,
        tunnel=row.tunnel or "ipip",
        tunnel_port=row.tunnel_port or 0,
        active=row.active,
        inactive=row.inactive,
        upper=row.upper,
        refs=(Ref(host, row.cite),),
    )


def _connections(
    snapshot: Snapshot, netns: str
) -> tuple[dict[Tuple, Known], dict[Template, Known]]:
    """The entries by what packets have, and those of persistence; later listings are newer."""
    known: dict[Tuple, Known] = {}
    templates: dict[Template, Known] = {}
    for row in snapshot.ipvs_connections.rows:
        if row.netns != netns or not (_is_address(row.client) and _is_address(row.server)):
            continue
        refs = (Ref(snapshot.host, row.cite),)
        entry = Known(ip_address(row.server), row.server_port, row.state, refs=refs)
        protocol = PROTOCOLS.get(row.protocol.lower(), 0)
        if row.client_port == 0:
            templates[_template(row, protocol)] = entry
        elif _is_address(row.virtual):
            known[_tuple(row, protocol)] = entry
    return known, templates


def _tuple(row: IpvsConnection, protocol: int) -> Tuple:
    client, virtual = ip_address(row.client), ip_address(row.virtual)
    return Tuple(protocol, client, virtual, row.client_port, row.virtual_port)


def _template(row: IpvsConnection, protocol: int) -> Template:
    virtual = str(ip_address(row.virtual)) if _is_address(row.virtual) else row.virtual
    return Template(protocol, ip_address(row.client), virtual, row.virtual_port)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
