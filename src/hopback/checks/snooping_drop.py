"""snooping-drop: multicast snooping keeps a group's frames from a member that never reported.

With a querier a bridge sends a group only where a report was heard, neighbour solicitations
included (net/bridge/br_multicast.c). A station whose report was lost, or that sends none, is then
not found by its IPv6 neighbours.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from hopback.checks.case import Case
from hopback.checks.passage import OUTSIDER, Passage, passages
from hopback.engines.trace import End
from hopback.findings import Finding
from hopback.frames.build import ns, solicited_node
from hopback.frames.mac import format_mac
from hopback.network.addresses import addresses_of
from hopback.network.facts import Ref, merge_refs

NAME = "snooping-drop"

_ASKER = IPv6Address("fe80::1")


def check(case: Case) -> Iterator[Finding]:
    """One finding for each IPv6 address of a station that its neighbours cannot ask for."""
    for passage in passages(case):
        for address, refs in addresses_of(case.network, passage.station).items():
            if isinstance(address, IPv4Address):
                continue
            end = passage.lost_coming(ns(OUTSIDER, _ASKER, address))
            if end is not None and end.why.rule == "not-member":
                yield _finding(case, passage, end, address, refs)


def _finding(
    case: Case, passage: Passage, end: End, address: IPv6Address, refs: tuple[Ref, ...]
) -> Finding:
    station = passage.station
    group = solicited_node(address)
    return Finding(
        check=NAME,
        group="other-fault",
        severity="warning",
        evidence="predicted",
        confidence="likely",
        host=station.bridge.host,
        subject=str(address),
        summary=(
            f"{station.bridge.name} has a multicast querier and no member of {group} on"
            f" {station.port.name}: neighbours that ask for {address} are not heard there."
        ),
        because=case.evidence(
            "not-member", merge_refs(end.why.refs, refs, station.refs, passage.way_out.refs)
        ),
        details={
            "bridge": station.bridge.name,
            "netns": station.bridge.netns,
            "port": station.port.name,
            "way_out": passage.way_out.id.name,
            "group": str(group),
            "station": format_mac(station.mac),
        },
    )
