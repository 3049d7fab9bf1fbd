"""The route that one table has for a packet, and the next hops that it may take.

net/ipv4/fib_trie.c:fib_table_lookup; net/ipv6/route.c:fib6_table_lookup (Linux 6.12).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from hopback.datapath.effects import Blind
from hopback.datapath.ip.fib import LEADING_NOWHERE, Family, Hop, Route, Table, covering
from hopback.datapath.ip.key import Key
from hopback.datapath.ip.settings import Settings, is_on, of_both, of_device
from hopback.datapath.skb import Ip
from hopback.network.facts import Ref

ROUTED_BY = 0x1C
"""The bits of the TOS that a route of IPv4 is chosen by (fib_dscp_masked_match)."""

Failed = Mapping[tuple[str, Ip], tuple[Ref, ...]]


class Chosen(NamedTuple):
    """A route and those of its next hops that may take the packet; ``refs`` ruled out others."""

    route: Route
    hops: tuple[Hop, ...] = ()
    refs: tuple[Ref, ...] = ()


def choose4(tables: Iterable[Table], key: Key, oif: str, settings: Settings) -> Chosen | None:
    """The route of IPv4, out by the device ``oif`` if the packet is bound to one."""
    for routes in covering(tables, key.target):
        for route in routes:
            if route.tos and route.tos != key.tos & ROUTED_BY:
                continue
            if route.kind in LEADING_NOWHERE:
                return Chosen(route)
            hops = [hop for hop in route.hops if _lives(hop, 4, settings)]
            if oif:
                hops = [hop for hop in hops if hop.dev == oif][:1]
            if hops:
                return Chosen(route, tuple(hops))
    return None


def choose6(
    table: Table, key: Key, dev: str, settings: Settings, failed: Failed = MappingProxyType({})
) -> Chosen | Blind | None:
    """The route of IPv6. ``dev`` is the device by which the packet came in or is to go out.

    ``failed``: neighbours that do not answer, by which a host that is no router does not go while
    there is another way.
    """
    strict = bool(key.oif and not key.iif) or is_scoped(key.target)
    for routes in covering((table,), key.target):
        if any(route.origin for route in routes):
            return Blind("routes that go by the source (from)", routes[0].refs)
        found = _best(routes, dev, strict=strict, settings=settings, failed=failed)
        if found is not None:
            return found
    return None


def is_scoped(target: Ip) -> bool:
    """Whether an address means something on one device only (rt6_need_strict)."""
    return target.is_link_local or target.is_multicast or target.is_loopback


def _best(
    routes: Sequence[Route], dev: str, *, strict: bool, settings: Settings, failed: Failed
) -> Chosen | None:
    """find_rr_leaf: the best of those of the least metric, else of all others."""
    least = [route for route in routes if route.metric == routes[0].metric]
    for group in (least, [route for route in routes if route.metric != routes[0].metric]):
        scored = [
            (score, route, hop)
            for route in group
            for hop in route.hops or (Hop("lo"),)
            if (score := _score(route, hop, dev, strict=strict, settings=settings)) is not None
        ]
        usable = [each for each in scored if (each[2].dev, each[2].via) not in failed]
        if usable:
            _, route, hop = max(usable, key=lambda each: each[0])
            return Chosen(route, tuple(_siblings(route, hop, usable)))
    return None


def _siblings(route: Route, best: Hop, usable: Iterable[tuple[int, Route, Hop]]) -> Iterator[Hop]:
    """fib6_select_path: the hop that was found, and those of the same route that may do."""
    if route.hops:
        yield best
        yield from (hop for _, other, hop in usable if other is route and hop is not best)


def _score(route: Route, hop: Hop, dev: str, *, strict: bool, settings: Settings) -> int | None:
    """rt6_score_route: the preference first, then whether it is by the device in question."""
    if not _lives(hop, 6, settings):
        return None
    here = not dev or hop.dev == dev
    if strict and not here:
        return None
    return 2 * route.preference + here


def _lives(hop: Hop, family: Family, settings: Settings) -> bool:
    """Not dead, nor without carrier where that counts (fib_lookup_good_nhc, find_match)."""
    if hop.dead or not hop.linkdown:
        return not hop.dead
    name = "ignore_routes_with_linkdown"
    if family == 6:
        return not is_on(of_device(settings, 6, hop.dev, name))
    return not any(map(is_on, of_both(settings, 4, hop.dev, name)))
