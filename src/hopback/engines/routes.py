"""Which prefixes may go round between namespaces: a search over next hops, with no packet yet.

Every member of a ring has a route that leads to another member; VRFs make a namespace a ring by
itself. So only the prefixes of such routes
are tried, each by an address that is in no longer prefix of any table; and of all tables of a
namespace each may be the one that counts. ``circles`` follows what is found.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import NamedTuple

from hopback.datapath.ip.fib import Family, Hop, Prefix, Route, Table
from hopback.datapath.ip.host import Host
from hopback.datapath.skb import Ip
from hopback.network.facts import DevId
from hopback.network.identifiers import canonical
from hopback.network.model import Network

_FAMILIES: tuple[Family, ...] = (4, 6)

Space = tuple[str, str]
"""A namespace: its host's label, and its name."""

MAX_LOOKUPS = 100_000
"""Prefixes tried, times namespaces with routes to others: some tens of microseconds each."""

_COVERED_MAX = 64  # of a prefix that longer ones cover whole, how many of those are tried
_NOT_ROUTED = tuple(
    ip_network(text)
    for text in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/127", "fe80::/10", "ff00::/8")
)
"""What no router sends on (route.c:ip_route_input_slow, ip6_output.c:ip6_forward)."""


class Candidate(NamedTuple):
    """Packets for ``target`` may go round in ``ring``; ``prefix`` is the longest that sends one."""

    prefix: Prefix
    target: Ip
    ring: tuple[Space, ...]


class Candidates(NamedTuple):
    """What was found among ``classes`` of destinations; ``cut``: there are more."""

    found: tuple[Candidate, ...]
    classes: int = 0
    cut: bool = False


def candidates(network: Network, hosts: Mapping[Space, Host]) -> Candidates:
    """One for each prefix and the shortest ring through each namespace, IPv4 first."""
    found: dict[tuple[Ip, tuple[Space, ...]], Candidate] = {}
    classes, cut = 0, False
    owners = _Owners(network, hosts)
    for family in _FAMILIES:
        inward = _inward(hosts, owners, family)
        if len(inward) < 2 and not any(hosts[space].vrfs for space in inward):
            continue
        apart, most = _Classes(hosts, family), classes + MAX_LOOKUPS // len(inward)
        for prefix in sorted({p for spaces in inward.values() for t in spaces for p in t.inward}):
            members = list(apart.members(prefix))[: most - classes]
            cut = cut or classes == most or len(members) == _COVERED_MAX
            classes += len(members)
            for number in members:
                for ring in _rings({s: set(_next(ts, number)) for s, ts in inward.items()}):
                    target = _address(number, family)
                    whole = _network(*prefix, family)
                    found.setdefault((target, ring), Candidate(whole, target, ring))
    return Candidates(tuple(found.values()), classes, cut)


def parts(hosts: Mapping[Space, Host], prefixes: Iterable[Prefix]) -> Iterator[tuple[Prefix, Ip]]:
    """The prefixes and all longer ones in them, each with an address of it alone if it has one."""
    for family in _FAMILIES:
        given = [prefix for prefix in prefixes if prefix.version == family]
        apart = _Classes(hosts if given else {}, family)
        for prefix in given:
            for network, number in apart.within(prefix):
                yield network, _address(number, family)


class _Owners:
    """The namespaces that a next hop is in: by its address, its MAC, or a tunnel's remote end."""

    def __init__(self, network: Network, hosts: Mapping[Space, Host]) -> None:
        self._by_address: dict[Ip, set[Space]] = {}
        for space, host in hosts.items():
            for address in host.addresses:
                self._by_address.setdefault(address, set()).add(space)
        self._by_mac: dict[int, set[Space]] = {}
        for id_, device in network.devices.items():
            if device.mac is not None and id_[:2] in hosts:
                self._by_mac.setdefault(device.mac.value, set()).add(id_[:2])
        self._remotes: dict[DevId, set[str]] = {}
        for name, snapshot in network.snapshots.items():
            for tunnel in snapshot.tunnels.rows:
                if tunnel.remote:
                    id_ = DevId(name, tunnel.netns, tunnel.dev)
                    self._remotes.setdefault(id_, set()).add(canonical(tunnel.remote))
            for peer in snapshot.wireguard_peers.rows:
                if peer.endpoint:
                    id_ = DevId(name, peer.netns, peer.dev)
                    self._remotes.setdefault(id_, set()).add(canonical(peer.endpoint))
        self._by_text = {str(address): spaces for address, spaces in self._by_address.items()}

    def of(self, host: Host, route: Route) -> frozenset[Space]:
        """The namespaces that the route may lead to; its own, if to another VRF of it."""
        found: set[Space] = set()
        within = False
        for hop in route.hops:
            within = within or _leads_to_another_vrf(host, hop)
            if hop.via is None:
                for remote in self._remotes.get(host.id._replace(name=hop.dev), ()):
                    found |= self._by_text.get(remote, set())
                continue
            found |= self._by_address.get(hop.via, set())
            known = host.neighbours.get((hop.dev, hop.via))
            found |= self._by_mac.get(known.mac, set()) if known else set()
        own = {host.id[:2]}
        return frozenset(found | own if within else found - own)


def _leads_to_another_vrf(host: Host, hop: Hop) -> bool:
    """By that VRF's own device, or by a pair of devices one of which is in it."""
    vrf = host.vrf(hop.dev)
    own = host.addresses.get(hop.via) if hop.via else None
    return (vrf != "" and hop.dev == vrf) or (own is not None and host.vrf(own.dev) != vrf)


