"""The directors that the tables show.

What keepalived is configured to do stands for the kernel's table only where nobody listed that.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import TypeVar

from msgspec.structs import replace

from hopback.datapath.ipvs.state import (
    PROTOCOLS,
    Director,
    Known,
    Server,
    Service,
    Template,
    answers_to,
)
from hopback.datapath.kernel import behaviour_of
from hopback.datapath.skb import Tuple
from hopback.network.facts import DevId, Fact, Ref
from hopback.network.model import Network
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import IpvsConnection, IpvsCount, IpvsServer, IpvsService
from hopback.snapshot.table import Missing, Rows

_SETTING = "net.ipv4.vs."
_Key = tuple[object, ...]
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
            found[host, netns] = replace(_director(snapshot, netns), kernel=kernel)
    return MappingProxyType(found)


def _director(snapshot: Snapshot, netns: str) -> Director:
    daemons = snapshot.ipvs_daemons
    backups = [r for r in daemons.rows if r.netns == netns and r.state == "backup"]
    connections, templates = _connections(snapshot, netns)
    return Director(
        id=DevId(snapshot.host, netns, ""),
        by_virtual=MappingProxyType({s.virtual: s for s in _services(snapshot, netns)}),
        complete=snapshot.ipvs_services.complete(netns),
        connections=MappingProxyType(connections),
        templates=MappingProxyType(templates),
        answers=answers_to(connections),
        followed=snapshot.ipvs_connections.complete(netns),
        settings=MappingProxyType(_settings(snapshot, netns)),
        backup=tuple(Ref(snapshot.host, row.cite) for row in backups) if backups else None,
        daemons=daemons.complete(netns),
    )


def _settings(snapshot: Snapshot, netns: str) -> dict[str, Fact[int]]:
    return {
        row.key.removeprefix(_SETTING): Fact(int(row.value), (Ref(snapshot.host, row.cite),))
        for row in snapshot.sysctls.rows
        if row.netns == netns and row.key.startswith(_SETTING) and row.value.isdecimal()
    }


def _services(snapshot: Snapshot, netns: str) -> Iterator[Service]:
    """Those that were listed; of those that were only counted nobody knows who serves."""
    servers: dict[_Key, list[IpvsServer]] = {}
    table = snapshot.ipvs_servers
    for server in _said(table, netns, lambda row: (*_service_key(row), *_server_key(row))):
        if not server.sorry:  # keepalived enters it where no other is left
            servers.setdefault(_service_key(server), []).append(server)
    rows = {_service_key(r): r for r in _said(snapshot.ipvs_services, netns, _service_key)}
    for key, row in rows.items():
        with suppress(ValueError):
            whole = table.complete(netns)
            yield _service(snapshot.host, row, servers.get(key, ()), complete=whole)
    for counted in snapshot.ipvs_counts.rows:
        if counted.netns == netns and not counted.server and _service_key(counted) not in rows:
            with suppress(ValueError):
                yield _service(snapshot.host, _only_counted(counted), (), complete=False)


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


def _service_key(row: IpvsService | IpvsServer | IpvsCount) -> _Key:
    address = ip_address(row.address) if _is_address(row.address) else row.address
    return row.protocol, row.family, address, row.port, row.mark


def _server_key(row: IpvsServer) -> _Key:
    return row.server, row.server_port


def _said(table: Rows[_R] | Missing, netns: str, key: Callable[[_R], _Key]) -> Iterable[_R]:
    """The rows that count, each thing once: a later listing is newer, and may say less."""
    rows = [row for row in table.rows if row.netns == netns]
    plans = {row.cite.source for row in rows if row.configured}
    listed = any(e.netns == netns and e.source not in plans for e in table.extents)
    found: dict[_Key, _R] = {}
    for row in rows:
        if row.configured and listed:
            continue
        before = found.get(key(row))
        found[key(row)] = row if before is None else _completed(row, before)
    return found.values()


def _completed(row: _R, before: _R) -> _R:
    missing = {
        name: value
        for name in row.__struct_fields__
        if getattr(row, name) is None and (value := getattr(before, name)) is not None
    }
    return replace(row, **missing)


def _service(
    host: str, row: IpvsService, servers: Iterable[IpvsServer], *, complete: bool
) -> Service:
    address = None if row.protocol == "fwmark" else ip_address(row.address)
    return Service(
        protocol=row.protocol,
        family=row.family if address is None else address.version,
        address=address,
        port=row.port,
        mark=row.mark,
        scheduler=row.scheduler,
        client=_mask(row) if row.persistent or "persistent" in row.flags else None,
        flags=frozenset(row.flags),
        servers=tuple(_server(host, server) for server in servers if _is_address(server.server)),
        complete=complete,
        refs=(Ref(host, row.cite),),
    )


def _mask(row: IpvsService) -> int:
    """The prefix length of the netmask of persistence: all of an address where none was given."""
    whole = {4: 32, 6: 128}[row.family]
    if row.netmask is None:
        return whole
    if row.netmask.isdecimal():
        return int(row.netmask)
    return ip_network(f"0.0.0.0/{row.netmask}").prefixlen


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
