"""Which next hop of several takes a flow: a hash with a secret seed, so it is asked.

net/ipv4/fib_semantics.c:fib_select_multipath, net/ipv6/route.c:fib6_select_path (Linux 6.18). Each
answer is a world; the hash itself is not computed, and weights only say which answers there are.
"""

from ipaddress import IPv4Address

from hopback.datapath.effects import Ask, Question, World
from hopback.datapath.ip.choose import ROUTED_BY
from hopback.datapath.ip.fib import Hop, Route
from hopback.datapath.ip.host import Host
from hopback.datapath.ip.key import Key


def taking(host: Host, world: World, key: Key, route: Route, hops: tuple[Hop, ...]) -> Hop | Ask:
    """The next hop that the packets of a flow take, always the same one."""
    hops = _by_source(host, key, hops)
    return hops[0] if len(hops) == 1 else asked(host, world, key, route, hops)


def asked(host: Host, world: World, key: Key, route: Route, hops: tuple[Hop, ...]) -> Hop | Ask:
    """One of ``hops``, which the kernel chooses by what no table shows."""
    names = tuple(f"{hop.dev} via {hop.via}" if hop.via else hop.dev for hop in hops)
    flow = f"{key.source} to {key.target}, protocol {key.protocol}"
    if key.source_port or key.target_port:
        flow += f", ports {key.source_port} and {key.target_port}"
    text = f"by which next hop of {route.to} does it send what goes from {flow}?"
    question = Question(host.id, text, tuple(dict.fromkeys(names)), names[0])
    if question not in world:
        return Ask(question)
    return hops[names.index(world[question])]


def defaults(host: Host, key: Key, route: Route) -> tuple[Route, ...]:
    """The default routes among which the host's own packets change (fib_select_default).

    That is by turns, and by how well each gateway is known to answer. ``route`` was found.
    """
    table = host.table(4, route.table) if key.target.version == 4 else None
    free = not (key.iif or key.oif or route.to.prefixlen) and len(route.hops) == 1
    found: list[Route] = []
    tos, metric = 0, route.metric
    for other in table.at(key.target, 0) if table and free else ():
        if other.tos and other.tos != key.tos & ROUTED_BY:
            continue
        if other.metric > metric and other.tos == tos:
            if tos:
                continue
            break
        tos, metric = other.tos, other.metric
        if other.kind != "unicast" or other.hops[0].via is None:
            continue
        if not found and other is not route:
            break
        found.append(other)
    return tuple(found)


def _by_source(host: Host, key: Key, hops: tuple[Hop, ...]) -> tuple[Hop, ...]:
    """Since 6.16 the host's own packets go by a hop whose address they have, if there is one.

    Which address a hop has is clear where its device has one only; a device without borrows one.
    """
    if key.iif or not isinstance(key.source, IPv4Address) or not host.kernel.multipath_by_source:
        return hops
    own = {hop: _addresses(host, hop.dev) for hop in hops}
    if not any(found == {key.source} for found in own.values()):
        return hops
    return tuple(hop for hop in hops if not own[hop] or key.source in own[hop])


def _addresses(host: Host, dev: str) -> set[IPv4Address]:
    return {
        address
        for address, own in host.addresses.items()
        if own.dev == dev and isinstance(address, IPv4Address)
    }
