"""Failed duplicate detection, put together from all that tells of it.

IPv6: net/ipv6/ndisc.c:ndisc_recv_ns and ndisc_recv_na call addrconf_dad_failure for a tentative
address, whatever the source MAC. Only an equal nonce (RFC 7527, 4.10) keeps a solicitation from
doing so, and nothing keeps an advertisement. IPv4 (RFC 5227) is left to programs, and those ignore
probes with their own MAC. ``tentative`` alone is no failure: the detection may just be going on.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.datapath.kernel import behaviour_of
from hopback.datapath.nd.settings import settings_of
from hopback.datapath.nd.tables import lookup_in
from hopback.frames.mac import Mac, format_mac
from hopback.network.facts import DevId, Fact, Ref, merge_refs
from hopback.network.identifiers import canonical, mac_in
from hopback.network.model import Station
from hopback.snapshot.model import Snapshot

_FAILURES_MAX = 1000
"""On one host: a log that repeats itself for months tells no more than its beginning."""

_REPEATED_MAX = 3


class Failure(NamedTuple):
    """Duplicate detection of ``address`` (None: not told) on a station's ``device`` failed.

    ``used_by`` are the MACs that the log names as its other user, or that a capture on the device
    shows to answer. ``own`` are the device's own, with the rows that say so.
    """

    device: DevId
    address: str | None
    used_by: tuple[Mac, ...]
    own: Mapping[Mac, tuple[Ref, ...]]
    refs: tuple[Ref, ...]

    @property
    def ipv4(self) -> bool:
        """Whether it is about an IPv4 address."""
        return self.address is not None and ":" not in self.address

    @property
    def strangers(self) -> tuple[Mac, ...]:
        """The MACs of its other user that are known not to be the station's own."""
        return tuple(mac for mac in self.used_by if self.own and mac not in self.own)

    @property
    def own_refs(self) -> tuple[Ref, ...]:
        """The rows that tell whether the other user that is named is the station itself."""
        return merge_refs(*self.own.values()) if self.used_by else ()


_Said = tuple[Ref, Mac | None]


def failures(case: Case) -> Iterator[Failure]:
    """One for each device and address; a message without an address counts if it stands alone.

    Of a host's failures the first thousand, each with the first lines that tell it.
    """
    named: dict[tuple[str, str], list[DevId]] = defaultdict(list)
    for device in case.network.devices:
        named[device.host, device.name].append(device)
    for snapshot in case.network.snapshots.values():
        found = _reported(snapshot, named)
        answers = _answers(snapshot)
        told = {device.name for device, address in found if address is not None}
        for (device, address), said in islice(found.items(), _FAILURES_MAX):
            if address is None and device.name in told:
                continue
            sure = device.netns or len(named[device.host, device.name]) <= 1
            own = _own(case, device, address, sure=bool(sure))
            macs = dict.fromkeys(mac for _, mac in said if mac is not None)
            heard = {m: r for m, r in answers[device.name, address].items() if own and m not in own}
            refs = merge_refs((ref for ref, _ in said), heard.values())
            yield Failure(device, address, (*dict.fromkeys((*macs, *heard)),), own, refs)


def _reported(
    snapshot: Snapshot, named: Mapping[tuple[str, str], list[DevId]]
) -> dict[tuple[DevId, str | None], list[_Said]]:
    """What flags and messages say, by device and address.

    The kernel has one log for all its namespaces, and names devices without theirs: it is the only
    device of that name, or the one that has the address.
    """
    host = snapshot.host
    found: dict[tuple[DevId, str | None], list[_Said]] = defaultdict(list)
    holders: dict[tuple[str, str | None], DevId] = {}
    for row in snapshot.addresses.rows:
        key = (DevId(host, row.netns, row.dev), canonical(row.address))
        holders[row.dev, key[1]] = key[0]
        if "dadfailed" in row.flags:
            found[key] = [(Ref(host, row.cite), None)]
    for event in snapshot.dad_events.rows:
        address = canonical(event.address) if event.address else None
        device = DevId(host, event.netns, event.dev)
        alone = named.get((host, event.dev), ())
        home = holders.get((event.dev, address), alone[0] if len(alone) == 1 else device)
        said = found[home, address]
        if len(said) < _REPEATED_MAX:
            said.append((Ref(host, event.cite), event.used_by))
    return found


def _answers(snapshot: Snapshot) -> dict[tuple[str, str | None], dict[Mac, Ref]]:
    """Who answers for which address, by the device on which that was captured."""
    found: dict[tuple[str, str | None], dict[Mac, Ref]] = defaultdict(dict)
    for row in snapshot.neighbour_messages.rows:
        if row.kind in ("na", "arp-reply") and row.mac is not None and row.dev is not None:
            heard = found[row.dev, canonical(row.address)]
            heard.setdefault(row.mac, Ref(snapshot.host, row.cite))
    return found


def _own(
    case: Case, device: DevId, address: str | None, *, sure: bool
) -> dict[Mac, tuple[Ref, ...]]:
    """The device's own MACs; ``sure`` if nothing else on the host may be meant by its name."""
    own: dict[Mac, tuple[Ref, ...]] = {}
    known = case.network.devices.get(device) if sure else None
    if known is not None and known.mac is not None:
        own[known.mac.value] = known.mac.refs
    inside = mac_in(address)
    if inside is not None:
        own.setdefault(inside, ())
    station = None if own else _guest(case, device)
    return {station.mac: station.refs} if station is not None else own


def _guest(case: Case, device: DevId) -> Station | None:
    """The guest by whose name the log came, where it has only one interface."""
    found = [s for s in case.network.stations if device.host and s.name == device.host]
    return found[0] if len(found) == 1 else None


def station_of(case: Case, failure: Failure) -> Station | None:
    """The failing device as a station behind a bridge port that we see."""
    stations = case.network.stations
    found = next((s for s in stations if s.device == failure.device), None)
    found = found or next((s for s in stations if s.mac in failure.own), None)
    return found or _guest(case, failure.device)


def enhanced_dad(case: Case, device: DevId) -> Fact[bool] | None:
    """Whether the station knows its own solicitation by a nonce, and the rows that decide it.

    None if nothing tells.
    """
    snapshot = case.network.snapshots[device.host]
    lookup, kernels = lookup_in(snapshot, device.netns), snapshot.kernels.rows
    kernel = behaviour_of(kernels[-1].release) if kernels else None
    settings = settings_of(device.name, kernel, lookup)
    if settings.enhanced is None:
        return None
    told = settings_of(device.name, None, lookup).enhanced is not None
    if kernel is None or (told and kernel.enhanced_dad):
        return Fact(settings.enhanced, settings.refs["enhanced"])
    return Fact(settings.enhanced, (Ref(device.host, kernels[-1].cite),))


def unexplained(case: Case) -> Iterator[Failure]:
    """The failures that no fault found earlier accounts for: another real user, or a proxy."""
    doubled = {f.subject for f in case.of("duplicate-mac")}
    told = {f.subject for name in _EXPLAINING for f in case.of(name)}
    for failure in failures(case):
        foreign = failure.strangers
        other = bool(foreign) and len(foreign) == len(failure.used_by)
        cloned = any(format_mac(mac) in doubled for mac in failure.own)
        if not (other or cloned or failure.address in told):
            yield failure


_EXPLAINING = ("duplicate-address", "dad-proxied", "weak-host-arp")
