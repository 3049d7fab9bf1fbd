"""How sure it is that failed duplicate detection comes from the station's own probe.

A cloned MAC, another machine with the address, and a proxy fail it in the same words. So a path
that returns the probe is asked for, or something that no other station could have done.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal, NamedTuple

from hopback.checks.case import Case
from hopback.checks.dad import (
    Failure,
    accounted,
    enhanced_dad,
    failures,
    own_macs,
    station_of,
    strangers,
)
from hopback.checks.filters import filter_on
from hopback.checks.heard_twice import WINDOW
from hopback.datapath.effects import Place
from hopback.datapath.path import nic_of
from hopback.engines.probe import link_local
from hopback.engines.trace import Hop, Trace, trace
from hopback.findings import Confidence, Evidence
from hopback.frames.build import arp_probe, dad_ns
from hopback.frames.ethernet import Frame
from hopback.frames.mac import Mac
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.network.identifiers import halves, is_random
from hopback.snapshot.rows import HairpinAdvice, NeighbourMessage

Why = Literal["captured", "path", "cause", "random", "own-mac", "all-ports", "advised", "undecided"]
_CAUSES = ("uplink-echo", "bond-reflection", "tunnel-reflection")
_RANDOM_MIN = 2  # clones have the same stable identifiers, so one of them proves nothing
_FAILED_MIN = 3


class Suspicion(NamedTuple):
    """Why a station is held to hear itself.

    ``returned_by`` gives its probe (sent with ``mac``) back, ``port`` is the station's own where
    that is told, ``hairpin_file`` what to read there. ``because`` is a cause's evidence.
    """

    why: Why
    confidence: Confidence
    refs: tuple[Ref, ...] = ()
    because: tuple[Evidence, ...] = ()
    returned_by: DevId | None = None
    mac: Mac | None = None
    port: DevId | None = None
    hairpin_file: str | None = None
    path: tuple[Hop, ...] = ()


def suspected(case: Case) -> Iterator[tuple[DevId, tuple[Failure, ...], Suspicion]]:
    """One for each device with failures that no other fault accounts for."""
    by_device: dict[DevId, list[Failure]] = defaultdict(list)
    for failure in failures(case):
        foreign = strangers(case, failure)
        if not accounted(case, failure) and not (foreign and len(foreign) == len(failure.used_by)):
            by_device[failure.device].append(failure)
    for device, failed in by_device.items():
        yield device, tuple(failed), suspicion(case, failed)


def suspicion(case: Case, failed: Sequence[Failure]) -> Suspicion:
    """The strongest reason for the failures of one device, none of which a fault accounts for."""
    active = enhanced_dad(case, failed[0].device)
    found = next(_reasons(case, failed), _undecided(case, failed[0]))
    if active is None or all(f.ipv4 for f in failed):
        return found
    if active.value and found.why != "captured":
        # its own solicitation would have been known: a clone is as likely as an advertisement
        return found._replace(confidence="possible", refs=merge_refs(found.refs, active.refs))
    return found


def _undecided(case: Case, failure: Failure) -> Suspicion:
    station = station_of(case, failure)
    if station is None:
        return Suspicion("undecided", "possible")
    port = station.port
    file = hairpin_file(port.name)
    return Suspicion("undecided", "possible", mac=station.mac, port=port, hairpin_file=file)


def hairpin_file(port: str, bridge: str | None = None) -> str:
    """Where the kernel shows whether hairpin is on (net/bridge/br_sysfs_if.c)."""
    place = f"{bridge}/brif/{port}" if bridge else f"{port}/brport"
    return f"/sys/class/net/{place}/hairpin_mode"


def _reasons(case: Case, failed: Sequence[Failure]) -> Iterator[Suspicion]:
    for failure in failed:
        yield from _captured(case, failure)
    for failure in failed:
        yield from _returned(case, failure)
    yield from _cause(case, failed)
    yield from _random(case, failed)
    yield from _own_mac(case, failed)
    if station_of(case, failed[0]) is None and not failed[0].ipv4:
        yield from _advised(case)
        yield from _all_ports(case)


def _captured(case: Case, failure: Failure) -> Iterator[Suspicion]:
    """Its solicitation is in a capture on the device itself, sent and heard."""
    own = own_macs(case, failure)
    snapshot = case.network.snapshots[failure.device.host]
    last: dict[tuple[str, Mac | None, str | None], NeighbourMessage] = {}
    for row in snapshot.neighbour_messages.rows:
        if row.kind != "ns" or row.mac not in own or row.dev != failure.device.name:
            continue
        before = last.get((row.address, row.mac, row.nonce))
        last[row.address, row.mac, row.nonce] = row
        if before is None or before.at is None or row.at is None:
            continue
        if 0 <= row.at - before.at <= WINDOW and row.direction in (None, "in"):
            refs = tuple(Ref(snapshot.host, r.cite) for r in (before, row))
            refs = merge_refs(refs, own[row.mac])
            yield Suspicion("captured", "certain" if row.direction == "in" else "likely", refs)


def _returned(case: Case, failure: Failure) -> Iterator[Suspicion]:
    """The tables return its probe: by the hairpin of its own port, or by any other path."""
    station = station_of(case, failure)
    if station is not None:
        yield from _traced(case, failure, station.port, station.mac, station.refs)
        return
    mac = next(iter(own_macs(case, failure)), None)
    for device, row in _advised_ports(case):
        if mac is not None and case.network.bridge_of(device) is not None:
            yield from _traced(case, failure, device, mac, (Ref(device.host, row.cite),))


def _advised_ports(case: Case) -> Iterator[tuple[DevId, HairpinAdvice]]:
    for host, snapshot in case.network.snapshots.items():
        for row in snapshot.hairpin_advice.rows:
            yield DevId(host, row.netns, row.name), row


def _traced(
    case: Case, failure: Failure, port: DevId, mac: Mac, refs: tuple[Ref, ...]
) -> Iterator[Suspicion]:
    station = next((s for s in case.network.stations if (s.port, s.mac) == (port, mac)), None)
    sender = nic_of(station) if station else None
    worlds = trace(case.model, Place(port, "in"), _probe(failure, mac), sender=sender)
    ways = [world.path(n) if (n := _back(world, port)) is not None else () for world in worlds]
    path = ways[0]
    if not path:
        return
    why = merge_refs(*(hop.why.refs for way in ways for hop in way if hop.why))
    filtered = filter_on(case.network, port) is not None
    # a world that is not understood does not contradict what was reported, one that drops it does
    contradicted = any(
        not way and world.end("blind") is None for way, world in zip(ways, worlds, strict=True)
    )
    sure = not (contradicted or filtered) and (not failure.ipv4 or mac in failure.used_by)
    yield Suspicion(
        "path",
        "certain" if sure else "possible" if failure.ipv4 else "likely",
        merge_refs(refs, why),
        returned_by=_turned(path, port),
        mac=mac,
        port=port,
        hairpin_file=hairpin_file(port.name),
        path=path,
    )


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


def _cause(case: Case, failed: Sequence[Failure]) -> Iterator[Suspicion]:
    """Something was found that returns what the station's bridge sends."""
    station = station_of(case, failed[0])
    for finding in (f for name in _CAUSES for f in case.of(name)):
        if station is None or finding.confidence == "possible":
            continue
        bridge = DevId(finding.host, finding.details["netns"], finding.details["bridge"] or "")
        if bridge == station.bridge:
            by = bridge._replace(name=str(finding.details.get("uplink", finding.subject)))
            yield Suspicion(
                "cause",
                "likely",
                station.refs,
                finding.because,
                returned_by=by,
                mac=station.mac,
                port=station.port,
            )


