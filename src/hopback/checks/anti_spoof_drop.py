"""anti-spoof-drop: a filter made for one port stops what its own station has to send or hear.

libvirt's nwfilters, security groups and port security pin a port to the MAC and the addresses that
they believe the station to have. One that uses another address, or a protocol that the filter does
not think of (clean-traffic knows no IPv6), is cut off by them, and nothing is reflected or lost on
the way.
"""

from collections.abc import Iterator

from hopback.checks.case import Case
from hopback.checks.filtered import Loss, losses
from hopback.findings import Finding
from hopback.frames.mac import format_mac
from hopback.network.facts import merge_refs

NAME = "anti-spoof-drop"


def check(case: Case) -> Iterator[Finding]:
    """One finding for each station and rule (or policy) that stops its frames at its own port."""
    told: set[tuple[object, ...]] = set()
    for loss in losses(case):
        key = (loss.station.mac, loss.station.port, loss.frames)
        if loss.own and key not in told:
            told.add(key)
            yield _finding(case, loss)


def _finding(case: Case, loss: Loss) -> Finding:
    station = loss.station
    mac = format_mac(station.mac)
    return Finding(
        check=NAME,
        group="other-fault",
        severity="warning",
        evidence="predicted",
        confidence="likely",
        host=station.bridge.host,
        subject=f"{loss.frames} of {mac}",
        summary=(
            f"The filter on {station.port.name} drops what {mac} needs"
            f" ({loss.frames}): {loss.text}."
        ),
        because=case.evidence(
            loss.end.why.rule,
            merge_refs(loss.end.why.refs, loss.refs, station.refs),
        ),
        details={
            "bridge": station.bridge.name,
            "netns": station.bridge.netns,
            "port": station.port.name,
            "station": mac,
            "frames": loss.frames,
            "rule": loss.text,
        },
    )
