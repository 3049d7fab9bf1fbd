"""Whether answers of masqueraded servers come back through the director, which translates them."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, ip_address

from hopback.checks.case import Case
from hopback.checks.clients import Ip
from hopback.checks.directors import Server, Service
from hopback.checks.words import named
from hopback.findings import Confidence
from hopback.network.facts import DevId, Ref
from hopback.snapshot.rows import Nat, Route

Return = tuple[str, Server, tuple[Ref, ...], Confidence]

_USUAL_SUBNET = 24


def returns(case: Case, service: Service) -> Iterator[Return]:
    """The servers whose answers go past the director, with the rows that say so."""
    for server in service.servers:
        if server.method != "masq" or case.directors.is_own(service, server):
            continue
        found = _elsewhere(case, service, server) or _beside(case, service, server)
        if found is not None and not _translates_sources(case, service.where):
            yield found
            return


def _translates_sources(case: Case, where: DevId) -> bool:
    """With the director's address as source the answer comes to it, wherever the server is."""
    snapshot = case.network.snapshots[where.host]
    rewritten = any(
        isinstance(step, Nat) and step.kind in ("snat", "masquerade")
        for rule in snapshot.filter_rules.rows
        if rule.netns == where.netns
        for step in rule.steps
    )
    kube = any(row.name == "kube-ipvs0" for row in snapshot.links.rows)
    return rewritten or kube or any(row.dev == "kube-ipvs0" for row in snapshot.addresses.rows)


def _elsewhere(case: Case, service: Service, server: Server) -> Return | None:
    """The server's default route leads to somebody else."""
    owner = case.directors.owner(server.address)
    if owner is None:
        return None
    there, refs = owner
    snapshot = case.network.snapshots[there.host]
    route = next((r for r in snapshot.routes.rows if _is_default(r, there, service.key[1])), None)
    via = route.hops[0].via if route and route.hops else None
    if route is None or via is None or not _is_known(case, service.where):
        return None
    holders = case.directors.holders.get(via, ())
    if any(holder.dev[:2] == service.where[:2] for holder in holders):
        return None
    text = (
        f"{named(there.host)} answers by way of {via}, and not of {named(service.where.host)},"
        " which has to put the virtual address back"
    )
    return text, server, (*refs, Ref(there.host, route.cite)), "likely"


def _is_default(row: Route, where: DevId, family: int) -> bool:
    here = (row.netns, row.family, row.table) == (where.netns, family, "main")
    return here and row.destination == "default" and row.kind == "unicast"


def _is_known(case: Case, where: DevId) -> bool:
    return case.network.snapshots[where.host].addresses.complete(where.netns)


def _beside(case: Case, service: Service, server: Server) -> Return | None:
    """Clients may be in the server's own subnet: it answers them straight."""
    try:
        virtual, address = ip_address(service.key[2]), ip_address(server.address)
    except ValueError:
        return None
    if virtual.version != address.version:
        return None
    subnets = case.directors.subnets(service.where, address.version).values()
    shared = next((s for s in subnets if virtual in s.network and address in s.network), None)
    if shared is None and (_is_known(case, service.where) or not _looks_near(virtual, address)):
        return None
    text = (
        f"clients in the subnet of {service.key[2]} are answered by {server.address} itself, past"
        " the director, with an address that they did not ask"
    )
    return text, server, (shared.ref,) if shared else (), "possible"


def _looks_near(one: Ip, other: Ip) -> bool:
    """Whether both would be in a subnet of the usual size; of IPv6 nobody can tell."""
    return isinstance(one, IPv4Address) and other in IPv4Network((one, _USUAL_SUBNET), strict=False)
