"""vlan-missing: a bridge that filters VLANs does not let a station's VLAN through, or not back.

A port without the VLAN, without a PVID, or with another PVID than the VLAN it sends untagged
(net/bridge/br_vlan.c); or a VLAN device on the way out, which takes the VLAN's frames before the
bridge sees them (net/core/dev.c:__netif_receive_skb_core).
"""

from collections.abc import Iterator

from msgspec.structs import replace

from hopback.checks.case import Case
from hopback.checks.passage import Passage, outsiders_question, passages
from hopback.datapath.effects import Place, Why
from hopback.datapath.rules import RULES
from hopback.findings import Finding
from hopback.frames.mac import format_mac
from hopback.network.facts import merge_refs

NAME = "vlan-missing"

_RULES = ("vlan-ingress", "vlan-egress")


def check(case: Case) -> Iterator[Finding]:
    """One finding for each station and way out between which its VLAN is cut."""
    for passage in passages(case):
        if not case.model.bridges[passage.station.bridge].vlan_filtering:
            continue
        end = passage.lost_leaving(passage.question())
        if end is not None:
            if end.why.rule in _RULES:
                yield _finding(case, passage, end.why, "out")
            continue
        back = _lost_on_return(passage)
        if back is not None:
            yield _finding(case, passage, back, "in")


def _lost_on_return(passage: Passage) -> Why | None:
    """What keeps an answer out that is tagged as the question was when it left."""
    journey = passage.leaving(passage.question())
    goal = Place(passage.way_out.id, "out")
    left = next((hop.frame for hop in journey.hops if hop.place == goal), None)
    if left is None or journey.world:
        return None
    answer = replace(outsiders_question(), tags=left.tags)
    end = passage.lost_coming(answer)
    if end is not None:
        return end.why if end.why.rule in _RULES else None
    taken = (hop.why for hop in passage.coming(answer).hops if hop.why)
    return next((why for why in taken if why.rule == "vlan-up"), None)


def _finding(case: Case, passage: Passage, why: Why, way: str) -> Finding:
    station = passage.station
    mac = format_mac(station.mac)
    what = f"What {mac} sends" if way == "out" else f"What is sent to {mac}"
    port, out = station.port.name, passage.way_out.id.name
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
            f"{what} is lost {between} on {station.bridge.name}, in its VLAN:"
            f" {RULES[why.rule].text}."
        ),
        because=case.evidence(why.rule, merge_refs(why.refs, station.refs, passage.way_out.refs)),
        details={
            "bridge": station.bridge.name,
            "netns": station.bridge.netns,
            "port": port,
            "way_out": out,
            "direction": way,
            "rule": why.rule,
        },
    )
