"""hairpin-reflection: a bridge port with hairpin on gives a station its own frames back.

Hairpin (IFLA_BRPORT_MODE) lifts the one rule that keeps a frame from its own port
(net/bridge/br_forward.c:should_deliver), for floods as well, so a station hears every broadcast and
multicast it sends. That is normal under Kubernetes and nova and harms nobody until something takes
the copy for another's frame: duplicate address detection, or a switch behind the port.
"""

from collections import defaultdict
from collections.abc import Iterator

from hopback.checks.case import Case, path_steps
from hopback.checks.dad import Failure
from hopback.checks.reflected import lost_to_itself, reflected
from hopback.checks.suspicion import Suspicion, suspected
from hopback.datapath.rules import RULES
from hopback.findings import Finding
from hopback.frames.describe import describe
from hopback.frames.mac import ZERO, format_mac
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.network.model import BridgeView, Port
from hopback.snapshot.rows import Address

NAME = "hairpin-reflection"


def check(case: Case) -> Iterator[Finding]:
    """One finding for each port that does harm, and one for each bridge whose ports do none."""
    harmed = _harmed(case)
    for bridge in case.network.bridges.values():
        quiet: list[tuple[Port, tuple[Ref, ...]]] = []
        kept: tuple[Ref, ...] = ()
        for port in bridge.ports.values():
            hairpin = port.flags.get("hairpin")
            if hairpin is None or not hairpin.value:
                continue
            switch = _switch_behind(case, port)
            told = harmed.get(port.id, [])
            harms = [harm for harm in told if harm[1].confidence != "possible"]
            if switch is not None:
                yield _towards_switch(case, bridge, port, *switch)
            elif harms:
                yield from (_harming(case, bridge, port, *harm) for harm in harms)
            elif case.unclear_on(port.id) is None:
                back, stopped = reflected(case, bridge.id, port.id)
                kept = merge_refs(kept, stopped)
                if back:
                    quiet.append((port, merge_refs(*(s.hidden for _, s in told))))
                elif stopped:
                    yield _spared(case, bridge, port, stopped)
        if quiet:
            yield _harmless(case, bridge, quiet, kept)


_Harm = tuple[tuple[Failure, ...], Suspicion]


def _harmed(case: Case) -> dict[DevId, list[_Harm]]:
    """By port, the stations whose duplicate detection failed, and what it returns to them."""
    found: dict[DevId, list[_Harm]] = defaultdict(list)
    for _, failed, suspicion in suspected(case):
        if suspicion.returned_by is not None:
            found[suspicion.returned_by].append((failed, suspicion))
    return found


def _switch_behind(case: Case, port: Port) -> tuple[str, tuple[Ref, ...]] | None:
    """A veth whose other end stays in the same namespace leads to another switch, not a station.

    Unless that end has an address: then the host itself is the station.
    """
    device = case.network.devices.get(port.id)
    if device is None or device.peer is None:
        return None
    peer = device.peer.value
    bridged = case.network.bridge_of(peer) is not None
    if bridged or (peer.netns == port.id.netns and not _has_address(case, peer)):
        return peer.name, device.peer.refs
    return None


def _has_address(case: Case, dev: DevId) -> bool:
    rows = case.network.snapshots[dev.host].addresses.rows
    return any((a.netns, a.dev) == dev[1:] and not _link_local(a) for a in rows)


def _link_local(address: Address) -> bool:
    """Any device that is up has one of these; it makes no station."""
    return address.address.lower().startswith("fe80:")


