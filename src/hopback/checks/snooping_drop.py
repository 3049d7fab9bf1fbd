"""snooping-drop: multicast snooping keeps a group's frames from a member that never reported.

With a querier a bridge sends a group only where a report was heard, neighbour solicitations
included (net/bridge/br_multicast.c). A station whose report was lost, or that sends none, is then
not found by its IPv6 neighbours.
"""

from collections.abc import Iterator
from ipaddress import IPv6Address

from hopback.checks.case import Case
from hopback.checks.passage import OUTSIDER, Passage, passages
from hopback.engines.trace import End
from hopback.findings import Finding
from hopback.frames.build import ns, solicited_node
from hopback.frames.mac import format_mac
from hopback.network.facts import Ref, merge_refs
from hopback.network.model import Station

NAME = "snooping-drop"

_ASKER = IPv6Address("fe80::1")


def check(case: Case) -> Iterator[Finding]:
    """One finding for each IPv6 address of a station that its neighbours cannot ask for."""
    for passage in passages(case):
        for address, ref in _addresses(case, passage.station):
            end = passage.lost_coming(ns(OUTSIDER, _ASKER, address))
            if end is not None and end.why.rule == "not-member":
                yield _finding(case, passage, end, address, ref)


def _addresses(case: Case, station: Station) -> Iterator[tuple[IPv6Address, Ref]]:
    """The IPv6 addresses that the tables show the station to have."""
    snapshot = case.network.snapshots[station.bridge.host]
    found: dict[IPv6Address, Ref] = {}
    for neighbour in snapshot.neighbours.rows:
        if neighbour.mac == station.mac and ":" in neighbour.address:
            found.setdefault(IPv6Address(neighbour.address), Ref(snapshot.host, neighbour.cite))
    if station.device is not None:
        snapshot = case.network.snapshots[station.device.host]
        for row in snapshot.addresses.rows:
            if (row.netns, row.dev) == station.device[1:] and ":" in row.address:
                found.setdefault(IPv6Address(row.address), Ref(snapshot.host, row.cite))
    yield from found.items()


def _finding(case: Case, passage: Passage, end: End, address: IPv6Address, ref: Ref) -> Finding:
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
            "not-member", merge_refs(end.why.refs, (ref,), station.refs, passage.way_out.refs)
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
