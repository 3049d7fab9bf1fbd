"""shared-identity: two machines call themselves by one machine-id or DHCP client-id.

Both are meant to be unique and are copied with a disk image. A DHCP server takes two clients with
one client-id (RFC 2131 §4.2) or DUID (RFC 8415 §11) for one and gives both the same address;
systemd makes its DUID, and so its client-id, of the machine-id.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.findings import Confidence, Finding
from hopback.frames.mac import Mac, format_mac
from hopback.network.facts import Ref
from hopback.snapshot.rows import HostIdentity, Lease

NAME = "shared-identity"

_SHOWN = 3


class _Holder(NamedTuple):
    name: str
    boot_id: str | None
    ref: Ref


def check(case: Case) -> Iterator[Finding]:
    """One finding for each machine-id and client-id that two machines have."""
    machines: dict[str, list[_Holder]] = defaultdict(list)
    clients: dict[str, dict[Mac, tuple[Lease, Ref]]] = defaultdict(dict)
    for snapshot in case.network.snapshots.values():
        for row in snapshot.identities.rows:
            if row.machine_id is not None:
                machines[row.machine_id].append(_holder(snapshot.host, row))
        for lease in snapshot.leases.rows:
            if lease.client_id is not None and lease.mac is not None:
                seen = (lease, Ref(snapshot.host, lease.cite))
                clients[lease.client_id].setdefault(lease.mac, seen)
    for machine_id, holders in machines.items():
        yield from _machine(case, machine_id, holders)
    for client_id, leases in clients.items():
        if len(leases) > 1:
            names = [
                f"{x.hostname or x.address} ({format_mac(mac)})" for mac, (x, _) in leases.items()
            ]
            refs = [ref for _, ref in leases.values()]
            yield _finding(case, "client-id", client_id, names, refs, "likely")


def _holder(host: str, row: HostIdentity) -> _Holder:
    return _Holder(row.hostname or host, row.boot_id, Ref(host, row.cite))


def _machine(case: Case, machine_id: str, holders: Sequence[_Holder]) -> Iterator[Finding]:
    """One name with two boots was started again; two names with one boot are one machine."""
    names: dict[str, _Holder] = {}
    for holder in holders:
        names.setdefault(holder.name, holder)
    boots = [h.boot_id for h in names.values()]
    known = [b for b in boots if b is not None]
    if len(names) < 2 or len(set(known)) < len(known):
        return
    sure: Confidence = "certain" if len(known) > 1 else "likely"
    refs = [h.ref for h in names.values()]
    yield _finding(case, "machine-id", machine_id, list(names), refs, sure)


def _finding(
    case: Case,
    kind: str,
    value: str,
    names: Sequence[str],
    refs: Sequence[Ref],
    confidence: Confidence,
) -> Finding:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return Finding(
        check=NAME,
        group="other-fault",
        severity="warning",
        evidence="reported",
        confidence=confidence,
        host=refs[0].host,
        subject=value,
        summary=(
            f"{', '.join(names[:_SHOWN])}{more} have one {kind} ({value}): they are clones, and a"
            " DHCP server may take them for one."
        ),
        because=case.evidence(f"one-{kind}", refs),
        details={"kind": kind, "holders": list(names)},
        alternatives=()
        if confidence == "certain"
        else ("one machine that changed its name or its NIC",),
    )
