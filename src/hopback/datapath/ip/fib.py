"""Routing tables: routes by their prefixes (net/ipv4/fib_trie.c, net/ipv6/ip6_fib.c; 6.12)."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from hopback.datapath.skb import Ip
from hopback.network.facts import Ref

Family = Literal[4, 6]
Prefix = IPv4Network | IPv6Network

REFUSING: Mapping[str, str] = MappingProxyType(
    {
        "unreachable": "ip-unreachable",
        "prohibit": "ip-prohibit",
        "blackhole": "ip-blackhole",
    }
)
"""The kinds of routes, and actions of policy rules, that drop a packet: by which rule."""

LEADING_NOWHERE = frozenset({*REFUSING, "throw"})


class Hop(Struct, frozen=True):
    """A next hop: out by ``dev``, to ``via`` or else to the destination itself.

    ``dead``: the device is down. ``linkdown``: it has no carrier.
    """

    dev: str
    via: Ip | None = None
    weight: int = 1
    dead: bool = False
    linkdown: bool = False


class Route(Struct, frozen=True):
    """A route of ``table``. One that leads nowhere (``REFUSING``, throw) has no hops.

    ``tos`` 0 is for every packet. ``origin``: the sources that it is for (``from``, IPv6 only).
    ``preference`` is that of IPv6 router advertisements: 0 low, 1 medium, 3 high as the kernel
    ranks them. ``source`` is the address that the host's own packets get.
    """

    to: Prefix
    kind: str = "unicast"
    hops: tuple[Hop, ...] = ()
    metric: int = 0
    table: str = "main"
    tos: int = 0
    origin: Prefix | None = None
    preference: int = 1
    source: Ip | None = None
    refs: tuple[Ref, ...] = ()


class Table(Struct, frozen=True):
    """A table: by length and network of a prefix, its routes in the order of the lookup."""

    by_length: Mapping[int, Mapping[int, tuple[Route, ...]]] = MappingProxyType({})

    def at(self, target: Ip, length: int) -> tuple[Route, ...]:
        """The routes whose prefix of ``length`` has the target."""
        bits = target.max_prefixlen - length
        return self.by_length.get(length, {}).get(int(target) >> bits << bits, ())


def table_of(routes: Iterable[Route]) -> Table:
    """The table of ``routes``: of equal prefixes the larger TOS is first, then the least metric.

    fib_trie.c:fib_find_alias, ip6_fib.c:fib6_add_rt2node. Of equal ones the first listed is first.
    """
    found: dict[int, dict[int, tuple[Route, ...]]] = {}
    for route in sorted(routes, key=lambda r: (-r.tos, r.metric)):
        same = found.setdefault(route.to.prefixlen, {})
        number = int(route.to.network_address)
        same[number] = (*same.get(number, ()), route)
    lengths = sorted(found, reverse=True)
    return Table(MappingProxyType({length: MappingProxyType(found[length]) for length in lengths}))


def covering(tables: Iterable[Table], target: Ip) -> Iterator[tuple[Route, ...]]:
    """The routes to ``target``, those of one table and prefix together: the longest first."""
    given = tuple(tables)
    for length in sorted({n for table in given for n in table.by_length}, reverse=True):
        for table in given:
            routes = table.at(target, length)
            if routes:
                yield routes