class _Toward(NamedTuple):
    """A table by length and network: to which namespaces its routes lead, perhaps to none.

    ``inward`` are the prefixes (number, length) of those that lead to any.
    """

    bits: int
    at: Mapping[int, Mapping[int, frozenset[Space]]]
    inward: tuple[tuple[int, int], ...]


def _inward(
    hosts: Mapping[Space, Host], owners: _Owners, family: Family
) -> dict[Space, tuple[_Toward, ...]]:
    """The tables of the namespaces that have any route to another."""
    found: dict[Space, tuple[_Toward, ...]] = {}
    for space, host in hosts.items():
        tables = [_toward(host, owners, t, family) for f, t in _tables(host) if f == family]
        if any(table.inward for table in tables):
            found[space] = tuple(tables)
    return found


def _tables(host: Host) -> Iterable[tuple[Family, Table]]:
    return ((family, table) for (family, _), table in host.tables.items())


def _toward(host: Host, owners: _Owners, table: Table, family: Family) -> _Toward:
    at = {
        length: {
            number: frozenset().union(*(owners.of(host, route) for route in routes))
            for number, routes in networks.items()
        }
        for length, networks in table.by_length.items()
    }
    inward = ((n, length) for length, nets in at.items() for n, spaces in nets.items() if spaces)
    return _Toward((32, 128)[family == 6], at, tuple(inward))


def _next(tables: Iterable[_Toward], number: int) -> Iterator[Space]:
    """Where a packet for the address may go next: by the longest prefix of each table."""
    for table in tables:
        for length, networks in table.at.items():
            shift = table.bits - length
            spaces = networks.get(number >> shift << shift)
            if spaces is not None:
                yield from spaces
                break


class _Classes:
    """Addresses that no table tells apart: what is left of each prefix without the longer ones."""

    def __init__(self, hosts: Mapping[Space, Host], family: Family) -> None:
        self._family = family
        self._bits = (32, 128)[family == 6]
        spans = {
            self._span(number, length)
            for host in hosts.values()
            for told, table in _tables(host)
            if told == family
            for length, networks in table.by_length.items()
            for number in networks
        }
        for network in _NOT_ROUTED:
            if network.version == family:
                spans.add(self._span(int(network.network_address), network.prefixlen))
        self._spans = sorted(spans)

    def _span(self, number: int, length: int) -> tuple[int, int]:
        """First and last address; the last is negative, so that of two the wider comes first."""
        return number, -(number + (1 << self._bits - length) - 1)

    def members(self, prefix: tuple[int, int]) -> Iterator[int]:
        """An address of the prefix alone; if longer ones cover all of it, one of each of those."""
        first, last = self._span(*prefix)
        inside = self._inside(first, -last)
        alone = _gap(first, -last, inside)
        if alone is not None:
            yield alone
            return
        for count, (begin, end) in enumerate(inside):
            if count >= _COVERED_MAX:
                return
            member = _gap(begin, -end, self._inside(begin, -end))
            if member is not None and not _is_unrouted(_address(member, self._family)):
                yield member

    def within(self, prefix: Prefix) -> Iterator[tuple[Prefix, int]]:
        """All prefixes in this one, each with an address of it alone if it has one."""
        first, last = int(prefix.network_address), int(prefix.broadcast_address)
        for begin, end in ((first, -last), *self._inside(first, last)):
            member = _gap(begin, -end, self._inside(begin, -end))
            if member is not None:
                length = self._bits - (-end - begin).bit_length()
                yield _network(begin, length, self._family), member

    def _inside(self, first: int, last: int) -> list[tuple[int, int]]:
        begin = bisect_right(self._spans, (first, -last))
        return self._spans[begin : bisect_left(self._spans, (last + 1, -(1 << 129)))]


def _address(number: int, family: Family) -> Ip:
    return IPv4Address(number) if family == 4 else IPv6Address(number)


def _network(number: int, length: int, family: Family) -> Prefix:
    return IPv4Network((number, length)) if family == 4 else IPv6Network((number, length))


def _is_unrouted(address: Ip) -> bool:
    return any(address.version == net.version and address in net for net in _NOT_ROUTED)


def _gap(first: int, last: int, inside: Iterable[tuple[int, int]]) -> int | None:
    """An address of the first part that is left over, its second one if it has two."""
    free = first
    for begin, end in inside:
        if begin > free:
            return min(free + 1, begin - 1)
        free = max(free, -end + 1)
    return min(free + 1, last) if free <= last else None


def _rings(following: Mapping[Space, set[Space]]) -> Iterator[tuple[Space, ...]]:
    """The shortest ring through each namespace, each ring once, its least member first."""
    told: set[frozenset[Space]] = set()
    for space in following:
        ring = _back_to(following, space)
        if ring and frozenset(ring) not in told:
            told.add(frozenset(ring))
            at = ring.index(min(ring))
            yield (*ring[at:], *ring[:at])


def _back_to(following: Mapping[Space, set[Space]], start: Space) -> tuple[Space, ...]:
    """The shortest way from a namespace back to it; empty if there is none."""
    came: dict[Space, Space] = {}
    todo = deque([start])
    while todo:
        space = todo.popleft()
        for other in sorted(following.get(space, ())):
            if other == start:
                way = [space]
                while way[-1] != start:
                    way.append(came[way[-1]])
                return tuple(reversed(way))
            if other not in came:
                came[other] = space
                todo.append(other)
    return ()
