"""Who was master of a virtual address at the same time as somebody else, and what tells so."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

from hopback.checks.case import Case
from hopback.checks.words import named
from hopback.engines.roles import is_wire
from hopback.network.facts import DevId, Ref
from hopback.network.identifiers import canonical
from hopback.network.model import Network
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Address, Sighting, VrrpEvent, VrrpInstance

_SECOND = 1_000_000_000
_LONG = 3 * _SECOND
"""Longer than one election lasts with the usual interval of 1 s (RFC 9568 6.1: three adverts)."""
_HEARD = 3
_ADVERT = re.compile(r"VRRPv\d,[^,]*Advertisement, vrid (?P<vrid>\d+)")
_TURNS = 4

Told = Literal["addresses", "log", "capture"]


class Both(NamedTuple):
    """Several masters of one instance: ``masters`` are hosts, or addresses of strangers.

    ``now``: it was so when the tables were read, or at the end of the log.
    """

    told: Told
    address: str
    router_id: int | None
    masters: tuple[str, ...]
    refs: tuple[Ref, ...]
    now: bool
    devices: tuple[DevId, ...] = ()


def shared_masters(case: Case) -> Iterator[Both]:
    """All that tells of it, what the tables say before what was logged or captured."""
    yield from _by_addresses(case.network)
    yield from _by_logs(case.network)
    for host, snapshot in case.network.snapshots.items():
        yield from _by_log(host, snapshot)
    for host, snapshot in case.network.snapshots.items():
        yield from _by_capture(host, snapshot)


def virtual_addresses(network: Network) -> Mapping[str, tuple[VrrpInstance | None, Ref]]:
    """The addresses of instances and of services, and where each stands first."""
    found: dict[str, tuple[VrrpInstance | None, Ref]] = {}
    for host, snapshot in network.snapshots.items():
        for row in snapshot.vrrp_instances.rows:
            for address in row.addresses:
                found.setdefault(canonical(address.partition("/")[0]), (row, Ref(host, row.cite)))
    for host, snapshot in network.snapshots.items():
        for service in snapshot.ipvs_services.rows:
            if service.address:
                ref = Ref(host, service.cite)
                found.setdefault(canonical(service.address), (None, ref))
    return found


def _by_addresses(network: Network) -> Iterator[Both]:
    """Two hosts have it on a device to which clients come: not where a real server has it on lo."""
    virtual = virtual_addresses(network)
    held: dict[str, list[tuple[DevId, Address, Ref]]] = defaultdict(list)
    for host, snapshot in network.snapshots.items():
        for row in snapshot.addresses.rows:
            address = canonical(row.address)
            if address in virtual and is_wire(row.dev) and not _is_private(network, host, row):
                held[address].append((DevId(host, row.netns, row.dev), row, Ref(host, row.cite)))
    for address, holders in held.items():
        hosts = tuple(dict.fromkeys(dev.host for dev, _, _ in holders))
        if len(hosts) > 1:
            instance, ref = virtual[address]
            yield Both(
                "addresses",
                address,
                instance.router_id if instance else None,
                hosts,
                (ref, *(held_ref for _, _, held_ref in holders)),
                now=True,
                devices=tuple(dev for dev, _, _ in holders),
            )


def _is_private(network: Network, host: str, row: Address) -> bool:
    """Whether the device leads to nobody else."""
    device = network.devices.get(DevId(host, row.netns, row.dev))
    kind = device.kind.value if device and device.kind else ""
    return kind in ("dummy", "ipip", "sit", "ip6tnl")


def _by_log(host: str, snapshot: Snapshot) -> Iterator[Both]:
    """One host, while it is master, hears another's adverts for longer than an election lasts."""
    heard: dict[str, list[VrrpEvent]] = defaultdict(list)
    last: dict[str, VrrpEvent] = {}
    for row in snapshot.vrrp_events.rows:
        last[row.name] = row
        if row.heard is not None and row.state == "master":
            heard[row.name].append(row)
    for name, rows in heard.items():
        first, final = rows[0], rows[-1]
        span = (final.at or 0) - (first.at or 0)
        dated = first.at is not None and final.at is not None
        if len(rows) >= _HEARD and (not dated or span >= _LONG - _SECOND):
            address, router_id = _instance(snapshot, name)
            masters = (named(host), first.heard or "another one")
            refs = tuple(Ref(host, row.cite) for row in (*rows[:2], final))
            yield Both("log", address or name, router_id, masters, refs, now=last[name] is final)


