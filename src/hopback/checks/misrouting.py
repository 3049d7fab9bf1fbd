"""Why what IPVS sends gets no proper answer, told by the rows of the director and its servers."""

from collections.abc import Iterator
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Literal, NamedTuple

from hopback.checks.case import Case
from hopback.checks.directors import Server, Service
from hopback.checks.return_path import returns
from hopback.checks.words import joined, named
from hopback.findings import Confidence
from hopback.network.facts import Ref
from hopback.network.identifiers import canonical
from hopback.snapshot.model import Snapshot

Reason = Literal["segment", "return-path", "weight", "gone-server", "port", "mark", "not-local"]

_PAST = frozenset({"TIME_WAIT", "CLOSE", "CLOSE_WAIT", "FIN_WAIT", "LAST_ACK"})


class Misroute(NamedTuple):
    """What is wrong with a service, and the rows that tell, besides the service's own."""

    reason: Reason
    text: str
    servers: tuple[Server, ...] = ()
    refs: tuple[Ref, ...] = ()
    confidence: Confidence = "likely"


def misroutes(case: Case, service: Service) -> Iterator[Misroute]:
    """All that is wrong with a service."""
    yield from _segment(case, service)
    for text, server, refs, confidence in returns(case, service):
        yield Misroute("return-path", text, (server,), refs, confidence)
    yield from _weight(service)
    yield from _gone(case, service)
    yield from _port(service)
    yield from _mark(case, service)
    yield from _not_local(case, service)


def _segment(case: Case, service: Service) -> Iterator[Misroute]:
    """DR rewrites the MAC alone: the server has to be on a segment of the director's."""
    snapshot = case.network.snapshots[service.where.host]
    far: list[Server] = []
    shown = snapshot.addresses.complete(service.where.netns)
    for server in service.servers:
        if server.method != "route" or case.directors.is_own(service, server):
            continue
        if _is_far(case, service, server) if shown else _looks_far(service, server):
            far.append(server)
    if far:
        names = joined([server.row.server for server in far])
        here = f"a segment of {named(service.where.host)}'s"
        text = (
            f"{names} {'is' if len(far) == 1 else 'are'} not on {here}, and DR reaches nobody else"
        )
        if not shown:
            text = f"{names} can hardly be on one segment with {service.key[2]}, as DR needs it"
        yield Misroute("segment", text, tuple(far), (), "likely" if shown else "possible")


def _is_far(case: Case, service: Service, server: Server) -> bool:
    try:
        address = ip_address(server.address)
    except ValueError:
        return False
    near = case.directors.subnets(service.where, address.version).values()
    if any(address in subnet.network for subnet in near):
        return False
    for row in case.network.snapshots[service.where.host].routes.rows:
        linked = row.kind == "unicast" and all(hop.via is None for hop in row.hops)
        if row.netns == service.where.netns and linked and row.destination != "default":
            network = ip_network(row.destination, strict=False)
            if network.version == address.version and address in network:
                return False
    return True


def _looks_far(service: Service, server: Server) -> bool:
    """Without the director's addresses: two IPv4 addresses that not even share their first half."""
    try:
        one, other = IPv4Address(service.key[2]), IPv4Address(server.address)
    except ValueError:
        return False
    return int(one) >> 16 != int(other) >> 16


def _weight(service: Service) -> Iterator[Misroute]:
    """ip_vs_schedule: a server of weight 0 gets no new connection."""
    if service.servers and all(server.row.weight == 0 for server in service.servers):
        text = "every real server has weight 0, so new connections get none"
        yield Misroute("weight", text, service.servers)


def _gone(case: Case, service: Service) -> Iterator[Misroute]:
    """ip_vs_in_hook: packets of a connection whose server was removed are dropped in silence."""
    snapshot = case.network.snapshots[service.where.host]
    if service.row.protocol == "fwmark" or not _servers_shown(snapshot, service):
        return
    known = {server.address for server in service.servers}
    for row in case.directors.connections(service):
        gone = canonical(row.server) not in known and row.state not in _PAST
        if gone and not _starts_anew(snapshot, service):
            kind = "a template of persistence" if not row.client_port else "a connection"
            text = f"{kind} of {row.client} still leads to {row.server}, which was removed"
            yield Misroute("gone-server", text, (), (Ref(snapshot.host, row.cite),))
            return


def _servers_shown(snapshot: Snapshot, service: Service) -> bool:
    told = snapshot.ipvs_servers.complete(service.where.netns)
    return told and not service.row.configured


def _starts_anew(snapshot: Snapshot, service: Service) -> bool:
    """expire_nodest_conn: the client is given another server."""
    return any(
        row.key == "net.ipv4.vs.expire_nodest_conn" and row.value != "0"
        for row in snapshot.sysctls.rows
        if row.netns == service.where.netns
    )


def _port(service: Service) -> Iterator[Misroute]:
    """ip_vs_dr_xmit, ip_vs_tunnel_xmit: ports stay as they are."""
    if service.row.protocol == "fwmark" or not service.row.port:
        return
    other = tuple(
        server
        for server in service.servers
        if server.method in ("route", "tunnel")
        and server.row.server_port not in (0, service.row.port)
    )
    if other:
        ports = joined([f"{s.row.server}:{s.row.server_port}" for s in other])
        text = f"DR and TUN leave the port as it is: {ports} gets packets for {service.row.port}"
        yield Misroute("port", text, other)


def _mark(case: Case, service: Service) -> Iterator[Misroute]:
    """A service of a mark that no rule sets gets nothing."""
    if service.row.protocol != "fwmark":
        return
    rules = [
        m for m in case.directors.markings[service.where.host] if m.netns == service.where.netns
    ]
    if rules and not case.directors.rules_for(service):
        marks = joined([str(mark) for mark in sorted({rule.mark for rule in rules})])
        text = f"the rules that were shown set mark {marks}, and none sets {service.row.mark}"
        yield Misroute("mark", text, (), tuple(rule.ref for rule in rules))


def _not_local(case: Case, service: Service) -> Iterator[Misroute]:
    """ip_vs_in_hook is called for what is for the host itself."""
    snapshot = case.network.snapshots[service.where.host]
    address, netns = service.key[2], service.where.netns
    if service.row.protocol == "fwmark" or not snapshot.addresses.complete(netns):
        return
    if address in case.directors.holders:
        return
    local = any(
        r.kind == "local" and canonical(r.destination.partition("/")[0]) == address
        for r in snapshot.routes.rows
        if r.netns == netns
    )
    backup = any(address in row.addresses for row in snapshot.vrrp_instances.rows)
    if not local and not backup:
        text = f"{address} is no address of {named(service.where.host)}: its packets pass IPVS by"
        yield Misroute("not-local", f"{text}, unless it is a backup now", (), (), "possible")
