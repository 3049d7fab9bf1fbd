"""uplink-echo: frames that left by an uplink come in again on it.

Something beyond the uplink returns what the host sends: a loop, a mis-cabled LAG, a promiscuous
virtual switch, an access point. The bridge then learns its own stations on the uplink
(net/bridge/br_fdb.c:br_fdb_update: the last frame wins) and logs its own address when the frame was
the host's. The tables show the effect; which cable it is, only captures on each leg can show.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from hopback.checks.case import Case, path_steps
from hopback.checks.heard_twice import Echo, echoes
from hopback.checks.own_source import tells_of_a_return
from hopback.datapath.rules import RULES
from hopback.findings import Confidence, Finding, Step
from hopback.network.facts import DevId
from hopback.network.model import BridgeView

NAME = "uplink-echo"

_FRESH_SECONDS = 60.0
"""An entry this young was refreshed while the station was at home to refresh its own."""


def check(case: Case) -> Iterator[Finding]:
    """One finding for each bridge whose symptoms point to one of its ways out."""
    looped = {(f.host, f.details["netns"], f.subject) for f in case.of("bridge-loop")}
    doubled = {f.subject for f in case.of("duplicate-mac")}
    symptoms: dict[tuple[str, str, str | None], list[Finding]] = defaultdict(list)
    for name in ("fdb-misplaced", "own-source", "mac-move"):
        for finding in case.of(name):
            if finding.subject not in doubled and _points_out(case, finding):
                key = (finding.host, finding.details["netns"], finding.details["bridge"])
                symptoms[key].append(finding)
    told = set()
    for (host, netns, bridge), found in symptoms.items():
        if (host, netns, bridge) not in looped:
            own = any(f.check == "own-source" for f in found)
            name = bridge or (found[0].subject if own else "")
            finding = _finding(case, DevId(host, netns, name), found)
            told.add((host, finding.subject))
            yield finding
    for snapshot in case.network.snapshots.values():
        for echo in echoes(snapshot):
            if (echo.host, echo.dev) not in told:
                yield _heard(case, echo)


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


def _finding(case: Case, bridge: DevId, found: Sequence[Finding]) -> Finding:
    uplink = _uplink(case.network.bridges.get(bridge), found)
    names = tuple(dict.fromkeys(f.check for f in found))
    return Finding(
        check=NAME,
        group="comes-back",
        severity="error",
        evidence="reported",
        confidence=_confidence(found),
        host=bridge.host,
        subject=uplink,
        summary=(
            f"What {_sender(bridge, found)} by {uplink} comes in again on it: something beyond"
            f" {uplink} (a loop, a mis-cabled LAG, a promiscuous switch) returns frames."
        ),
        because=tuple(e for f in found for e in f.because),
        path=_round_trip(bridge, uplink, found),
        details={
            "bridge": bridge.name or None,
            "netns": bridge.netns,
            "uplink": uplink,
            "stations": [f.subject for f in found if f.check == "fdb-misplaced"],
            "addresses": _addresses(found),
        },
        explains=names,
        alternatives=_alternatives(found),
    )


def _sender(bridge: DevId, found: Sequence[Finding]) -> str:
    """Who sends: the bridge, or the station where only other endpoints tell of its frames."""
    return f"leaves {bridge.name}" if bridge.name else f"{found[0].subject} sends"


def _addresses(found: Sequence[Finding]) -> list[str]:
    """The MACs whose frames came back, as far as they are told."""
    stations = [f.subject for f in found if f.check != "own-source"]
    own = [mac for f in found for mac in f.details.get("addresses", ())]
    return list(dict.fromkeys(stations + own))


def _round_trip(bridge: DevId, uplink: str, found: Sequence[Finding]) -> tuple[Step, ...]:
    """The way of a misplaced station's broadcast that explains its entry."""
    misplaced = next((f for f in found if f.check == "fdb-misplaced"), None)
    if misplaced is None:
        return ()
    frame = f"a broadcast from {misplaced.subject}"
    port = bridge._replace(name=misplaced.details["expected_port"])
    way_out = bridge._replace(name=uplink)
    return path_steps(
        (
            (port, "in", frame, RULES["learn-new"].text),
            (way_out, "out", frame, RULES["flood"].text),
            (way_out, "in", frame, f"it comes back; {RULES['learn-move'].text}"),
        )
    )


def _heard(case: Case, echo: Echo) -> Finding:
    bridge = case.network.bridge_of(DevId(echo.host, echo.netns, echo.dev))
    return Finding(
        check=NAME,
        group="comes-back",
        severity="error",
        evidence="observed",
        confidence="certain" if echo.directed else "likely",
        host=echo.host,
        subject=echo.dev,
        summary=(
            f"The host's own packets are captured twice on {echo.dev}, foreign ones once:"
            f" what it sends by {echo.dev} comes in again."
        ),
        because=case.evidence("one-packet-twice", echo.refs),
        details={
            "bridge": bridge.id.name if bridge else None,
            "netns": echo.netns,
            "uplink": echo.dev,
            "stations": [],
            "addresses": [],
        },
        alternatives=("two captures of one packet were merged",),
    )


def _uplink(view: BridgeView | None, found: Sequence[Finding]) -> str:
    """The port the frames came in by: as the table names it, else as the log does."""
    for finding in found:
        if finding.check == "fdb-misplaced":
            return str(finding.details["actual_port"])
    for finding in found:
        if finding.check == "own-source":
            return str(finding.details["listed_port"] or finding.subject)
    return _outward(view, found[0].details["ports"])[-1]


def _confidence(found: Sequence[Finding]) -> Confidence:
    """The kernel's own word, or a fresh entry while the station is at home, makes it likely."""
    for finding in found:
        age = finding.details.get("age_seconds")
        fresh = age is None or age <= _FRESH_SECONDS
        if finding.check != "fdb-misplaced" or fresh:
            return "likely"
    return "possible"


def _alternatives(found: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(a for f in found for a in f.alternatives))
