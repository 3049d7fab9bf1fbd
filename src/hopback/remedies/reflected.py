"""Remedies for ports that give a station its own frames back."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from msgspec.structs import replace

from hopback.datapath.model import model_of
from hopback.findings import Finding, Fix, Report
from hopback.network.build import build
from hopback.network.model import Network
from hopback.remedies import alternatives, hairpin_off, port_filter, port_filter_nwfilter
from hopback.remedies.lasting import afterwards, persistence
from hopback.remedies.prove import prove, trial
from hopback.remedies.target import CHECKS, Target, target_of, told_target
from hopback.snapshot.model import Snapshot

OFFERED = (
    hairpin_off.REMEDY,
    port_filter.REMEDY,
    port_filter_nwfilter.REMEDY,
    port_filter.IN_EBTABLES,
)
"""In the order of preference; what is proved goes before what is not."""

BY_NAME = MappingProxyType({r.name: r for r in (*OFFERED, *alternatives.REMEDIES)})
"""All that may be done about a reflection, and should or should not."""

_TRIED_MAX = 16
"""Ports for which remedies are tried; beyond, one looks like the other."""


def reflected(snapshots: Sequence[Snapshot], report: Report) -> Mapping[int, tuple[Fix, ...]]:
    """The fixes by the number of the finding that they stand with."""
    network = build(snapshots)
    blamed = dict(list(_blamed(network, report).items())[:_TRIED_MAX])
    if not blamed:
        return _untried(network, report)
    model = model_of(network)
    trials = [trial(model, target) for target in blamed.values()]
    offered = [prove(snapshots, trials, remedy) for remedy in OFFERED]
    refused = [prove(snapshots, trials[:1], r, refute=True) for r in alternatives.REMEDIES]
    found: dict[int, tuple[Fix, ...]] = {}
    for place, (number, target) in enumerate(blamed.items()):
        fixes = [fix for tried in offered if (fix := tried[place]) is not None]
        fixes += [fix for (fix,) in refused if fix and fix.rejected_because and not place]
        every = (_completed(network, target, report.findings[number], fix) for fix in fixes)
        found[number] = tuple(sorted(every, key=_rank))
    return found


def _untried(network: Network, report: Report) -> dict[int, tuple[Fix, ...]]:
    """The plans for a port that no table shows: in the usual order, none of them proved."""
    found: dict[int, tuple[Fix, ...]] = {}
    for number, finding in enumerate(report.findings):
        target = told_target(network, finding)
        if target is not None:
            plans = (remedy.plan(target) for remedy in OFFERED)
            every = (_completed(network, target, finding, fix) for fix in plans if fix is not None)
            found[number] = tuple(every)
    return found


def _blamed(network: Network, report: Report) -> dict[int, Target]:
    """The ports to be mended, each once, by the number of the finding that blames it."""
    found: dict[int, Target] = {}
    for check in CHECKS:
        for number, finding in enumerate(report.findings):
            target = target_of(network, finding) if finding.check == check else None
            if target is not None and all(t.port != target.port for t in found.values()):
                found[number] = target
    return found


def _completed(network: Network, target: Target, finding: Finding, fix: Fix) -> Fix:
    """With what has to follow; turning hairpin off may cut traffic unless it is proved not to."""
    if fix.rejected_because is not None:
        return replace(fix, safe=False)
    return replace(
        fix,
        safe=fix.proved or fix.name != hairpin_off.NAME,
        afterwards=afterwards(network, target, finding),
        persistence=persistence(network, target, fix),
    )


def _rank(fix: Fix) -> tuple[bool, bool]:
    return fix.rejected_because is not None, not fix.proved
