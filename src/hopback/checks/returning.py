"""Symptoms that what leaves by a way out comes in again on it, whatever returns it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from hopback.checks.case import Case
from hopback.checks.own_source import tells_of_a_return
from hopback.findings import Confidence, Finding
from hopback.network.facts import DevId
from hopback.network.model import BridgeView

_FRESH_SECONDS = 60.0
"""An entry this young was refreshed while the station was at home to refresh its own."""


def returning(case: Case) -> Iterator[tuple[DevId, list[Finding]]]:
    """For each bridge the symptoms that point to a way out of the host.

    Not where a loop in sight accounts for them, nor for a MAC that two stations have. Without a
    bridge it is the device that received the frames.
    """
    looped = {(f.host, f.details["netns"], f.subject) for f in case.of("bridge-loop")}
    doubled = {f.subject for f in case.of("duplicate-mac")}
    symptoms: dict[tuple[str, str, str | None], list[Finding]] = defaultdict(list)
    for name in ("fdb-misplaced", "own-source", "mac-move"):
        for finding in case.of(name):
            if finding.subject not in doubled and _points_out(case, finding):
                key = (finding.host, finding.details["netns"], finding.details["bridge"])
                symptoms[key].append(finding)
    for (host, netns, bridge), found in symptoms.items():
        if (host, netns, bridge) not in looped:
            own = any(f.check == "own-source" for f in found)
            yield DevId(host, netns, bridge or (found[0].subject if own else "")), found


def _points_out(case: Case, finding: Finding) -> bool:
    """Whether the place where the frames came in may be a way out of the host."""
    match finding.check:
        case "fdb-misplaced":
            outward = finding.details["actual_port_role"] != "guest"
            return outward and bool(finding.details["learned"])
        case "own-source":
            return tells_of_a_return(finding)
        case _ if finding.details["told_by"] == "switch":
            return False  # a bond without a LAG makes a switch say the same, and returns nothing
        case _:
            bridge = DevId(finding.host, finding.details["netns"], finding.details["bridge"] or "")
            view = case.network.bridges.get(bridge)
            return finding.severity != "info" and bool(_outward(view, finding.details["ports"]))


def _outward(view: BridgeView | None, names: Sequence[str]) -> list[str]:
    """Those of the ports that do not lead to a guest."""
    ports = {name: view.port(name) if view else None for name in names}
    return [name for name, port in ports.items() if port is None or port.role != "guest"]


def uplink_of(case: Case, bridge: DevId, found: Sequence[Finding]) -> str:
    """The port the frames came in by: as the table names it, else as the log does."""
    for finding in found:
        if finding.check == "fdb-misplaced":
            return str(finding.details["actual_port"])
    for finding in found:
        if finding.check == "own-source":
            return str(finding.details["listed_port"] or finding.subject)
    return _outward(case.network.bridges.get(bridge), found[0].details["ports"])[-1]


def addresses_of(found: Sequence[Finding]) -> list[str]:
    """The MACs whose frames came back, as far as they are told."""
    stations = [f.subject for f in found if f.check != "own-source"]
    own = [mac for f in found for mac in f.details.get("addresses", ())]
    return list(dict.fromkeys(stations + own))


def confidence_of(found: Sequence[Finding]) -> Confidence:
    """The kernel's own word, or a fresh entry while the station is at home, makes it likely."""
    for finding in found:
        age = finding.details.get("age_seconds")
        fresh = age is None or age <= _FRESH_SECONDS
        if finding.check != "fdb-misplaced" or fresh:
            return "likely"
    return "possible"


def alternatives_of(found: Sequence[Finding]) -> tuple[str, ...]:
    """What else the symptoms could come from."""
    return tuple(dict.fromkeys(a for f in found for a in f.alternatives))
