"""What the tables do with the probe that a station sends for its own address.

The hairpin of its own port gives it back, or another path does. Where nothing places the station,
the port that the text names for it stands in.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.checks.dad import Failure, station_of
from hopback.datapath.effects import Place
from hopback.datapath.path import nic_of
from hopback.engines.trace import Hop, Trace, trace
from hopback.frames.build import arp_probe, dad_ns, link_local
from hopback.frames.ethernet import Frame
from hopback.frames.mac import Mac
from hopback.network.facts import DevId, Fact, Ref, merge_refs
from hopback.snapshot.rows import HairpinAdvice


class Returned(NamedTuple):
    """The probe of ``mac`` comes back to ``port`` by ``path``, turned round at ``by``.

    ``sure`` unless a filter may drop it, or an open question decides.
    """

    mac: Mac
    port: DevId
    by: DevId
    path: tuple[Hop, ...]
    sure: bool
    refs: tuple[Ref, ...]


def returned(case: Case, failure: Failure) -> Iterator[Returned]:
    """How the station's probe for that address comes back to it."""
    station = station_of(case, failure)
    if station is not None:
        yield from _traced(case, failure, station.port, station.mac, station.refs)
        return
    mac = next(iter(failure.own), None)
    for device, _, ref in advised_ports(case):
        if mac is not None and case.network.bridge_of(device) is not None:
            yield from _traced(case, failure, device, mac, (ref,))


def advised_ports(case: Case) -> Iterator[tuple[DevId, HairpinAdvice, Ref]]:
    """The ports whose hairpin a text sets in a command that it recommends.

    A text says which port, seldom of which host: a port of that name that only one host has is it.
    """
    for host, snapshot in case.network.snapshots.items():
        for row in snapshot.hairpin_advice.rows:
            ref = Ref(host, row.cite)
            here = DevId(host, row.netns, row.name)
            elsewhere = [] if case.network.bridge_of(here) else list(_called(case, row))
            yield elsewhere[0] if len(elsewhere) == 1 else here, row, ref


def _called(case: Case, advice: HairpinAdvice) -> Iterator[DevId]:
    for bridge in case.network.bridges.values():
        if advice.bridge in (None, bridge.id.name):
            yield from (port for port in bridge.ports if port.name == advice.name)


def hairpin_of(case: Case, port: DevId) -> Fact[bool] | None:
    """Whether hairpin is on there; None if no listing says so."""
    bridge = case.network.bridge_of(port)
    return bridge.ports[port].flags.get("hairpin") if bridge else None


def hairpin_file(port: str, bridge: str | None = None) -> str:
    """Where the kernel shows whether hairpin is on (net/bridge/br_sysfs_if.c)."""
    place = f"{bridge}/brif/{port}" if bridge else f"{port}/brport"
    return f"/sys/class/net/{place}/hairpin_mode"


def _traced(
    case: Case, failure: Failure, port: DevId, mac: Mac, refs: tuple[Ref, ...]
) -> Iterator[Returned]:
    station = next((s for s in case.network.stations if (s.port, s.mac) == (port, mac)), None)
    sender = nic_of(station) if station else None
    worlds = trace(case.model, Place(port, "in"), _probe(failure, mac), sender=sender)
    ways = [world.path(n) if (n := _back(world, port)) is not None else () for world in worlds]
    if not ways[0]:
        return
    why = merge_refs(*(hop.why.refs for way in ways for hop in way if hop.why))
    # a world that is not understood does not contradict what was reported, one that drops it does
    contradicted = any(
        not way and world.end("blind") is None for way, world in zip(ways, worlds, strict=True)
    )
    sure = not contradicted and case.unclear_on(port) is None
    by = _turned(ways[0], port)
    yield Returned(mac, port, by, ways[0], sure, merge_refs(refs, why))


def _turned(path: Sequence[Hop], port: DevId) -> DevId:
    """The port whose hairpin sent the frame back; else the station's own, by which it came."""
    turns = (hop.place.dev for hop in path if hop.why and hop.why.rule == "hairpin")
    return next(turns, port)


def _back(journey: Trace, port: DevId) -> int | None:
    """The hop at which the frame is at its sender again."""
    end = journey.end("returned")
    if end is not None:
        return end.hop
    return next((n for n, h in enumerate(journey.hops) if h.place == Place(port, "out")), None)


def _probe(failure: Failure, mac: Mac) -> Frame:
    try:
        address = ip_address(failure.address or "")
    except ValueError:
        address = link_local(mac)
    if isinstance(address, IPv4Address):
        return arp_probe(mac, address)
    return dad_ns(mac, IPv6Address(address))
