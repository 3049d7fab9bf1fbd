"""How sure it is that failed duplicate detection comes from the station's own probe.

A cloned MAC, another machine with the address, and a proxy fail it in the same words. So a path
that returns the probe is asked for, or something that no other station could have done.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from hopback.checks.case import Case
from hopback.checks.dad import Failure, enhanced_dad, station_of, unexplained
from hopback.checks.heard_twice import WINDOW
from hopback.checks.own_probe import advised_ports, hairpin_file, hairpin_of, returned
from hopback.engines.trace import Hop
from hopback.findings import Confidence, Evidence
from hopback.frames.mac import Mac
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.network.identifiers import canonical, halves, is_random
from hopback.snapshot.rows import NeighbourMessage

Why = Literal["captured", "path", "cause", "random", "own-mac", "all-ports", "advised", "undecided"]
_CAUSES = ("uplink-echo", "bond-reflection", "tunnel-reflection")
_RANDOM_MIN = 2  # clones have the same stable identifiers, so one of them proves nothing
_FAILED_MIN = 3
_FAILED_MAX = 8  # of one device: what fails all of them has shown itself by then


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
        if len(by_device[failure.device]) < _FAILED_MAX:
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
        advised = [(d, ref) for d, _, ref in advised_ports(case) if hairpin_of(case, d) is not None]
        if not advised:
            return Suspicion("undecided", "possible", passed)
        port, refs = advised[0][0], (advised[0][1],)
    hairpin = hairpin_of(case, port)
    return Suspicion(
        "undecided",
        "possible",
        merge_refs(refs, hairpin.refs if hairpin else (), passed),
        mac=station.mac if station else None,
        port=port,
        hairpin_file=hairpin_file(port.name) if hairpin is None else None,
    )


def _reasons(case: Case, failed: Sequence[Failure]) -> Iterator[Suspicion]:
    yield from _captured(case, failed)
    for failure in failed:
        yield from _returned(case, failure)
    yield from _cause(case, failed)
    yield from _random(case, failed)
    yield from _own_mac(case, failed)
    if station_of(case, failed[0]) is None and not failed[0].ipv4:
        yield from _advised(case)
        yield from _all_ports(case, failed[0].device)


def _captured(case: Case, failed: Sequence[Failure]) -> Iterator[Suspicion]:
    """Its solicitation is in a capture on the device itself, sent and heard."""
    host, _, name = failed[0].device
    own = {f.address: f.own for f in failed}
    last: dict[tuple[str, Mac, str | None], NeighbourMessage] = {}
    for row in case.network.snapshots[host].neighbour_messages.rows:
        address = canonical(row.address)
        if row.kind != "ns" or row.dev != name or row.mac is None:
            continue
        if row.mac not in own.get(address, ()):
            continue
        before = last.get((address, row.mac, row.nonce))
        last[address, row.mac, row.nonce] = row
        if before is None or before.at is None or row.at is None or row.direction == "out":
            continue
        if 0 <= row.at - before.at <= WINDOW:
            refs = (Ref(host, r.cite) for r in (before, row))
            sure: Confidence = "certain" if row.direction == "in" else "likely"
            yield Suspicion("captured", sure, merge_refs(refs, own[address][row.mac]))


def _returned(case: Case, failure: Failure) -> Iterator[Suspicion]:
    """The tables return its probe; an IPv4 one it would ignore, unless the log names its MAC."""
    for back in returned(case, failure):
        named = not failure.ipv4 or back.mac in failure.used_by
        yield Suspicion(
            "path",
            ("certain" if back.sure else "likely") if named else "possible",
            back.refs,
            returned_by=back.by,
            mac=back.mac,
            port=back.port,
            hairpin_file=hairpin_file(back.port.name),
            path=back.path,
        )


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
    if others and hairpin_of(case, station.port) is None:
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
    for device, row, ref in advised_ports(case):
        if hairpin_of(case, device) is None:
            file = hairpin_file(row.name, row.bridge)
            yield Suspicion("advised", "likely", (ref,), port=device, hairpin_file=file)


def _all_ports(case: Case, device: DevId) -> Iterator[Suspicion]:
    """The station is a guest of another host, and all ports there that lead to guests return.

    A host's own log is no guest's: its devices stand before the bridge.
    """
    bridges = [b for b in case.network.bridges.values() if b.id.host != device.host]
    ports = [p for bridge in bridges for p in bridge.ports.values() if p.role == "guest"]
    flags = [port.flags.get("hairpin") for port in ports]
    if ports and all(flag is not None and flag.value for flag in flags):
        yield Suspicion("all-ports", "likely", merge_refs(*(f.refs for f in flags if f)))
