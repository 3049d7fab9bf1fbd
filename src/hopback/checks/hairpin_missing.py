"""hairpin-missing: a station does not reach what NAT would send back to its own side.

A floating address, a Service or a published port is translated to a station on the same bridge. The
answer has to pass the translator again: where it goes straight to who asked, from an address that
was not asked, or where the packet comes back with the station's own address as source and
destination, nobody takes it (net/ipv4/fib_frontend.c:fib_validate_source drops one's own source).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.findings import Finding
from hopback.network.facts import Ref
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Sighting

NAME = "hairpin-missing"

_TCP = re.compile(
    r"(?P<source>\S+) > (?P<target>\S+): Flags \[(?P<flags>[A-Z.]+)\], seq (?P<seq>\d+)"
    r"(?:, ack (?P<ack>\d+))?"
)
_SEQUENCE = 1 << 32


class _Syn(NamedTuple):
    client: str
    asked: str
    row: Sighting


def check(case: Case) -> Iterator[Finding]:
    """One for each capture in which the packet or its answer has an address that NAT forgot."""
    for snapshot in case.network.snapshots.values():
        yield from _to_itself(case, snapshot)
        yield from _answered_past(case, snapshot)


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
