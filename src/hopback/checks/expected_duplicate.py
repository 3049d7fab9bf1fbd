"""expected-duplicate: a copy or a message that looks like a return and is one by design.

A router that sends an ICMP redirect forwards the packet too (net/ipv4/ip_forward.c:ip_forward); a
ping to a broadcast or multicast address is answered by many; a virtual router's address moves to
whoever is master (RFC 9568 §7.3).
"""

from collections.abc import Iterator

from hopback.checks.case import Case
from hopback.checks.moves import moves
from hopback.checks.ping_targets import is_many
from hopback.checks.shared_macs import is_virtual_router
from hopback.checks.words import joined
from hopback.findings import Finding
from hopback.frames.mac import format_mac
from hopback.network.facts import DevId, Ref, merge_refs

NAME = "expected-duplicate"


def check(case: Case) -> Iterator[Finding]:
    """One finding for each such thing that was seen."""
    for snapshot in case.network.snapshots.values():
        for row in snapshot.ping_signs.rows:
            device = DevId(snapshot.host, row.netns, row.peer or row.target or "ping")
            refs = (Ref(snapshot.host, row.cite),)
            if row.kind == "redirect":
                text = f"{device.name} sent an ICMP redirect and forwarded the packet all the same."
                yield _finding(case, device, "redirect", text, refs)
            elif row.kind == "duplicate" and is_many(row):
                text = f"{row.target} is many stations, and each of them answers the ping."
                yield _finding(case, device, "duplicate", text, refs)
    for move in moves(case):
        if is_virtual_router(move.mac):
            text = (
                f"{format_mac(move.mac)} is a virtual router's address: it moves between"
                f" {joined(move.ports)} with the master's role."
            )
            subject = move.bridge._replace(name=format_mac(move.mac))
            yield _finding(case, subject, "virtual-router", text, merge_refs(move.refs))


def _finding(case: Case, subject: DevId, sign: str, summary: str, refs: tuple[Ref, ...]) -> Finding:
    return Finding(
        check=NAME,
        group="benign",
        severity="info",
        evidence="reported",
        confidence="likely",
        host=subject.host,
        subject=subject.name,
        summary=summary,
        because=case.evidence("by-design", refs),
        details={"sign": sign, "netns": subject.netns},
    )
