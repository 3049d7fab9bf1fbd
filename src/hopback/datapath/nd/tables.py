"""A station's interface as the tables show it."""

from ipaddress import IPv6Address, ip_address

from hopback.datapath.kernel import CURRENT, behaviour_of
from hopback.datapath.nd.settings import Lookup, Told, settings_of
from hopback.datapath.nd.state import Interface, Own, Proxied
from hopback.frames.mac import Mac
from hopback.network.facts import DevId, Ref
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Address

_UNKNOWN = Mac(0)


def interface_of(snapshot: Snapshot, dev: DevId) -> Interface:
    """The interface ``dev`` of the snapshot's host.

    A tentative address that has not failed is taken to be in duplicate detection; its nonce is in
    no table. Where no table tells the device's MAC it is zero, which is nobody's.
    """
    release = snapshot.kernels.rows[-1].release if snapshot.kernels.rows else None
    kernel = behaviour_of(release) if release else None
    macs = [r.mac for r in snapshot.links.rows if (r.netns, r.name) == dev[1:] and r.mac]
    neighbours = [r for r in snapshot.neighbours.rows if (r.netns, r.dev) == dev[1:]]
    six = [(IPv6Address(r.address), r) for r in neighbours if ":" in r.address]
    return Interface(
        dev,
        macs[-1] if macs else _UNKNOWN,
        settings_of(dev.name, kernel, lookup_in(snapshot, dev.netns)),
        {own.address: own for own in _addresses(snapshot, dev)},
        {
            address: Proxied(row.router, (Ref(snapshot.host, row.cite),))
            for address, row in six
            if row.proxy
        },
        {address: row.mac for address, row in six if row.mac is not None and not row.proxy},
        kernel or CURRENT,
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
        if (row.netns, row.dev) == dev[1:] and ip_address(row.address).version == 6
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