def _harming(
    case: Case,
    bridge: BridgeView,
    port: Port,
    failed: tuple[Failure, ...],
    suspicion: Suspicion,
) -> Finding:
    hairpin = port.flags["hairpin"]
    mac = format_mac(suspicion.mac or ZERO)
    return Finding(
        check=NAME,
        group="comes-back",
        severity="error",
        evidence="reported",
        confidence=suspicion.confidence,
        host=bridge.id.host,
        subject=port.id.name,
        summary=(
            f"Hairpin is on for {port.id.name}: {mac} gets its own broadcasts and multicasts back,"
            " and its duplicate address detection failed on one."
        ),
        because=(
            *case.evidence("should_deliver", merge_refs(hairpin.refs, port.refs)),
            *case.evidence("own-port", suspicion.refs),
            *case.evidence("dad-failed", merge_refs(*(f.refs for f in failed))),
        ),
        path=path_steps(
            (
                hop.place.dev,
                hop.place.way,
                describe(hop.frame),
                RULES[hop.why.rule].text if hop.why else "sent by the station",
            )
            for hop in suspicion.path
        ),
        details={"bridge": bridge.id.name, "netns": bridge.id.netns, "station": mac, "harm": "dad"},
        explains=("dad-failed", "dad-reflection"),
    )


def _towards_switch(
    case: Case, bridge: BridgeView, port: Port, switch: str, refs: tuple[Ref, ...]
) -> Finding:
    hairpin = port.flags["hairpin"]
    return Finding(
        check=NAME,
        group="comes-back",
        severity="error",
        evidence="predicted",
        confidence="likely",
        host=bridge.id.host,
        subject=port.id.name,
        summary=(
            f"Hairpin is on for {port.id.name}, which leads to another switch ({switch}), not to a"
            " station: every flooded frame goes back into that switch."
        ),
        because=case.evidence("should_deliver", merge_refs(hairpin.refs, port.refs, refs)),
        details={
            "bridge": bridge.id.name,
            "netns": bridge.id.netns,
            "harm": "switch",
            "switch": switch,
        },
    )


def _spared(case: Case, bridge: BridgeView, port: Port, stopped: tuple[Ref, ...]) -> Finding:
    """A filter keeps the station's frames from it; what the filter costs is said, too."""
    cost = lost_to_itself(case, bridge.id, port.id)
    whose = merge_refs(*(s.refs for s in case.network.stations if s.port == port.id))
    price = (
        " It also drops what NAT sends back to the station: by a floating address or a Service of"
        " its own the station does not reach itself while br_netfilter is on."
    )
    return Finding(
        check=NAME,
        group="comes-back",
        severity="info",
        evidence="predicted",
        confidence="certain",
        host=bridge.id.host,
        subject=port.id.name,
        summary=(
            f"Hairpin is on for {port.id.name}, and a filter keeps the station's own broadcasts"
            f" from it.{price if cost else ''}"
        ),
        because=(
            *case.evidence("should_deliver", merge_refs(port.flags["hairpin"].refs, port.refs)),
            *case.evidence("own-port", whose),
            *case.evidence("filter-drop", merge_refs(stopped, cost)),
        ),
        details={
            "bridge": bridge.id.name,
            "netns": bridge.id.netns,
            "harm": None,
            "spared": True,
            "loses_itself": bool(cost),
        },
    )


def _harmless(
    case: Case,
    bridge: BridgeView,
    ports: list[tuple[Port, tuple[Ref, ...]]],
    kept: tuple[Ref, ...],
) -> Finding:
    """``ports`` come with what says that a station hears its own frames and knows them.

    ``kept`` are the rows of filters that spare other ports the same.
    """
    names = [p.id.name for p, _ in ports]
    refs = merge_refs(*(merge_refs(p.flags["hairpin"].refs, p.refs) for p, _ in ports))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return Finding(
        check=NAME,
        group="comes-back",
        severity="info",
        evidence="predicted",
        confidence="certain",
        host=bridge.id.host,
        subject=bridge.id.name,
        summary=(
            f"Hairpin is on for {', '.join(names[:3])}{more}: stations behind get their own"
            " broadcasts back. Nothing given shows that this harms one."
        ),
        because=(
            *case.evidence("should_deliver", refs),
            *case.evidence("enhanced-dad", merge_refs(*(hidden for _, hidden in ports))),
            *case.evidence("filter-drop", kept),
        ),
        details={
            "bridge": bridge.id.name,
            "netns": bridge.id.netns,
            "ports": names,
            "harm": None,
        },
    )
