"""hairpin-missing: a station does not reach what NAT would send back to its own side.

A floating address, a Service or a published port is translated to a station on the same bridge. The
answer has to pass the translator again: where it goes straight to who asked, from an address that
was not asked, or where the packet comes back with the station's own address as source and
destination, nobody takes it (net/ipv4/fib_frontend.c:fib_validate_source drops one's own source).

kubelet's mode ``hairpin-veth`` says that the pods' ports return such packets: where none of them
does, no pod reaches itself through a Service.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.findings import Finding
from hopback.network.facts import DevId, Ref
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Sighting

NAME = "hairpin-missing"

_TCP = re.compile(
    r"(?P<source>\S+) > (?P<target>\S+): Flags \[(?P<flags>[A-Z.]+)\], seq (?P<seq>\d+)"
    r"(?:, ack (?P<ack>\d+))?"
)
_SEQUENCE = 1 << 32
_KUBELETS = ("docker0", "cbr0")


class _Syn(NamedTuple):
    client: str
    asked: str
    row: Sighting


def check(case: Case) -> Iterator[Finding]:
    """One for each capture in which the packet or its answer has an address that NAT forgot.

    And one for each bridge whose ports do not have the hairpin that kubelet says they have.
    """
    for snapshot in case.network.snapshots.values():
        yield from _to_itself(case, snapshot)
        yield from _answered_past(case, snapshot)
        yield from _left_off(case, snapshot)


def _to_itself(case: Case, snapshot: Snapshot) -> Iterator[Finding]:
    """The packet that a station sent comes back to it from itself: DNAT without SNAT."""
    sent: dict[tuple[str | None, str], Sighting] = {}
    told: set[str] = set()
    for row in snapshot.sightings.rows:
        if row.source is None or row.target is None:
            continue
        payload = row.key.replace(f"{row.source} > {row.target}", "")
        if row.source != row.target:
            sent[row.source, payload] = row
        elif (first := sent.get((row.source, payload))) is not None and row.source not in told:
            told.add(row.source)
            yield _finding(
                case,
                snapshot,
                (first, row),
                f"What {row.source} sends to {first.target} comes back to it with its own address"
                " as source: it is translated to the sender (DNAT), and the source is not (SNAT).",
                asked=first.target or "",
            )


def _answered_past(case: Case, snapshot: Snapshot) -> Iterator[Finding]:
    """The answer to a SYN comes from somebody who was not asked: it went past the translator."""
    asked: dict[tuple[str, int], _Syn] = {}
    told: set[tuple[str, str]] = set()
    for row in snapshot.sightings.rows:
        found = _TCP.search(row.key)
        if found is None:
            continue
        if found["flags"] == "S":
            syn = _Syn(found["source"], found["target"], row)
            asked[syn.client, (int(found["seq"]) + 1) % _SEQUENCE] = syn
        elif found["flags"] == "S." and found["ack"]:
            first = asked.get((found["target"], int(found["ack"])))
            if first is None or found["source"] == first.asked:
                continue
            if (first.asked, found["source"]) in told:
                continue
            told.add((first.asked, found["source"]))
            yield _finding(
                case,
                snapshot,
                (first.row, row),
                f"{_host(first.client)} asks {first.asked} and is answered by {found['source']},"
                " whom it did not ask: both are on one side of the NAT, and the answer does not"
                " pass it.",
                asked=first.asked,
                answered_by=found["source"],
            )


def _left_off(case: Case, snapshot: Snapshot) -> Iterator[Finding]:
    """kubelet means its pods' ports to return packets, and hairpin is off at every one shown.

    pkg/kubelet/network/hairpin: without a network plugin the bridge is docker0, with kubenet cbr0.
    """
    said = snapshot.hairpin_modes.rows[-1:]
    for bridge in _KUBELETS if said and said[0].mode == "hairpin-veth" else ():
        ports = _pod_ports(case, snapshot, DevId(snapshot.host, said[0].netns, bridge))
        if not ports or any(hairpin for hairpin, _ in ports):
            continue
        refs = (Ref(snapshot.host, said[0].cite), *(ref for _, refs in ports for ref in refs))
        yield Finding(
            check=NAME,
            group="other-fault",
            severity="warning",
            evidence="predicted",
            confidence="likely",
            host=snapshot.host,
            subject=bridge,
            summary=(
                f"kubelet says that the pods' ports of {bridge} return packets (hairpin-veth), and"
                f" hairpin is off at {_counted(len(ports))}: no pod there reaches itself through a"
                " Service."
            ),
            because=case.evidence("kubelet-hairpin", refs),
            details={"asked": None, "answered_by": None},
        )


def _pod_ports(
    case: Case, snapshot: Snapshot, bridge: DevId
) -> tuple[tuple[bool, tuple[Ref, ...]], ...]:
    """The hairpin of each veth of the bridge, by name or not, with the rows that tell."""
    view = case.network.bridges.get(bridge)
    named = () if view is None else view.ports.items()
    facts = (port.flags.get("hairpin") for id_, port in named if id_.name.startswith("veth"))
    unnamed = (
        (row.hairpin, (Ref(snapshot.host, row.cite),))
        for row in snapshot.unnamed_ports.rows
        if (row.netns, row.bridge) == (bridge.netns, bridge.name)
    )
    return (*((fact.value, fact.refs) for fact in facts if fact is not None), *unnamed)


def _counted(ports: int) -> str:
    return "the one that is shown" if ports == 1 else f"all {ports} that are shown"


def _host(end: str) -> str:
    return end.rpartition(".")[0]


def _finding(
    case: Case,
    snapshot: Snapshot,
    rows: tuple[Sighting, Sighting],
    summary: str,
    *,
    asked: str,
    answered_by: str | None = None,
) -> Finding:
    return Finding(
        check=NAME,
        group="other-fault",
        severity="warning",
        evidence="observed",
        confidence="likely",
        host=snapshot.host,
        subject=rows[0].source or "",
        summary=summary,
        because=case.evidence("nat-one-way", (Ref(snapshot.host, row.cite) for row in rows)),
        details={"asked": asked, "answered_by": answered_by},
    )
