"""port-flag-drop: a port's flags keep a wanted frame from a station, or from its way out.

Isolation, a lock, a flood flag that is off: each is a choice, and each ends broadcasts without
which no address is got or resolved (net/bridge/br_forward.c:should_deliver, br_flood).
"""

from collections.abc import Iterator

from hopback.checks.case import Case
from hopback.checks.passage import Passage, outsiders_question, passages
from hopback.datapath.rules import RULES
from hopback.engines.trace import End
from hopback.findings import Finding
from hopback.frames.mac import format_mac
from hopback.network.facts import merge_refs

NAME = "port-flag-drop"

_RULES = ("isolated", "locked-drop", "flood-off", "suppressed")


def check(case: Case) -> Iterator[Finding]:
    """One finding for each station and way out between which a broadcast is lost to a flag."""
    for passage in passages(case):
        leaving = passage.lost_leaving(passage.question())
        coming = passage.lost_coming(outsiders_question())
        if leaving is not None and leaving.why.rule in _RULES:
            yield _finding(case, passage, leaving, "out")
        elif coming is not None and coming.why.rule in _RULES:
            yield _finding(case, passage, coming, "in")


def _finding(case: Case, passage: Passage, end: End, way: str) -> Finding:
    station = passage.station
    mac = format_mac(station.mac)
    port, out = station.port.name, passage.way_out.id.name
    whose = "of" if way == "out" else "for"
    between = f"from {port} to {out}" if way == "out" else f"from {out} to {port}"
    return Finding(
        check=NAME,
        group="other-fault",
        severity="warning",
        evidence="predicted",
        confidence="likely",
        host=station.bridge.host,
        subject=mac,
        summary=(
            f"Broadcasts {whose} {mac} are lost {between} on {station.bridge.name}:"
            f" {RULES[end.why.rule].text}."
        ),
        because=case.evidence(
            end.why.rule, merge_refs(end.why.refs, station.refs, passage.way_out.refs)
        ),
        details={
            "bridge": station.bridge.name,
            "netns": station.bridge.netns,
            "port": port,
            "way_out": out,
            "direction": way,
            "rule": end.why.rule,
        },
    )
