"""tunnel-reflection: a VXLAN device gets back what it sends.

An entry of its table may name the host's own address. The kernel then does not send at all: the
frame is received again at once by the device of that VNI
(drivers/net/vxlan/vxlan_core.c:encap_bypass_if_local), and the bridge it is a port of believes that
the sender lives behind the tunnel. Hosts that are joined by more than one VNI close a ring over one
another in the same way; no bridge cuts it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from hopback.checks.case import Case, path_steps
from hopback.checks.words import joined, named, placed
from hopback.datapath.effects import Cross, Place
from hopback.datapath.rules import RULES
from hopback.datapath.vxlan import transmit
from hopback.datapath.vxlan_state import VxlanState
from hopback.engines.trace import Hop, Trace, trace
from hopback.findings import Finding, Ladder
from hopback.frames.describe import describe
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, ZERO, Mac, format_mac
from hopback.frames.raw import Raw
from hopback.network.facts import DevId, Ref, merge_refs

NAME = "tunnel-reflection"

_PROBE_MAC = Mac(0x0000_5E00_53FE)  # documentation range, RFC 7042
_PROBE_TYPE = 0x88B5  # IEEE 802 local experimental


class _Own(NamedTuple):
    """An entry that names the host itself: by which address, and the rows that tell."""

    mac: Mac
    address: str
    refs: tuple[Ref, ...]


def check(case: Case) -> Iterator[Finding]:
    """One finding for each device that names its own host, then one for each ring of tunnels."""
    if not case.tunnels:
        return
    told: set[DevId] = set()
    for state in case.model.vxlans.by_id.values():
        set_up, learned = _own_entries(case, state)
        if set_up or learned:
            told.add(state.id)
            yield _own_finding(case, state, set_up, learned)
    seen: set[frozenset[DevId]] = set()
    for id_ in case.model.vxlans.by_id:
        way, journey = _way_back(case, id_)
        devices = frozenset(hop.place.dev for hop in way)
        if way and not told & devices and devices not in seen:
            seen.add(devices)
            yield _ring_finding(case, id_, way, journey)


def _own_entries(case: Case, state: VxlanState) -> tuple[list[_Own], list[_Own]]:
    """The entries by which frames come back: those somebody set up, and those that were learned."""
    set_up: list[_Own] = []
    learned: list[_Own] = []
    for mac, entry in state.fdb.items():
        frame = _probe(BROADCAST if mac == ZERO else mac)
        for effect in transmit(case.model.vxlans, state, {}, frame):
            if isinstance(effect, Cross) and effect.why.rule == "vxlan-local":
                mine = [r for r in entry.remotes if set(r.refs) & set(effect.why.refs)]
                own = _Own(mac, mine[0].dst or "", effect.why.refs)
                (set_up if entry.pinned or mac == ZERO else learned).append(own)
    return set_up, learned


def _probe(target: Mac) -> Frame:
    return Frame(target, _PROBE_MAC, (), _PROBE_TYPE, Raw(bytes(46)))


def _own_finding(case: Case, state: VxlanState, set_up: list[_Own], learned: list[_Own]) -> Finding:
    flooding = [own for own in set_up if own.mac == ZERO]
    first = (flooding or set_up or learned)[0]
    kind = "flood-list" if flooding else "entry" if set_up else "learned"
    explained = _explained(case, {state.id})
    evidence: Ladder = "reported" if learned or explained else "simulated"
    frame = _probe(BROADCAST if first.mac == ZERO else first.mac)
    return Finding(
        check=NAME,
        group="comes-back",
        severity="error",
        evidence=evidence,
        confidence="certain" if set_up else "likely",
        host=state.id.host,
        subject=state.id.name,
        summary=_summary(state.id, kind, first),
        because=(
            *case.evidence("encap_bypass_if_local", merge_refs(*(own.refs for own in set_up))),
            *case.evidence("vxlan_snoop", merge_refs(*(own.refs for own in learned))),
            *(e for symptom in explained for e in symptom.because),
        ),
        path=path_steps(
            (
                (state.id, "out", describe(frame), "sent by the host or its bridge"),
                (state.id, "in", describe(frame), RULES["vxlan-local"].text),
            )
        ),
        details={
            "kind": kind,
            "netns": state.id.netns,
            "address": first.address,
            "entries": [format_mac(own.mac) for own in (*set_up, *learned)],
            "endless": False,
        },
        explains=_names(explained),
    )


def _summary(id_: DevId, kind: str, own: _Own) -> str:
    itself = f"{named(id_.host)} itself"
    if kind == "flood-list":
        return (
            f"The flood list of {id_.name} names {own.address}, an address of {itself}:"
            " every broadcast that leaves by it comes in by it again."
        )
    if kind == "entry":
        return (
            f"{id_.name} sends what is for {format_mac(own.mac)} to {own.address}, an address of"
            f" {itself}: it comes in again."
        )
    return (
        f"{id_.name} learned {format_mac(own.mac)} from {own.address}, which is {itself}:"
        " what had left by it came in again."
    )


def _way_back(case: Case, id_: DevId) -> tuple[tuple[Hop, ...], Trace]:
    """The way of a broadcast out of ``id_`` and back into its bridge by a tunnel, () if none."""
    journey = trace(case.model, Place(id_, "out"), _probe(BROADCAST))[0]
    home = _bridge(case, id_)
    for number, hop in enumerate(journey.hops):
        dev = hop.place.dev
        into = number and hop.place.way == "in" and dev in case.model.vxlans.by_id
        if into and _bridge(case, dev) == home:
            return journey.path(number), journey
    return (), journey


def _bridge(case: Case, id_: DevId) -> DevId:
    return case.model.bridge_of.get(id_, id_)


def _ring_finding(case: Case, id_: DevId, way: tuple[Hop, ...], journey: Trace) -> Finding:
    back = way[-1].place.dev
    over = [placed(hop.place.dev) for hop in way if hop.place.dev[:2] != id_[:2]]
    goes = f"goes to {joined(over)} and " if over else ""
    endless = journey.end("cycle") is not None
    explained = _explained(case, {hop.place.dev for hop in way})
    again = f"by {back.name}" if back != id_ else "by it"
    return Finding(
        check=NAME,
        group="comes-back",
        severity="error",
        evidence="reported" if explained else "simulated",
        confidence="likely" if journey.world else "certain",
        host=id_.host,
        subject=id_.name,
        summary=(
            f"What {named(id_.host)} floods by {id_.name} {goes}comes in again {again}"
            + (", round and round for ever." if endless else ".")
        ),
        because=(
            *case.evidence("vxlan_xmit", merge_refs(*(h.why.refs for h in way if h.why))),
            *(e for symptom in explained for e in symptom.because),
        ),
        path=path_steps(
            (
                hop.place.dev,
                hop.place.way,
                describe(hop.frame),
                RULES[hop.why.rule].text if hop.why else "sent by the bridge",
            )
            for hop in way
        ),
        details={
            "kind": "ring",
            "netns": id_.netns,
            "address": None,
            "entries": [],
            "endless": endless,
        },
        explains=_names(explained),
    )


def _explained(case: Case, devices: set[DevId]) -> tuple[Finding, ...]:
    """Symptoms that one of the devices has: what comes back is learned there, or complained of."""
    names = {(dev.host, dev.name) for dev in devices}

    def concerned(finding: Finding) -> bool:
        return any(
            (finding.host, port) in names for port in _ports(finding.subject, finding.details)
        )

    return tuple(f for f in case.found if f.group == "symptom" and concerned(f))


def _names(symptoms: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f.check for f in symptoms))


def _ports(subject: str, details: Mapping[str, object]) -> tuple[object, ...]:
    ports = details.get("ports")
    return (subject, details.get("actual_port"), *(ports if isinstance(ports, list) else ()))
