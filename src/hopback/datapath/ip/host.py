"""What the IP layer of a namespace goes by: its addresses, routes, neighbours and settings.

Rows keep addresses as text; what is none after all is passed over.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import (
    IPv4Interface,
    IPv4Network,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from hopback.datapath.bridge.state import NeighbourEntry
from hopback.datapath.hosts import VALID
from hopback.datapath.skb import Ip
from hopback.network.facts import DevId, Fact, Ref
from hopback.network.model import Network
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import FilterChain
from hopback.snapshot.rows import Route as RouteRow

Family = Literal[4, 6]
Prefix = IPv4Network | IPv6Network

_MAIN = re.compile(r"ip( -\S+)* r(oute)?( (show|list|ls))?( table (all|main|254))?")
_EVERYTHING = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}
_ROUTED = frozenset({"ip", "ip6", "inet"})
_USUAL_RULES = frozenset({"lookup local", "lookup main", "lookup default"})


class Own(Struct, frozen=True):
    """An address of the device ``dev`` of the host itself."""

    dev: str
    at: IPv4Interface | IPv6Interface
    refs: tuple[Ref, ...] = ()


class Route(Struct, frozen=True):
    """A route of the main table. ``dev`` is None where it leads nowhere; ``ways`` are next hops."""

    to: Prefix
    kind: str = "unicast"
    dev: str | None = None
    via: Ip | None = None
    ways: int = 1
    metric: int = 0
    refs: tuple[Ref, ...] = ()


class Host(Struct, frozen=True):
    """A namespace, as ``id`` without a device's name.

    ``families`` are those whose addresses and main routing table were listed. ``odd_rules`` are
    rows that show policy routing. ``routes`` stand in the order in which they are looked up,
    ``settings`` by their keys after ``net.``. ``router``: it has NAT or filters what it forwards,
    and so probably forwards.
    """

    id: DevId
    families: frozenset[Family] = frozenset()
    addresses: Mapping[Ip, Own] = MappingProxyType({})
    routes: tuple[Route, ...] = ()
    neighbours: Mapping[tuple[str, Ip], NeighbourEntry] = MappingProxyType({})
    failed: Mapping[tuple[str, Ip], tuple[Ref, ...]] = MappingProxyType({})
    settings: Mapping[str, Fact[int]] = MappingProxyType({})
    odd_rules: tuple[Ref, ...] = ()
    router: bool = False

    def has(self, dev: str) -> bool:
        """Whether the device has an IPv4 address."""
        return any(own.dev == dev and own.at.version == 4 for own in self.addresses.values())


def hosts_of(network: Network) -> Mapping[tuple[str, str], Host]:
    """The namespaces whose addresses and routes were listed, by host and namespace."""
    found: dict[tuple[str, str], Host] = {}
    for name, snapshot in network.snapshots.items():
        for netns in dict.fromkeys(extent.netns for extent in snapshot.routes.extents):
            families = _families(snapshot, netns)
            if families:
                found[name, netns] = _host(snapshot, netns, families)
    return MappingProxyType(found)


def _families(snapshot: Snapshot, netns: str) -> frozenset[Family]:
    """Those of which all addresses and at least the whole main table were listed."""
    if not snapshot.addresses.complete(netns):
        return frozenset()
    if snapshot.routes.complete(netns):
        return frozenset((4, 6))
    shown = {
        extent.source
        for extent in snapshot.routes.extents
        if extent.netns == netns and _MAIN.fullmatch(_command(snapshot, extent.source))
    }
    rows = (row for row in snapshot.routes.rows if row.cite.source in shown)
    return frozenset(row.family for row in rows)


def _command(snapshot: Snapshot, source: int) -> str:
    """The listing's command without the one that enters the namespace."""
    return re.sub(r"^(sudo )?(ip netns exec \S+ )?", "", snapshot.sources[source].name).strip()


def _host(snapshot: Snapshot, netns: str, families: frozenset[Family]) -> Host:
    settings = {
        row.key.removeprefix("net."): Fact(int(row.value), (Ref(snapshot.host, row.cite),))
        for row in snapshot.sysctls.rows
        if row.netns == netns and row.key.startswith("net.") and row.value.isdecimal()
    }
    routes = sorted(_routes(snapshot, netns), key=lambda r: (-r.to.prefixlen, r.metric))
    known, failed = _neighbours(snapshot, netns)
    return Host(
        id=DevId(snapshot.host, netns, ""),
        families=families,
        addresses=MappingProxyType(dict(_addresses(snapshot, netns))),
        routes=tuple(routes),
        neighbours=MappingProxyType(known),
        failed=MappingProxyType(failed),
        settings=MappingProxyType(settings),
        router=any(
            row.netns == netns and row.family in _ROUTED and _routes_by(row)
            for row in snapshot.filter_chains.rows
        ),
        odd_rules=tuple(
            Ref(snapshot.host, row.cite)
            for row in snapshot.rules.rows
            if row.netns == netns and not _is_usual(row.selector, row.action)
        ),
    )


def _routes_by(chain: FilterChain) -> bool:
    return chain.hook == "forward" or (chain.kind == "nat" and chain.hook is not None)


def _is_usual(selector: str, action: str) -> bool:
    return selector == "from all" and action in _USUAL_RULES


def _addresses(snapshot: Snapshot, netns: str) -> Iterator[tuple[Ip, Own]]:
    """Those that packets may be for: a tentative one is nobody's yet (net/ipv6/addrconf.c)."""
    for row in snapshot.addresses.rows:
        if row.netns != netns or "tentative" in row.flags:
            continue
        with suppress(ValueError):
            at = ip_interface(f"{row.address}/{row.prefix_len}")
            yield at.ip, Own(row.dev, at, (Ref(snapshot.host, row.cite),))


def _routes(snapshot: Snapshot, netns: str) -> Iterator[Route]:
    for row in snapshot.routes.rows:
        if row.netns == netns and row.table == "main":
            with suppress(ValueError):
                yield _route(row, Ref(snapshot.host, row.cite))


def _route(row: RouteRow, ref: Ref) -> Route:
    everything = row.destination == "default"
    hop = row.hops[0] if row.hops else None
    return Route(
        to=_EVERYTHING[row.family] if everything else ip_network(row.destination, strict=False),
        kind=row.kind,
        dev=hop.dev if hop else None,
        via=ip_address(hop.via) if hop and hop.via else None,
        ways=len(row.hops),
        metric=row.metric or 0,
        refs=(ref,),
    )


def _neighbours(
    snapshot: Snapshot, netns: str
) -> tuple[dict[tuple[str, Ip], NeighbourEntry], dict[tuple[str, Ip], tuple[Ref, ...]]]:
    known: dict[tuple[str, Ip], NeighbourEntry] = {}
    failed: dict[tuple[str, Ip], tuple[Ref, ...]] = {}
    for row in snapshot.neighbours.rows:
        if row.netns != netns or row.proxy:
            continue
        try:
            key = row.dev, ip_address(row.address)
        except ValueError:
            continue
        refs = (Ref(snapshot.host, row.cite),)
        if row.mac is not None and row.state in VALID:
            known[key] = NeighbourEntry(row.mac, row.router, refs)
        elif row.state == "FAILED":
            failed[key] = refs
    return known, failed
