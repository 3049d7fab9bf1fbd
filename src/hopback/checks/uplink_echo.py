"""uplink-echo: frames that left by an uplink come in again on it.

Something beyond the uplink returns what the host sends: a loop, a mis-cabled LAG, a promiscuous
virtual switch, an access point. The bridge then learns its own stations on the uplink
(net/bridge/br_fdb.c:br_fdb_update: the last frame wins) and logs its own address when the frame was
the host's. The tables show the effect; which cable it is, only captures on each leg can show.
"""

from collections.abc import Iterator, Sequence

from hopback.checks.case import Case, path_steps
from hopback.checks.heard_twice import Echo, echoes
from hopback.checks.returning import (
    addresses_of,
    alternatives_of,
    confidence_of,
    returning,
    uplink_of,
)
from hopback.datapath.rules import RULES
from hopback.findings import Finding, Step
from hopback.network.facts import DevId
from hopback.network.roles import base_device, role_of

NAME = "uplink-echo"


def check(case: Case) -> Iterator[Finding]:
    """One finding for each bridge whose symptoms point to one of its ways out.

    Where they point to a bond or a tunnel that returns frames by itself, that has been said.
    """
    itself = {(f.host, f.details["netns"], f.subject) for f in case.of("bond-reflection")}
    itself |= {
        (step.host, f.details["netns"], step.device)
        for f in case.of("tunnel-reflection")
        for step in f.path
    }
    told = {(host, device) for host, _, device in itself}
    for bridge, found in returning(case):
        uplink = uplink_of(case, bridge, found)
        told.add((bridge.host, uplink))
        if (bridge.host, bridge.netns, base_device(uplink)) not in itself:
            yield _finding(case, bridge, uplink, found)
    for snapshot in case.network.snapshots.values():
        for echo in echoes(snapshot):
            if (echo.host, echo.dev) not in told:
                yield _heard(case, echo)


def _finding(case: Case, bridge: DevId, uplink: str, found: Sequence[Finding]) -> Finding:
    names = tuple(dict.fromkeys(f.check for f in found))
    return Finding(
        check=NAME,
        group="comes-back",
        severity="error",
        evidence="reported",
        confidence=confidence_of(found),
        host=bridge.host,
        subject=uplink,
        summary=(
            f"What {_sender(bridge, found)} by {uplink} comes in again on it:"
            f" {_returner(case, bridge, uplink)} returns frames."
        ),
        because=tuple(e for f in found for e in f.because),
        path=_round_trip(bridge, uplink, found),
        details={
            "bridge": bridge.name or None,
            "netns": bridge.netns,
            "uplink": uplink,
            "stations": [f.subject for f in found if f.check == "fdb-misplaced"],
            "addresses": addresses_of(found),
        },
        explains=names,
        alternatives=alternatives_of(found),
    )


def _sender(bridge: DevId, found: Sequence[Finding]) -> str:
    """Who sends: the bridge, or the station where only other endpoints tell of its frames."""
    return f"leaves {bridge.name}" if bridge.name else f"{found[0].subject} sends"


def _returner(case: Case, bridge: DevId, uplink: str) -> str:
    view = case.network.bridges.get(bridge)
    port = view.port(uplink) if view else None
    if (port.role if port else role_of(uplink, None)) == "guest":
        return f"the guest behind {uplink} (it bridges two of its interfaces, or echoes)"
    return f"something beyond {uplink} (a loop, a mis-cabled LAG, a promiscuous switch)"


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
