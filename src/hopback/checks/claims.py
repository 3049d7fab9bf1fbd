"""Who is said to have which IP address, by tables, answers in captures, and refused addresses."""

from collections.abc import Iterator
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.checks.dad import failures
from hopback.checks.shared_macs import is_virtual_router
from hopback.frames.mac import Mac, is_group
from hopback.network.facts import DevId, Ref
from hopback.network.identifiers import canonical

_UNRESOLVED = frozenset({"FAILED", "INCOMPLETE", "NOARP"})


class Claim(NamedTuple):
    """``mac`` answered for ``address`` to whoever asked on ``seen_on``.

    ``heard``: it was seen to answer, while a table tells what was so at some time.
    """

    address: str
    mac: Mac
    seen_on: DevId
    ref: Ref
    heard: bool


def claims(case: Case) -> Iterator[Claim]:
    """All of them; addresses that wander between machines by design are left out."""
    for claim in _all(case):
        if claim.mac and not is_group(claim.mac) and not is_virtual_router(claim.mac):
            yield claim


def _all(case: Case) -> Iterator[Claim]:
    for host, snapshot in case.network.snapshots.items():
        for row in snapshot.neighbours.rows:
            if row.mac is not None and row.state not in _UNRESOLVED and not row.proxy:
                device = DevId(host, row.netns, row.dev)
                ref = Ref(host, row.cite)
                yield Claim(canonical(row.address), row.mac, device, ref, heard=False)
        for said in snapshot.neighbour_messages.rows:
            if said.mac is not None and said.kind in ("na", "arp-reply"):
                device = DevId(host, said.netns, said.dev or "")
                ref = Ref(host, said.cite)
                yield Claim(canonical(said.address), said.mac, device, ref, heard=True)
    for failure in failures(case):
        for mac in failure.used_by:
            if failure.address is not None:
                yield Claim(failure.address, mac, failure.device, failure.refs[-1], heard=True)
