"""dhcp-checksum: DHCP replies are dropped for a UDP checksum that nobody filled in.

A sender with checksum offload leaves the sum to its NIC. Between a server and a guest of one
machine there is no NIC, and the frame travels with an unfinished sum (CHECKSUM_PARTIAL). The kernel
knows that and takes it; a client that reads raw packets (dhclient, dhcpd, udhcpc, another system's
stack) sees a wrong one and drops the reply. Where the sender itself is captured, every sum looks
wrong, and nothing is.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from hopback.checks.case import Case
from hopback.findings import Confidence, Finding
from hopback.network.facts import Ref
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import DhcpMessage

NAME = "dhcp-checksum"

_SHOWN = 3
_TAKEN = frozenset({"Request", "ACK"})
"""Messages that follow only if the client took the server's."""


def check(case: Case) -> Iterator[Finding]:
    """One finding for each host whose client complained, or was sent such replies by a server."""
    for snapshot in case.network.snapshots.values():
        bad = [row for row in snapshot.bad_checksums.rows if row.bad]
        if bad:
            refs = tuple(Ref(snapshot.host, row.cite) for row in bad[:_SHOWN])
            summary = (
                f"The DHCP program drops what it gets: {bad[0].bad} of {bad[0].seen} packets had a"
                " wrong UDP checksum."
            )
            yield _finding(case, snapshot, None, "certain", summary, refs)
            continue
        for (server, dev), rows in _replies(snapshot).items():
            refs = tuple(Ref(snapshot.host, row.cite) for row in rows[:_SHOWN])
            summary = (
                f"DHCP replies of {server or 'the server'} arrive{f' on {dev}' if dev else ''} with"
                " a wrong UDP checksum: a client that checks it drops them."
            )
            yield _finding(case, snapshot, server, "likely", summary, refs)


def _replies(snapshot: Snapshot) -> dict[tuple[str | None, str | None], list[DhcpMessage]]:
    """Bad replies by server and device, where the client did not go on with the exchange."""
    own = {a.address for a in snapshot.addresses.rows}
    macs = {link.mac for link in snapshot.links.rows if link.mac is not None}
    found: dict[tuple[str | None, str | None], list[DhcpMessage]] = defaultdict(list)
    taken: set[int | None] = set()
    for row in snapshot.dhcp_messages.rows:
        sent = row.direction == "out" or row.source in own or row.source_mac in macs
        if row.reply and row.checksum_ok is False and not sent:
            found[row.source, row.dev].append(row)
        if row.kind in _TAKEN:
            taken.add(row.xid)
    dropped = {key: [r for r in rows if r.xid not in taken] for key, rows in found.items()}
    return {key: rows for key, rows in dropped.items() if rows}


def _finding(
    case: Case,
    snapshot: Snapshot,
    server: str | None,
    confidence: Confidence,
    summary: str,
    refs: Sequence[Ref],
) -> Finding:
    return Finding(
        check=NAME,
        group="other-fault",
        severity="error",
        evidence="reported" if server is None else "observed",
        confidence=confidence,
        host=snapshot.host,
        subject=server or snapshot.host or "the DHCP client",
        summary=summary,
        because=case.evidence("udp-checksum", refs),
        details={"server": server, "filled": _filled(case)},
        alternatives=()
        if confidence == "certain"
        else ("the capture was taken where the reply was sent, and offload makes it look so",),
    )


def _filled(case: Case) -> bool | None:
    """Whether a rule fills in checksums (iptables -j CHECKSUM); None if no mangle table was shown.

    net/netfilter/xt_CHECKSUM.c; nftables has no such statement.
    """
    rules = [r for s in case.network.snapshots.values() for r in s.filter_rules.rows]
    if any("checksum-fill" in r.text or "CHECKSUM fill" in r.text for r in rules):
        return True
    chains = [c for s in case.network.snapshots.values() for c in s.filter_chains.rows]
    return False if any(c.table == "mangle" for c in chains) else None
