"""A finding rests on the rows that it cites, and on no other.

Take a cited row away and the finding changes or goes; take any other row away and it stays as it
is, to the letter. A check that looked for words instead of facts could not pass this.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from hopback.checks.diagnose import diagnose
from hopback.findings import Finding
from hopback.frames.mac import Mac
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Replace, patch, rows_at, without
from hopback.snapshot.rows import FilterChain
from hopback.snapshot.table import Cite
from hopback.sources.open import open_source

FIXTURES = Path(__file__).parents[1] / "fixtures"
SOURCES = (
    "announced-pool/paste.txt",
    "cloned-guests/paste.txt",
    "directors/before/a directors/before/b",
    "directors/split/a directors/split/b",
    "incident-b/paste.txt",
    "libvirt",
    "ndp-proxy/paste.txt",
    "vm61-bond",
    "tunnel-recursion/left tunnel-recursion/right",
    "vm61-director-a vm61-director-b",
    "vrf-leak/paste.txt",
    "vxlan-own-endpoint/paste.txt",
    "weave-trunk/paste.txt",
)
"""Each in one or several places, for as many hosts."""
UNCITED_MAX = 250
"""Enough to meet every table; the rest of a long one is more of the same."""

STRANGER = Mac(0x0000_5E00_5377)  # documentation range, RFC 7042

Key = tuple[str, str, str]


def read(source: str) -> tuple[Snapshot, ...]:
    return tuple(s for name in source.split() for s in open_source(str(FIXTURES / name)).snapshots)


def findings(snapshots: Sequence[Snapshot]) -> Mapping[Key, Finding]:
    found = diagnose(snapshots).findings
    return {(f.check, f.host, f.subject): f for f in found if f.group != "benign"}


def cites(snapshot: Snapshot) -> list[Cite]:
    return list(dict.fromkeys(row.cite for _, table in snapshot.tables() for row in table.rows))


def cited_by(finding: Finding, snapshot: Snapshot, cite: Cite) -> bool:
    source = snapshot.sources[cite.source].name
    place = (snapshot.host, source, cite.line, cite.item)
    return any((e.host, e.source, e.line, e.item) == place for e in finding.because)


def is_chain(snapshot: Snapshot, cite: Cite) -> bool:
    """A chain without its line is not absent but unseen: what jumps to it leads out of sight."""
    return any(isinstance(row, FilterChain) for row in rows_at(snapshot, cite))


@pytest.mark.parametrize("name", SOURCES)
def test_cited_rows_decide_and_others_do_not(name: str) -> None:
    snapshots = read(name)
    before = findings(snapshots)
    assert before, "the source has findings to try"
    used: set[Key] = set()
    left = UNCITED_MAX
    for snapshot in snapshots:
        for cite in cites(snapshot):
            deciding = {k for k, f in before.items() if cited_by(f, snapshot, cite)}
            if not deciding:
                left -= 1
                if left < 0:
                    continue
            rest = [without(s, cite) if s is snapshot else s for s in snapshots]
            after = findings(rest)
            chain = is_chain(snapshot, cite)
            for key, finding in before.items():
                if chain and key not in deciding:
                    continue
                same = after.get(key) == finding
                assert same != (key in deciding), (
                    f"{key}: {snapshot.sources[cite.source].name} {cite}"
                )
            used |= deciding
    assert used == set(before), "every finding cites something"


def with_other_mac(snapshot: Snapshot, cite: Cite) -> Snapshot | None:
    """The snapshot with another MAC in the rows read at ``cite``; None if they have none."""
    rows = [row for row in rows_at(snapshot, cite) if getattr(row, "mac", None) is not None]
    edits = [Replace(row, replace(row, mac=STRANGER)) for row in rows]
    return patch(snapshot, edits) if edits else None


@pytest.mark.parametrize("name", SOURCES)
def test_another_mac_matters_in_cited_rows_alone(name: str) -> None:
    snapshots = read(name)
    before = findings(snapshots)
    changed: set[Key] = set()
    for snapshot in snapshots:
        for cite in cites(snapshot)[:UNCITED_MAX]:
            other = with_other_mac(snapshot, cite)
            if other is None:
                continue
            after = findings([other if s is snapshot else s for s in snapshots])
            for key, finding in before.items():
                if after.get(key) == finding:
                    continue
                assert cited_by(finding, snapshot, cite), f"{key}: {cite}"
                changed.add(key)
    stations = {k for k in before if k[0] in ("fdb-misplaced", "mac-move", "uplink-echo")}
    assert stations <= changed
