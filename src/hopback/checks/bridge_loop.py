"""bridge-loop: a cycle of forwarding ports that spanning tree does not cut.

Among the devices we see, a broadcast is followed through the tables: if the same frame comes to the
same place again, it goes round for ever, as no bridge looks at a TTL. Beyond what we see, a bridge
that hears its own address on two of its ports is part of a ring.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from hopback.checks.case import Case, path_steps
from hopback.checks.own_source import tells_of_a_return
from hopback.checks.words import joined
from hopback.datapath.effects import Place
from hopback.datapath.rules import RULES
from hopback.engines.trace import Trace, trace
from hopback.findings import Finding
from hopback.frames.build import arp_probe
from hopback.frames.describe import describe
from hopback.frames.mac import Mac
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.network.model import BridgeView

NAME = "bridge-loop"

_PROBE_MAC = Mac(0x0000_5E00_53FE)  # documentation range, RFC 7042
_PROBE_TARGET = IPv4Address("192.0.2.1")


def check(case: Case) -> Iterator[Finding]:
    """Cycles first, then rings that only the kernel's messages tell of."""
    in_cycle: set[DevId] = set()
    for bridge in case.network.bridges.values():
        if bridge.id in in_cycle or not _joined(case, bridge):
            continue
        found = _cycle(case, bridge)
        if found is not None:
            in_cycle.update(_bridges_on(case, found))
            yield _cycle_finding(case, found)
    yield from _rings(case, in_cycle)
    yield from _reflected_trunks(case, in_cycle)


def _joined(case: Case, bridge: BridgeView) -> bool:
    """Whether a wire leads from one of its ports to a port of some bridge."""
    for id_ in bridge.ports:
        device = case.network.devices.get(id_)
        peer = device.peer.value if device and device.peer else None
        if peer is not None and peer in case.model.bridge_of:
            return True
    return False


def _cycle(case: Case, bridge: BridgeView) -> Trace | None:
    frame = arp_probe(_PROBE_MAC, _PROBE_TARGET)
    journey = trace(case.model, Place(bridge.id, "out"), frame)[0]
    return journey if journey.end("cycle") else None


def _bridges_on(case: Case, journey: Trace) -> set[DevId]:
    devices = (hop.place.dev for hop in journey.hops)
    return {case.model.bridge_of[d] for d in devices if d in case.model.bridge_of}


def _cycle_finding(case: Case, journey: Trace) -> Finding:
    end = journey.end("cycle")
    assert end is not None  # noqa: S101  (_cycle returns only such journeys)
    ring = journey.ring(end)
    bridge = case.network.bridges[case.model.bridge_of[ring[0].place.dev]]
    around = dict.fromkeys(hop.place.dev for hop in ring)
    ports = [dev.name for dev in around]
    refs = merge_refs(*(hop.why.refs for hop in ring if hop.why), *_port_refs(case, around))
    return Finding(
        check=NAME,
        group="comes-back",
        severity="error",
        evidence="simulated",
        confidence="likely" if journey.world else "certain",
        host=bridge.id.host,
        subject=bridge.id.name,
        summary=(
            f"A broadcast goes round for ever through {', '.join(ports)}:"
            " all of them forward, and spanning tree does not cut the ring."
        ),
        because=case.evidence("cycle", refs),
        path=path_steps(
            (
                hop.place.dev,
                hop.place.way,
                describe(hop.frame),
                RULES[hop.why.rule].text if hop.why else "sent by the host",
            )
            for hop in ring
        ),
        details={"bridge": bridge.id.name, "netns": bridge.id.netns, "ports": ports},
        explains=_explained(case, bridge),
    )


def _port_refs(case: Case, around: Iterable[DevId]) -> Iterator[tuple[Ref, ...]]:
    for dev in around:
        port = case.network.bridges[case.model.bridge_of[dev]].ports[dev]
        yield merge_refs(port.refs, port.state.refs if port.state else ())


def _explained(case: Case, bridge: BridgeView) -> tuple[str, ...]:
    names = [f.check for f in case.found if f.group == "symptom" and f.host == bridge.id.host]
    return tuple(dict.fromkeys(names))


def _rings(case: Case, in_cycle: set[DevId]) -> Iterator[Finding]:
    heard: dict[DevId, list[Finding]] = defaultdict(list)
    for finding in case.of("own-source"):
        details = finding.details
        if details["bridge"] and tells_of_a_return(finding):
            bridge = DevId(finding.host, details["netns"], details["bridge"])
            heard[bridge].append(finding)
    for bridge, found in heard.items():
        if len(found) < 2 or bridge in in_cycle:
            continue
        ports = [f.subject for f in found]
        yield Finding(
            check=NAME,
            group="comes-back",
            severity="error",
            evidence="reported",
            confidence="likely",
            host=bridge.host,
            subject=bridge.name,
            summary=(
                f"{bridge.name} hears its own address on {joined(ports)}:"
                " the networks behind them are joined somewhere else, and that is a ring."
            ),
            because=tuple(e for f in found for e in f.because),
            details={"bridge": bridge.name, "netns": bridge.netns, "ports": ports},
            explains=("own-source",),
            alternatives=("each of the ports returns frames by itself",),
        )


def _reflected_trunks(case: Case, in_cycle: set[DevId]) -> Iterator[Finding]:
    """Hairpin towards another switch: that switch gets back all it floods, and floods it on."""
    for finding in case.of("hairpin-reflection"):
        bridge = DevId(finding.host, finding.details["netns"], finding.details["bridge"])
        if finding.details["harm"] != "switch" or bridge in in_cycle:
            continue
        switch = finding.details["switch"]
        yield Finding(
            check=NAME,
            group="comes-back",
            severity="error",
            evidence="predicted",
            confidence="likely",
            host=finding.host,
            subject=bridge.name,
            summary=(
                f"What {switch} floods comes back to it from {finding.subject} and is flooded again"
                " on its other links; where one of those does the same, it goes round for ever."
            ),
            because=finding.because,
            details={"bridge": bridge.name, "netns": bridge.netns, "ports": [finding.subject]},
        )
