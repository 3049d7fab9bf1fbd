"""Which of its addresses a host puts into a packet of its own as the source.

net/ipv4/devinet.c:inet_select_addr; net/ipv6/addrconf.c:ipv6_dev_get_saddr (RFC 6724), by the
default table of labels (Linux 6.12).
"""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network
from types import MappingProxyType
from typing import NamedTuple

from hopback.datapath.ip.host import Host, Own
from hopback.datapath.ip.route import Way
from hopback.datapath.ip.settings import is_on, of_both, of_device
from hopback.datapath.skb import Ip
from hopback.network.facts import Ref

_SCOPES: Mapping[str, int] = MappingProxyType({"global": 0, "site": 200, "link": 253, "host": 254})
_LINK, _HOST = _SCOPES["link"], _SCOPES["host"]

_LABELS: Sequence[tuple[IPv6Network, int]] = tuple(
    (IPv6Network(prefix), label)
    for prefix, label in (
        ("::1/128", 0),
        ("::/96", 3),
        ("::ffff:0:0/96", 4),
        ("2001::/32", 6),
        ("2001:10::/28", 7),
        ("3ffe::/16", 12),
        ("2002::/16", 2),
        ("fec0::/10", 11),
        ("fc00::/7", 5),
        ("::/0", 1),
    )
)
"""net/ipv6/addrlabel.c, the longest prefix first."""

_ORCHID = IPv6Network("2001:10::/28")
_SITE = IPv6Network("fec0::/10")
_ALWAYS = (ip_network("::ffff:0:0/96"), ip_network("::/96"))
"""Addresses that no lifetime makes less preferred (ipv6_saddr_preferred)."""


class Source(NamedTuple):
    """An address of the host's own, and the rows that have it chosen."""

    address: Ip
    refs: tuple[Ref, ...] = ()


def source_of(host: Host, way: Way, target: Ip) -> Source | None:
    """The source of a packet for ``target`` that has none yet, by the ``way`` that it goes.

    That which the route gives (``src``), else one of the host's addresses
    (fib_semantics.c:fib_select_path; ip6_route.h:ip6_route_get_saddr).
    """
    if way.source is not None:
        return Source(way.source)
    if isinstance(target, IPv6Address):
        own = source6(host, way.dev, target)
    else:
        own = source4(host, way.dev, None if way.nexthop == target else way.nexthop)
    return Source(own.at.ip, own.refs) if own else None


def source4(host: Host, dev: str, gateway: Ip | None, *, inbound: bool = False) -> Own | None:
    """The address for packets by ``dev``, whose route may go by a ``gateway``.

    One in the gateway's subnet, else the device's first, else another device's. A gateway makes the
    route's scope global, and those of a smaller scope do not do. ``inbound``: the device is that by
    which the packet came in, and ``gateway`` who sent it.
    """
    scope = 0 if gateway is not None and not inbound else _LINK
    own = [o for o in _primaries(host) if o.dev == dev]
    localnet = of_both(host.settings, 4, dev, "route_localnet")
    most = _LINK if any(map(is_on, localnet)) else _HOST
    usable = [o for o in own if min(_scope(o), most) <= scope]
    near = (o for o in usable if gateway is not None and gateway in o.at.network)
    found = next(near, usable[0] if usable else None)
    return found or _elsewhere(host, dev, scope)


def _elsewhere(host: Host, dev: str, scope: int) -> Own | None:
    """Of the VRF device, else of any device of the same VRF; never one of the link's scope."""
    vrf = host.vrfs.get(dev)
    primaries = [o for o in _primaries(host) if _scope(o) != _LINK and _scope(o) <= scope]
    first = [o for o in primaries if vrf is not None and o.dev == vrf.dev]
    rest = (o for o in primaries if _domain(host, o.dev) == _domain(host, dev))
    return first[0] if first else next(rest, None)


def _primaries(host: Host) -> Iterable[Own]:
    return (o for o in host.owns if o.at.version == 4 and "secondary" not in o.flags)


def _scope(own: Own) -> int:
    return int(own.scope) if own.scope.isdecimal() else _SCOPES.get(own.scope, 0)


def _domain(host: Host, dev: str) -> str:
    vrf = host.vrfs.get(dev)
    return vrf.dev if vrf is not None and vrf.dev != dev else ""


class _Score(NamedTuple):
    """The rules of RFC 6724 in the kernel's order; the larger is the better."""

    same: bool
    scope: int
    preferred: bool
    outgoing: bool
    label: bool
    public: bool
    orchid: bool
    prefix: int
    not_optimistic: bool


def source6(host: Host, dev: str, target: IPv6Address) -> Own | None:
    """The address for packets to ``target`` by ``dev``. Of equal ones the first listed."""
    only = is_on(of_device(host.settings, 6, dev, "use_oif_addrs_only"))
    near = target.is_multicast or _scope6(target) <= 2 or only
    owns = [o for o in host.owns if o.at.version == 6 and (o.dev == dev or not near)]
    vrf = host.vrfs.get(dev)
    if vrf is not None and not near:
        first = [o for d in (dev, vrf.dev) for o in owns if o.dev == d]
        best = _best(host, first, dev, target)
        if best is not None and _score(host, best, dev, target).scope >= 0:
            return best
    owns = [o for o in owns if near or _domain(host, o.dev) == _domain(host, dev)]
    return _best(host, owns, dev, target)


def _best(host: Host, owns: Iterable[Own], dev: str, target: IPv6Address) -> Own | None:
    return max(owns, key=lambda own: _score(host, own, dev, target), default=None)


def _score(host: Host, own: Own, dev: str, target: IPv6Address) -> _Score:
    """ipv6_get_saddr_eval."""
    address = own.at.ip
    assert isinstance(address, IPv6Address)  # noqa: S101  (the caller looked)
    scope = _scope6(address)
    temporary = of_device(host.settings, 6, own.dev, "use_tempaddr")
    wanted = temporary is not None and temporary.value >= 2
    lasting = "deprecated" not in own.flags and "optimistic" not in own.flags
    alike = 128 - (int(address) ^ int(target)).bit_length()
    return _Score(
        same=address == target,
        scope=-scope if scope >= _scope6(target) else scope - 128,
        preferred=lasting or any(address in network for network in _ALWAYS),
        outgoing=own.dev == dev,
        label=_label(address) == _label(target),
        public=("temporary" in own.flags) == wanted,
        orchid=(address in _ORCHID) == (target in _ORCHID),
        prefix=min(alike, own.at.network.prefixlen),
        not_optimistic="optimistic" not in own.flags,
    )


def _scope6(address: IPv6Address) -> int:
    """The scope as multicast addresses count it (__ipv6_addr_src_scope)."""
    if address.is_multicast:
        return address.packed[1] & 0xF
    if address.is_link_local or address.is_loopback:
        return 2
    return 5 if address in _SITE else 14


def _label(address: IPv6Address) -> int:
    return next(label for network, label in _LABELS if address in network)


DUMMY = IPv4Address("192.0.0.8")
"""The source of an ICMP error of a host that has no address (RFC 7600, INADDR_DUMMY)."""
