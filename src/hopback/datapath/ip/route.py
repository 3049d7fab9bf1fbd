"""Which way a packet goes: the table local, made of the addresses, then the table main.

net/ipv4/fib_frontend.c, fib_trie.c; net/ipv6/ip6_fib.c (Linux 6.12).
"""

from ipaddress import IPv4Address
from typing import Literal

from msgspec import Struct

from hopback.datapath.effects import Blind, Drop, Why
from hopback.datapath.ip.host import Host, Route
from hopback.datapath.skb import Ip
from hopback.network.facts import Ref

_ALL = IPv4Address("255.255.255.255")
_REFUSING = frozenset({"blackhole", "unreachable", "prohibit", "throw"})


class Way(Struct, frozen=True):
    """Up the stack (local, broadcast), or out by ``dev`` to the neighbour ``nexthop``."""

    kind: Literal["local", "broadcast", "out"]
    dev: str
    nexthop: Ip
    refs: tuple[Ref, ...] = ()


def lookup(host: Host, target: Ip) -> Way | Drop | Blind:
    """The way of a packet for ``target`` (fib_lookup, ip6_pol_route_lookup)."""
    own = host.addresses.get(target)
    if own is not None:
        return Way("local", own.dev, target, own.refs)
    if target.is_loopback:
        return Way("local", "lo", target)
    if isinstance(target, IPv4Address):
        heard = _broadcast(host, target)
        if heard is not None:
            return heard
    if host.odd_rules:
        return Blind("policy routing", host.odd_rules)
    route = longest(host, target)
    if route is None or route.kind in _REFUSING:
        return Drop(Why("ip-no-route", route.refs if route else ()))
    if route.kind != "unicast" or route.dev is None or route.ways > 1:
        return Blind("a route of a kind that is not modelled", route.refs)
    return Way("out", route.dev, route.via or target, route.refs)


def longest(host: Host, target: Ip) -> Route | None:
    """The route of the longest prefix, and of equal ones the least metric."""
    return next((r for r in host.routes if r.to.version == target.version and target in r.to), None)


def _broadcast(host: Host, target: IPv4Address) -> Way | None:
    """fib_frontend.c:fib_add_ifaddr enters the last address of each subnet that has one."""
    if target == _ALL:
        return Way("broadcast", "", target)
    for own in host.addresses.values():
        network = own.at.network
        if network.version == 4 and network.prefixlen < 31 and target == network.broadcast_address:
            return Way("broadcast", own.dev, target, own.refs)
    return None
