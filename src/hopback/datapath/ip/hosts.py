"""The IP layers of all namespaces, from the rows. What is no address after all is passed over."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface
from types import MappingProxyType

from msgspec.structs import replace

from hopback.datapath.bridge.state import NeighbourEntry
from hopback.datapath.hosts import VALID
from hopback.datapath.ip.fib import LEADING_NOWHERE, Family, Hop, Prefix, Route, Table, table_of
from hopback.datapath.ip.host import Host, VrfOf
from hopback.datapath.ip.listed import Shown, routes_shown, rules_shown
from hopback.datapath.ip.local import Own, local_routes
from hopback.datapath.ip.policy import USUAL, WITH_VRFS, Policy, policy_of
from hopback.datapath.kernel import behaviour_of
from hopback.datapath.skb import Ip
from hopback.network.facts import DevId, Fact, Ref
from hopback.network.identifiers import family as family_of
from hopback.network.model import Network
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import FilterChain
from hopback.snapshot.rows import Route as RouteRow

_EVERYTHING: Mapping[Family, Prefix] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}
_ROUTED = frozenset({"ip", "ip6", "inet"})
_PREFERENCES = {"low": 0, "medium": 1, "high": 2}
_BOTH: tuple[Family, ...] = (4, 6)


def hosts_of(network: Network) -> Mapping[tuple[str, str], Host]:
    """The namespaces whose addresses and routes were listed, by host and namespace."""
    found: dict[tuple[str, str], Host] = {}
    for name, snapshot in network.snapshots.items():
        for netns in dict.fromkeys(extent.netns for extent in snapshot.routes.extents):
            shown = routes_shown(snapshot, netns)
            families = shown.families("main")
            if families and snapshot.addresses.complete(netns):
                found[name, netns] = _host(network, snapshot, netns, shown)
    return MappingProxyType(found)


def _host(network: Network, snapshot: Snapshot, netns: str, shown: Shown) -> Host:
    settings = {
        row.key.removeprefix("net."): Fact(int(row.value), (Ref(snapshot.host, row.cite),))
        for row in snapshot.sysctls.rows
        if row.netns == netns and row.key.startswith("net.") and row.value.isdecimal()
    }
    vrfs = dict(_vrfs(network, snapshot, netns))
    owns = tuple(_addresses(snapshot, netns))
    addresses = {own.at.ip: own for own in owns}
    outside = [own for own in addresses.values() if own.dev not in vrfs]
    tables = dict(_tables(snapshot, netns, shown))
    for family in _BOTH:
        if (family, "local") not in tables:
            tables[family, "local"] = table_of(local_routes(outside, family, settings))
    known, failed = _neighbours(snapshot, netns)
    policies, unsure = _policies(snapshot, netns, bool(vrfs))
    return Host(
        id=DevId(snapshot.host, netns, ""),
        families=shown.families("main"),
        addresses=MappingProxyType(addresses),
        owns=owns,
        tables=MappingProxyType(tables),
        whole=shown.whole,
        policies=MappingProxyType(policies),
        unsure=MappingProxyType(unsure),
        own_locals=any(
            (row.netns, row.family, row.kind) == (netns, 4, "local")
            and row.protocol not in (None, "kernel")
            for row in snapshot.routes.rows
        ),
        vrfs=MappingProxyType(vrfs),
        neighbours=MappingProxyType(known),
        failed=MappingProxyType(failed),
        settings=MappingProxyType(settings),
        kernel=behaviour_of(network.release(snapshot.host)),
        router=any(
            row.netns == netns and row.family in _ROUTED and _routes_by(row)
            for row in snapshot.filter_chains.rows
        ),
    )


def _routes_by(chain: FilterChain) -> bool:
    return chain.hook == "forward" or (chain.kind == "nat" and chain.hook is not None)


def _addresses(snapshot: Snapshot, netns: str) -> Iterator[Own]:
    """Those that packets may be for: a tentative one is nobody's yet (net/ipv6/addrconf.c)."""
    for row in snapshot.addresses.rows:
        if row.netns != netns or "tentative" in row.flags:
            continue
        with suppress(ValueError):
            at = ip_interface(f"{row.address}/{row.prefix_len}")
            refs = (Ref(snapshot.host, row.cite),)
            yield Own(row.dev, at, refs, row.scope or "global", frozenset(row.flags))


