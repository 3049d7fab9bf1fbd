"""From snapshots to a report: run the checks, explain symptoms by causes, say the verdict."""

from collections.abc import Sequence

from hopback.checks.advice import next_steps
from hopback.checks.case import Case
from hopback.checks.open_ends import (
    gaps_of,
    unfollowed_services,
    unrouted_tunnels,
    unseen_servers,
    untried,
)
from hopback.checks.registry import run
from hopback.checks.ring_trace import followed_whole
from hopback.checks.round_signs import is_reached, traces
from hopback.findings import CONFIDENCES, Finding, Gap, Group, Report, Verdict
from hopback.network.build import build
from hopback.network.model import Network
from hopback.snapshot.model import Snapshot
from hopback.snapshot.table import Problem

_GROUPS = ("comes-back", "symptom", "other-fault", "benign")
_SETTLING: tuple[Group, ...] = ("other-fault", "benign")
_SEVERITY = ("error", "warning", "info")
_QUICK_PORTS, _QUICK_ENTRIES = 64, 2_000


def diagnose(
    snapshots: Sequence[Snapshot], problems: Sequence[Problem] = (), *, prove: bool = False
) -> Report:
    """The whole diagnosis of one or several hosts.

    A verdict of ``clear`` is tried by ``verify``: on a small network always, on any if ``prove``.
    """
    network = build(snapshots)
    case = run(Case(network))
    found = tuple(sorted(case.found, key=_rank))
    gaps = (
        *gaps_of(network, found),
        *untried(case),
        *unfollowed_services(case),
        *unrouted_tunnels(case),
        *unseen_servers(case, found),
    )
    verdict = _verdict(case, found, gaps)
    proof = None
    if verdict == "clear" and (prove or _is_small(network)):
        from hopback.checks.proof import tried, unexplained  # most reports need no proof

        proof = tried(case, thoroughly=prove)
        gaps = tuple(unexplained(proof.witnesses))
        verdict = "undecided" if gaps else verdict
    if verdict == "clear" and not any(f.group in _SETTLING for f in found):
        found = (_healthy(network), *found)
    return Report(
        verdict=verdict,
        sentence=_sentence(network, verdict, found, gaps),
        hosts=tuple(network.snapshots),
        findings=found,
        next=next_steps(network, found, gaps, verdict),
        gaps=gaps,
        problems=(*problems, *network.problems),
        proved=proof is not None and proof.holds,
        unproved=(*proof.asked, *proof.open) if proof else (),
        trusted=tuple(dev.name for dev in proof.beyond) if proof else (),
    )


def _is_small(network: Network) -> bool:
    """Whether a proof costs so little that it need not be asked for."""
    bridges = network.bridges.values()
    known = sum(len(look.entries) for bridge in bridges for look in bridge.listings)
    return sum(len(b.ports) for b in bridges) <= _QUICK_PORTS and known <= _QUICK_ENTRIES


def _rank(finding: Finding) -> tuple[int, int, int]:
    return (
        _SEVERITY.index(finding.severity) // 2,
        _GROUPS.index(finding.group),
        CONFIDENCES.index(finding.confidence),
    )


def _verdict(case: Case, found: Sequence[Finding], gaps: Sequence[Gap]) -> Verdict:
    """comes-back: a cause that is at least likely. clear: nothing is left open. Else undecided."""
    causes = [f for f in found if f.group == "comes-back" and not f.details.get("spared")]
    if any(f.confidence != "possible" and f.severity != "info" for f in causes):
        return "comes-back"
    faults = [f for f in found if f.group == "other-fault"]
    symptoms = [f for f in found if f.group == "symptom" and f.severity != "info"]
    open_symptom = any(not any(_explains(f, s) for f in faults) for s in symptoms)
    blind = any(f.check == "blind-path" for f in found)
    seen = any(_settles(f) for f in found) or _shows_traffic(case)
    if causes or open_symptom or blind or gaps or not seen:
        return "undecided"
    return "clear"


def _settles(finding: Finding) -> bool:
    """Whether it tells what becomes of frames: a fault that is there, or a cause that is cut."""
    guess = finding.severity == "info" and finding.confidence == "possible"
    spared = finding.group == "comes-back" and "spared" in finding.details
    return spared or (finding.group in _SETTLING and not guess)


def _explains(fault: Finding, symptom: Finding) -> bool:
    """Whether ``fault`` accounts for ``symptom``: the kind of thing, of the same subject."""
    about = (symptom.subject, *symptom.details.get("addresses", ()))
    return symptom.check in fault.explains and fault.subject in about


def _shows_traffic(case: Case) -> bool:
    """Whether something given tells of packets, not of wiring alone: a table, a log, a trace."""
    network = case.network
    flags = any("hairpin" in p.flags for b in network.bridges.values() for p in b.ports.values())
    return bool(flags or case.circles.tried or followed_whole(case)) or any(
        s.port_events.rows
        or any(not e.on_device for e in s.fdb.rows)
        or any(map(is_reached, traces(s)))
        for s in network.snapshots.values()
    )


def _healthy(network: Network) -> Finding:
    bridges = ", ".join(b.name for b in network.bridges)
    about = f" about {bridges}" if bridges else ""
    return Finding(
        check="healthy",
        group="benign",
        severity="info",
        evidence="predicted",
        confidence="certain",
        host=next(iter(network.snapshots), ""),
        subject=bridges,
        summary=f"Nothing in what was given{about} comes back or goes astray.",
    )


def _sentence(
    network: Network, verdict: Verdict, found: Sequence[Finding], gaps: Sequence[Gap]
) -> str:
    """The one sentence a person reads first."""
    if verdict == "comes-back":
        cause = next(f for f in found if f.group == "comes-back")
        return cause.summary
    if verdict == "clear":
        return next(f.summary for group in _SETTLING for f in found if f.group == group)
    if found:
        return f"Not decided: {found[0].summary}"
    if gaps:
        return f"Not decided: {gaps[0].reason}."
    if network.bridges:
        return "Not decided: what was given shows how it is wired, and nothing of what it forwards."
    if any(s.sightings.rows for s in network.snapshots.values()):
        return "Not decided: what was given shows packets, and not by which ports they go."
    if any(s.fdb_events.rows for s in network.snapshots.values()):
        return "Not decided: what was given shows no address that was learned there and back."
    return "Not decided: what was given shows no bridge, no forwarding table and no kernel message."
