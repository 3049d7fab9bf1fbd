"""How sure it is that failed duplicate detection comes from the station's own probe.

A cloned MAC, another machine with the address, and a proxy fail it in the same words. So a path
that returns the probe is asked for, or something that no other station could have done.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal, NamedTuple

from hopback.checks.case import Case
from hopback.checks.dad import Failure, enhanced_dad, station_of, unexplained
from hopback.checks.filters import filter_on
from hopback.checks.heard_twice import WINDOW
from hopback.datapath.effects import Place
from hopback.datapath.path import nic_of
from hopback.engines.trace import Hop, Trace, trace
from hopback.findings import Confidence, Evidence
from hopback.frames.build import arp_probe, dad_ns, link_local
from hopback.frames.ethernet import Frame
from hopback.frames.mac import Mac
from hopback.network.facts import DevId, Fact, Ref, merge_refs
from hopback.network.identifiers import canonical, halves, is_random
from hopback.snapshot.rows import HairpinAdvice, NeighbourMessage

Why = Literal["captured", "path", "cause", "random", "own-mac", "all-ports", "advised", "undecided"]
_CAUSES = ("uplink-echo", "bond-reflection", "tunnel-reflection")
_RANDOM_MIN = 2  # clones have the same stable identifiers, so one of them proves nothing
_FAILED_MIN = 3


class Suspicion(NamedTuple):
    """Why a station is held to hear itself.

    ``returned_by`` gives its probe (sent with ``mac``) back, ``port`` is the station's own where
    that is told, ``hairpin_file`` what to read there. ``because`` is a cause's evidence.
    ``hidden`` says that the station knows its own solicitation when it hears it.
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
    hidden: tuple[Ref, ...] = ()


def suspected(case: Case) -> Iterator[tuple[DevId, tuple[Failure, ...], Suspicion]]:
    """One for each device with failures that no other fault accounts for."""
    by_device: dict[DevId, list[Failure]] = defaultdict(list)
    for failure in unexplained(case):
        by_device[failure.device].append(failure)
    for device, failed in by_device.items():
        yield device, tuple(failed), suspicion(case, failed)


def suspicion(case: Case, failed: Sequence[Failure]) -> Suspicion:
    """The strongest reason for the failures of one device, none of which a fault accounts for."""
    active = enhanced_dad(case, failed[0].device)
    found = next(_reasons(case, failed), None) or _undecided(case, failed)
    if active is None or all(f.ipv4 for f in failed):
        return found
    if active.value and found.why != "captured":
        # its own solicitation would have been known: a clone is as likely as an advertisement
        return found._replace(confidence="possible", hidden=active.refs)
    return found


def _undecided(case: Case, failed: Sequence[Failure]) -> Suspicion:
    """What is known of its port, and what argues against the other reasons."""
    station = station_of(case, failed[0])
    passed = _passed(case, failed) if _drawn(failed) else ()
    if station is not None:
        port, refs = station.port, station.refs
    else:
        advised = [(d, r) for d, r in _advised_ports(case) if _hairpin(case, d) is not None]
        if not advised:
            return Suspicion("undecided", "possible", passed)
        port, refs = advised[0][0], (Ref(advised[0][0].host, advised[0][1].cite),)
    hairpin = _hairpin(case, port)
    return Suspicion(
        "undecided",
        "possible",
        merge_refs(refs, hairpin.refs if hairpin else (), passed),
        mac=station.mac if station else None,
        port=port,
        hairpin_file=hairpin_file(port.name) if hairpin is None else None,
    )


def _hairpin(case: Case, port: DevId) -> Fact[bool] | None:
    bridge = case.network.bridge_of(port)
    return bridge.ports[port].flags.get("hairpin") if bridge else None


def hairpin_file(port: str, bridge: str | None = None) -> str:
    """Where the kernel shows whether hairpin is on (net/bridge/br_sysfs_if.c)."""
    place = f"{bridge}/brif/{port}" if bridge else f"{port}/brport"
    return f"/sys/class/net/{place}/hairpin_mode"


