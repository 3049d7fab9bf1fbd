"""The table local, made of the addresses where nobody listed it.

net/ipv4/fib_frontend.c:fib_add_ifaddr; net/ipv6/addrconf.c, anycast.c (Linux 6.12).
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_network

from msgspec import Struct

from hopback.datapath.ip.fib import Family, Hop, Prefix, Route
from hopback.datapath.ip.settings import Settings, of_both
from hopback.datapath.skb import Ip
from hopback.network.facts import Ref, merge_refs

LOOPBACK = "lo"
_LOOPBACKS: Mapping[Family, Prefix] = {4: ip_network("127.0.0.0/8"), 6: ip_network("::1/128")}
_JOINED_FROM = 127  # a shorter prefix has a subnet-router anycast address (RFC 6164)


class Own(Struct, frozen=True):
    """An address of the device ``dev`` of the host itself; scope and flags as iproute2 has them."""

    dev: str
    at: IPv4Interface | IPv6Interface
    refs: tuple[Ref, ...] = ()
    scope: str = "global"
    flags: frozenset[str] = frozenset()


def local_routes(owns: Iterable[Own], family: Family, settings: Settings) -> Iterator[Route]:
    """The routes that the kernel enters for addresses of one family."""
    loopback = (Hop(LOOPBACK),)
    yield Route(_LOOPBACKS[family], "local", loopback, table="local")
    for own in owns:
        if own.at.version != family:
            continue
        yield _entered(own, own.at.ip, "local")
        if isinstance(own.at, IPv6Interface):
            yield from _anycast(own, settings)
        elif own.dev == LOOPBACK:
            yield Route(own.at.network, "local", loopback, table="local", refs=own.refs)
        elif own.at.network.prefixlen < 31:
            yield _entered(own, own.at.network.broadcast_address, "broadcast")


def _entered(own: Own, address: Ip, kind: str, refs: tuple[Ref, ...] = ()) -> Route:
    to = ip_network(address)
    told = merge_refs(own.refs, refs)
    return Route(to, kind, (Hop(own.dev),), table="local", source=own.at.ip, refs=told)


def _anycast(own: Own, settings: Settings) -> Iterator[Route]:
    """addrconf_join_anycast: a router has the lowest address of each of its subnets, too."""
    of_all, of_own = of_both(settings, 6, own.dev, "forwarding")
    told = of_own or of_all
    network = own.at.network
    if told is not None and told.value and network.prefixlen < _JOINED_FROM:
        yield _entered(own, network.network_address, "anycast", told.refs)