def _tables(
    snapshot: Snapshot, netns: str, shown: Shown
) -> Iterator[tuple[tuple[Family, str], Table]]:
    found: dict[tuple[Family, str], list[Route]] = {key: [] for key in shown.tables}
    for row in snapshot.routes.rows:
        key = row.family, row.table
        if row.netns == netns and shown.has(*key):
            with suppress(ValueError):
                found.setdefault(key, []).append(_route(row, Ref(snapshot.host, row.cite)))
    for key, routes in found.items():
        yield key, table_of(routes)


def _route(row: RouteRow, ref: Ref) -> Route:
    odd = _odd(row)
    hops = tuple(
        Hop(hop.dev or "", _ip(hop.via), hop.weight, hop.dead, hop.linkdown) for hop in row.hops
    )
    return Route(
        to=_prefix(row.destination, row.family),
        kind=odd or row.kind,
        hops=hops if hops or row.kind in LEADING_NOWHERE else (Hop(""),),
        metric=row.metric or 0,
        table=row.table,
        tos=_tos(row.tos) or 0,
        origin=_prefix(row.origin, row.family) if row.origin else None,
        preference=_PREFERENCES.get(row.preference or "", 1),
        source=None if odd else _ip(row.source),
        refs=(ref,),
    )


def _prefix(text: str, family: Family) -> Prefix:
    """Raises ValueError for one of the other family, which no table of this one can have."""
    if text == "default":
        return _EVERYTHING[family]
    return IPv4Network(text, strict=False) if family == 4 else IPv6Network(text, strict=False)


def _ip(text: str | None) -> Ip | None:
    return ip_address(text) if text else None


def _odd(row: RouteRow) -> str:
    """What is not understood of a route: a TOS by a name, a source that none of its packets has."""
    if _tos(row.tos) is None:
        return f"TOS {row.tos}"
    return f"src {row.source}" if row.source and family_of(row.source) != row.family else ""


def _tos(text: str | None) -> int | None:
    """A TOS as it is printed; None if by a name that only the host's own files explain."""
    try:
        return int(text, 16) if text else 0
    except ValueError:
        return None


def _policies(
    snapshot: Snapshot, netns: str, has_vrfs: bool
) -> tuple[dict[Family, tuple[Policy, ...]], dict[Family, tuple[Ref, ...]]]:
    """The rules, those of every namespace where nobody listed any; and those of a mere part."""
    found: dict[Family, tuple[Policy, ...]] = {}
    unsure: dict[Family, tuple[Ref, ...]] = {}
    whole = rules_shown(snapshot, netns)
    for family in _BOTH:
        rows = [r for r in snapshot.rules.rows if r.netns == netns and r.family == family]
        rules = [policy_of(row, Ref(snapshot.host, row.cite)) for row in rows]
        if family in whole:
            found[family] = tuple(sorted(rules, key=lambda rule: rule.priority))
            continue
        found[family] = WITH_VRFS[family] if has_vrfs else USUAL[family]
        odd = [rule for rule in rules if replace(rule, refs=()) not in found[family]]
        if odd:
            unsure[family] = tuple(ref for rule in odd for ref in rule.refs)
    return found, unsure


def _vrfs(network: Network, snapshot: Snapshot, netns: str) -> Iterator[tuple[str, VrfOf]]:
    """By name, the VRF devices and those that are enslaved to one."""
    rows = {row.dev: row for row in snapshot.vrfs.rows if row.netns == netns}
    for row in rows.values():
        yield row.dev, VrfOf(row.dev, row.table, (Ref(snapshot.host, row.cite),))
    for id_, device in network.devices.items():
        vrf = rows.get(device.master.value) if device.master else None
        if id_[:2] == (snapshot.host, netns) and device.master and vrf is not None:
            refs = (*device.master.refs, Ref(snapshot.host, vrf.cite))
            yield id_.name, VrfOf(vrf.dev, vrf.table, refs)


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