def _random(case: Case, failed: Sequence[Failure]) -> Iterator[Suspicion]:
    """Fresh random addresses fail one after another: nobody else can have drawn all of them."""
    by_prefix: dict[str, list[Failure]] = defaultdict(list)
    for failure in failed:
        parts = halves(failure.address)
        if parts is not None and not failure.used_by:
            by_prefix[parts.prefix].append(failure)
    for prefix, found in by_prefix.items():
        random = [f for f in found if is_random(f.address)]
        enough = len(random) >= _RANDOM_MIN and len(found) >= _FAILED_MIN
        if enough and not _passed(case, failed[0], prefix):
            yield Suspicion("random", "likely")


def _passed(case: Case, failure: Failure, prefix: str) -> bool:
    """Whether the device has an address of that prefix whose detection did not fail."""
    device = failure.device
    rows = case.network.snapshots[device.host].addresses.rows
    good = (a for a in rows if not {"dadfailed", "tentative", "nodad"} & set(a.flags))
    here = (a for a in good if (a.netns, a.dev) == device[1:])
    return any((parts := halves(a.address)) and parts.prefix == prefix for a in here)


def _own_mac(case: Case, failed: Sequence[Failure]) -> Iterator[Suspicion]:
    """The log names the station's own MAC, and the others that are shown have other ones.

    Where its own port is known not to return frames, a clone further off is as likely.
    """
    station = station_of(case, failed[0])
    if station is None or not any(station.mac in f.used_by for f in failed):
        return
    hairpin = case.network.bridges[station.bridge].ports[station.port].flags.get("hairpin")
    others = [s for s in case.network.stations_on(station.bridge) if s.mac != station.mac]
    if others and hairpin is None:
        yield Suspicion(
            "own-mac",
            "likely",
            merge_refs(station.refs, others[0].refs),
            mac=station.mac,
            port=station.port,
            hairpin_file=hairpin_file(station.port.name),
        )


def _advised(case: Case) -> Iterator[Suspicion]:
    """The text holds the hairpin of a port for it, and nothing tells how that is set."""
    for device, row in _advised_ports(case):
        bridge = case.network.bridge_of(device)
        if bridge is None or "hairpin" not in bridge.ports[device].flags:
            refs = (Ref(device.host, row.cite),)
            file = hairpin_file(row.name, row.bridge)
            yield Suspicion("advised", "likely", refs, port=device, hairpin_file=file)


def _all_ports(case: Case) -> Iterator[Suspicion]:
    """It is not told behind which port the station is, and all that lead to guests return."""
    bridges = case.network.bridges.values()
    ports = [p for bridge in bridges for p in bridge.ports.values() if p.role == "guest"]
    flags = [port.flags.get("hairpin") for port in ports]
    if ports and all(flag is not None and flag.value for flag in flags):
        yield Suspicion("all-ports", "likely", merge_refs(*(f.refs for f in flags if f)))
