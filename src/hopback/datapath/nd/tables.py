"""A station's interface as the tables show it."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import cast

from hopback.datapath.kernel import CURRENT, behaviour_of
from hopback.datapath.nd.arp import ArpInterface, Local, Scope, Way
from hopback.datapath.nd.settings import Lookup, Told, arp_settings_of, settings_of
from hopback.datapath.nd.state import Interface, Own, Proxied
from hopback.frames.mac import Mac
from hopback.network.facts import DevId, Ref
from hopback.network.identifiers import family
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Address

_UNKNOWN = Mac(0)
_USUAL_RULES = (0, 32766, 32767)  # tables local, main and default


def interface_of(snapshot: Snapshot, dev: DevId) -> Interface:
    """The interface ``dev`` of the snapshot's host.

    A tentative address that has not failed is taken to be in duplicate detection; its nonce is in
    no table. Where no table tells the device's MAC it is zero, which is nobody's.
    """
    release = snapshot.kernels.rows[-1].release if snapshot.kernels.rows else None
    kernel = behaviour_of(release) if release else None
    neighbours = [r for r in snapshot.neighbours.rows if (r.netns, r.dev) == dev[1:]]
    six = [(IPv6Address(r.address), r) for r in neighbours if family(r.address) == 6]
    return Interface(
        dev,
        _mac(snapshot, dev),
        settings_of(dev.name, kernel, lookup_in(snapshot, dev.netns)),
        # the kernel lists what was added last first
        {own.address: own for own in reversed(_addresses(snapshot, dev))},
        {
            address: Proxied(row.router, (Ref(snapshot.host, row.cite),))
            for address, row in six
            if row.proxy
        },
        {address: row.mac for address, row in six if row.mac is not None and not row.proxy},
        kernel or CURRENT,
        listed=snapshot.addresses.complete(dev.netns, dev.name),
        proxied_listed=any(row.proxy for row in snapshot.neighbours.rows),
    )


def lookup_in(snapshot: Snapshot, netns: str) -> Lookup:
    """Settings by the rows of one namespace; the last row that tells a number counts."""
    rows = {r.key: r for r in snapshot.sysctls.rows if r.netns == netns and _is_number(r.value)}

    def lookup(key: str) -> Told | None:
        row = rows.get(key)
        return Told(int(row.value), (Ref(snapshot.host, row.cite),)) if row else None

    return lookup


def _is_number(value: str) -> bool:
    return value.removeprefix("-").isdecimal() and len(value) < 20


def _addresses(snapshot: Snapshot, dev: DevId) -> list[Own]:
    return [
        _own(row, Ref(snapshot.host, row.cite))
        for row in snapshot.addresses.rows
        if (row.netns, row.dev) == dev[1:] and family(row.address) == 6
    ]


def _own(row: Address, ref: Ref) -> Own:
    flags = set(row.flags)
    failed = "dadfailed" in flags
    tentative = "tentative" in flags or "optimistic" in flags
    return Own(
        IPv6Address(row.address),
        row.prefix_len,
        tentative=tentative,
        optimistic="optimistic" in flags,
        failed=failed,
        deprecated="deprecated" in flags,
        permanent="dynamic" not in flags,
        temporary="temporary" in flags,
        nodad="nodad" in flags,
        stable="stable-privacy" in flags,
        detecting=tentative and not failed,
        refs=(ref,),
    )


def _mac(snapshot: Snapshot, dev: DevId) -> Mac:
    rows = snapshot.links.rows
    macs = [row.mac for row in rows if (row.netns, row.name) == dev[1:] and row.mac]
    return macs[-1] if macs else _UNKNOWN


def arp_interface_of(snapshot: Snapshot, dev: DevId) -> ArpInterface:
    """The interface ``dev`` with what of its host's addresses and routes decides ARP.

    The routes are those of the tables main and default: policy rules of IPv4 make it blind, and so
    do routes that nobody listed. Proxy entries are listed apart (``ip neigh show proxy``): where
    not one is, there may be some.
    """
    lookup = lookup_in(snapshot, dev.netns)
    names = {row.dev for row in snapshot.addresses.rows if row.netns == dev.netns}
    media = {name: lookup(f"net.ipv4.conf.{name.replace('.', '/')}.medium_id") for name in names}
    return ArpInterface(
        dev,
        _mac(snapshot, dev),
        arp_settings_of(dev.name, lookup),
        tuple(_locals(snapshot, dev)),
        tuple(_ways(snapshot, dev)),
        {
            IPv4Address(row.address): (Ref(snapshot.host, row.cite),)
            for row in snapshot.neighbours.rows
            if (row.netns, row.dev) == dev[1:] and row.proxy and family(row.address) == 4
        },
        {dev._replace(name=name): told.value for name, told in media.items() if told},
        _policy(snapshot, dev.netns),
        listed=snapshot.addresses.complete(dev.netns),
        proxied_listed=any(row.proxy for row in snapshot.neighbours.rows),
    )


def _locals(snapshot: Snapshot, dev: DevId) -> Iterator[Local]:
    for row in snapshot.addresses.rows:
        sized = 0 <= row.prefix_len <= 32
        if row.netns == dev.netns and family(row.address) == 4 and sized:
            where, ref = dev._replace(name=row.dev), Ref(snapshot.host, row.cite)
            scope = row.scope if row.scope in ("link", "host") else "global"
            address = IPv4Address(row.address)
            yield Local(address, row.prefix_len, where, cast("Scope", scope), (ref,))


def _ways(snapshot: Snapshot, dev: DevId) -> Iterator[Way]:
    for row in snapshot.routes.rows:
        if (row.netns, row.family) != (dev.netns, 4) or row.table not in ("main", "default"):
            continue
        network = _network("0.0.0.0/0" if row.destination == "default" else row.destination)
        out = next((hop.dev for hop in row.hops if hop.dev), None) if row.kind == "unicast" else ""
        if out is not None and network is not None:
            where = dev._replace(name=out) if out else None
            ref = Ref(snapshot.host, row.cite)
            yield Way(network, where, row.metric or 0, (ref,))


def _network(text: str) -> IPv4Network | None:
    """A snapshot file may hold what no kernel prints."""
    try:
        return IPv4Network(text, strict=False)
    except ValueError:
        return None


def _policy(snapshot: Snapshot, netns: str) -> tuple[str, tuple[Ref, ...]] | None:
    if not snapshot.routes.complete(netns):
        return "routes, which nobody listed", ()
    rows = [r for r in snapshot.rules.rows if (r.netns, r.family) == (netns, 4)]
    refs = tuple(Ref(snapshot.host, r.cite) for r in rows if r.priority not in _USUAL_RULES)
    return ("IPv4 policy rules, which decide by more than the address", refs) if refs else None
