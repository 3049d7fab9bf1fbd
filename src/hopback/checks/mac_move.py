"""mac-move: one MAC is learned on two ports in turn.

Told by the kernel's notifications (``bridge monitor fdb``: RTM_NEWNEIGH on every move), by listings
of one table taken after another, by a switch's log, or by the mobility sequence numbers of an EVPN
table (RFC 7432 §7.7). A virtual router's address moves by design: expected-duplicate.
"""

from collections.abc import Iterator

from hopback.checks.case import Case
from hopback.checks.moves import Move, moves
from hopback.checks.shared_macs import is_virtual_router
from hopback.findings import Finding
from hopback.frames.mac import format_mac

NAME = "mac-move"


def check(case: Case) -> Iterator[Finding]:
    """One finding for each bridge and MAC that went there and back."""
    for move in moves(case):
        if is_virtual_router(move.mac):
            continue
        yield Finding(
            check=NAME,
            group="symptom",
            severity="warning",
            evidence="reported",
            confidence="certain",
            host=move.bridge.host,
            subject=format_mac(move.mac),
            summary=move.summary,
            because=case.evidence("br_fdb_update", move.refs),
            details={
                "bridge": move.bridge.name or None,
                "netns": move.bridge.netns,
                "ports": list(move.ports),
                "told_by": move.told_by,
            },
            alternatives=_alternatives(move),
        )


def _alternatives(move: Move) -> tuple[str, ...]:
    usual = ("a bond or a guest failing over", "two machines with one MAC")
    bond = "a host whose bond or team sends by several legs into ports that are no LAG"
    return (bond, *usual) if move.told_by == "switch" else usual