def _reasons(case: Case, failed: Sequence[Failure]) -> Iterator[Suspicion]:
    for failure in failed if _messages(case, failed[0].device) else ():
        yield from _captured(case, failure)
    for failure in failed:
        yield from _returned(case, failure)
    yield from _cause(case, failed)
    yield from _random(case, failed)
    yield from _own_mac(case, failed)
    if station_of(case, failed[0]) is None and not failed[0].ipv4:
        yield from _advised(case)
        yield from _all_ports(case, failed[0].device)


def _messages(case: Case, device: DevId) -> bool:
    return bool(case.network.snapshots[device.host].neighbour_messages.rows)


def _captured(case: Case, failure: Failure) -> Iterator[Suspicion]:
    """Its solicitation is in a capture on the device itself, sent and heard."""
    snapshot = case.network.snapshots[failure.device.host]
    last: dict[tuple[Mac, str | None], NeighbourMessage] = {}
    for row in snapshot.neighbour_messages.rows:
        if row.kind != "ns" or row.mac is None or row.mac not in failure.own:
            continue
        if row.dev != failure.device.name or canonical(row.address) != failure.address:
            continue
        before = last.get((row.mac, row.nonce))
        last[row.mac, row.nonce] = row
        if before is None or before.at is None or row.at is None or row.direction == "out":
            continue
        if 0 <= row.at - before.at <= WINDOW:
            refs = (Ref(snapshot.host, r.cite) for r in (before, row))
            sure: Confidence = "certain" if row.direction == "in" else "likely"
            yield Suspicion("captured", sure, merge_refs(refs, failure.own[row.mac]))


def _returned(case: Case, failure: Failure) -> Iterator[Suspicion]:
    """The tables return its probe: by the hairpin of its own port, or by any other path."""
    station = station_of(case, failure)
    if station is not None:
        yield from _traced(case, failure, station.port, station.mac, station.refs)
        return
    mac = next(iter(failure.own), None)
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
    if _drawn(failed) and not _passed(case, failed):
        yield Suspicion("random", "likely")


def _drawn(failed: Sequence[Failure]) -> str | None:
    """The prefix in which several random addresses failed, and no other MAC was named."""
    by_prefix: dict[str, list[Failure]] = defaultdict(list)
    for failure in failed:
        parts = halves(failure.address)
        if parts is not None and all(mac in failure.own for mac in failure.used_by):
            by_prefix[parts.prefix].append(failure)
    for prefix, found in by_prefix.items():
        random = sum(is_random(f.address) for f in found)
        if random >= _RANDOM_MIN and len(found) >= _FAILED_MIN:
            return prefix
    return None


def _passed(case: Case, failed: Sequence[Failure]) -> tuple[Ref, ...]:
    """An address of that prefix on the device whose detection did not fail."""
    device, prefix = failed[0].device, _drawn(failed)
    for row in case.network.snapshots[device.host].addresses.rows:
        parts = halves(row.address) if (row.netns, row.dev) == device[1:] else None
        good = not {"dadfailed", "tentative", "nodad"} & set(row.flags)
        if good and parts is not None and parts.prefix == prefix:
            return (Ref(device.host, row.cite),)
    return ()


def _own_mac(case: Case, failed: Sequence[Failure]) -> Iterator[Suspicion]:
    """The log names the station's own MAC, and the others that are shown have other ones.

    Where its own port is known not to return frames, a clone further off is as likely.
    """
    station = station_of(case, failed[0])
    if station is None or not any(station.mac in f.used_by for f in failed):
        return
    others = [s for s in case.network.stations_on(station.bridge) if s.mac != station.mac]
    if others and _hairpin(case, station.port) is None:
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
        if _hairpin(case, device) is None:
            refs = (Ref(device.host, row.cite),)
            file = hairpin_file(row.name, row.bridge)
            yield Suspicion("advised", "likely", refs, port=device, hairpin_file=file)


def _all_ports(case: Case, device: DevId) -> Iterator[Suspicion]:
    """The station is a guest of another host, and all ports there that lead to guests return.

    A host's own log is no guest's: its devices stand before the bridge.
    """
    bridges = [b for b in case.network.bridges.values() if b.id.host != device.host]
    ports = [p for bridge in bridges for p in bridge.ports.values() if p.role == "guest"]
    flags = [port.flags.get("hairpin") for port in ports]
    if ports and all(flag is not None and flag.value for flag in flags):
        yield Suspicion("all-ports", "likely", merge_refs(*(f.refs for f in flags if f)))