def _instance(snapshot: Snapshot, name: str) -> tuple[str, int | None]:
    row = next((r for r in snapshot.vrrp_instances.rows if r.name == name), None)
    if row is None:
        return "", None
    return (canonical(row.addresses[0]) if row.addresses else ""), row.router_id


class _Term(NamedTuple):
    """A time as master. ``until`` None: to the end of the log, whose last line is of ``last``."""

    host: str
    router_id: int | None
    since: int
    until: int | None
    last: int
    refs: tuple[Ref, ...]


def _by_logs(network: Network) -> Iterator[Both]:
    """Terms of two hosts that overlap; a host whose log just ends may have died as master."""
    terms: dict[str, list[_Term]] = defaultdict(list)
    for host, snapshot in network.snapshots.items():
        for name in dict.fromkeys(row.name for row in snapshot.vrrp_events.rows):
            terms[name] += _terms(host, snapshot, name)
    for name, found in terms.items():
        for one, other in combinations(sorted(found, key=lambda term: term.since), 2):
            if one.host != other.host and _overlap(one, other):
                address, router_id = _instance(network.snapshots[one.host], name)
                masters = (named(one.host), named(other.host))
                now = one.until is None and other.until is None
                refs = (*one.refs, *other.refs)
                yield Both("log", address or name, router_id, masters, refs, now=now)
                break


def _terms(host: str, snapshot: Snapshot, name: str) -> Iterator[_Term]:
    rows = [row for row in snapshot.vrrp_events.rows if row.name == name and row.at is not None]
    _, router_id = _instance(snapshot, name)
    began: VrrpEvent | None = None
    for row in rows:
        if row.state == "master" and began is None:
            began = row
        elif row.state != "master" and began is not None:
            refs = (Ref(host, began.cite), Ref(host, row.cite))
            yield _Term(host, router_id, began.at or 0, row.at, row.at or 0, refs)
            began = None
    if began is not None:
        shown = tuple(dict.fromkeys((Ref(host, began.cite), Ref(host, rows[-1].cite))))
        yield _Term(host, router_id, began.at or 0, None, rows[-1].at or 0, shown)


def _overlap(one: _Term, other: _Term) -> bool:
    """Whether ``one`` was master for longer than an election lasts after ``other`` became it."""
    same = None in (one.router_id, other.router_id) or one.router_id == other.router_id
    ends = [one.until or one.last]
    if other.until is not None:
        ends.append(other.until)
    return same and min(ends) - other.since >= _LONG


def _by_capture(host: str, snapshot: Snapshot) -> Iterator[Both]:
    """Adverts for one virtual router from two senders in turn: a fail-over does not mix them."""
    seen: dict[int, list[Sighting]] = defaultdict(list)
    for row in snapshot.sightings.rows:
        match = _ADVERT.search(row.key)
        if match is not None and row.source is not None:
            seen[int(match["vrid"])].append(row)
    for router_id, rows in seen.items():
        turns = _turns(rows)
        if len(turns) >= _TURNS:
            senders = tuple(dict.fromkeys(row.source or "" for row in turns))
            address = _advertised(rows[0])
            refs = tuple(Ref(host, row.cite) for row in turns[:_TURNS])
            subject = address or f"virtual router {router_id}"
            yield Both("capture", subject, router_id, senders, refs, now=True)


def _turns(rows: Sequence[Sighting]) -> list[Sighting]:
    """The first advert of each sender's run."""
    found: list[Sighting] = []
    for row in rows:
        if not found or found[-1].source != row.source:
            found.append(row)
    return found


def _advertised(row: Sighting) -> str:
    match = re.search(r"addrs: (\S+?),?(?:\s|$)", row.key)
    return canonical(match[1]) if match else ""
