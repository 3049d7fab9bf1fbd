"""blind-path: the path goes through something that hopback cannot evaluate.

A tc filter, an XDP or BPF program, Open vSwitch, a switching ASIC or an SR-IOV virtual function can
drop, copy or return a frame in ways that no table shown here tells. Nothing past it is called
clear.
"""

from collections.abc import Iterator

from hopback.checks.case import Case
from hopback.findings import Finding
from hopback.network.facts import DevId, Ref

NAME = "blind-path"


def check(case: Case) -> Iterator[Finding]:
    """One finding for each device with such a thing; it weighs only on a bridge's path."""
    for snapshot in case.network.snapshots.values():
        for row in snapshot.blinds.rows:
            device = DevId(snapshot.host, row.netns, row.dev)
            on_path = case.network.bridge_of(device) is not None
            yield Finding(
                check=NAME,
                group="other-fault",
                severity="warning" if on_path else "info",
                evidence="reported",
                confidence="certain",
                host=snapshot.host,
                subject=row.dev or "the host",
                summary=(
                    f"{row.what} on {row.dev or 'the host'} cannot be evaluated:"
                    " what it does to a frame is not known."
                ),
                because=case.evidence("blind", (Ref(snapshot.host, row.cite),)),
                details={"what": row.what, "netns": row.netns, "on_bridge_path": on_path},
            )
