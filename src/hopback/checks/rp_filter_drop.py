"""rp-filter-drop: packets are dropped because their source would not be answered the same way.

net/ipv4/fib_frontend.c:fib_validate_source drops what comes in by a device by which the answer
would not leave (rp_filter), and what has an address of the host itself as its source; with
log_martians it says so. A rule with ``-m rpfilter --invert`` does the same in iptables, and there,
before Linux 4.4, a guest's DHCP request (from 0.0.0.0) failed it too.
"""

from collections import Counter
from collections.abc import Iterator

from hopback.checks.case import Case
from hopback.findings import Finding
from hopback.network.facts import Ref
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Field, FilterRule, Martian, Match, Step, Unsure, Verdict

NAME = "rp-filter-drop"

_SHOWN = 3


def check(case: Case) -> Iterator[Finding]:
    """One for each device on which the kernel logged martians, and for each rule that drops so."""
    for snapshot in case.network.snapshots.values():
        counted = Counter((row.netns, row.dev) for row in snapshot.martians.rows)
        for netns, dev in counted:
            rows = [r for r in snapshot.martians.rows if (r.netns, r.dev) == (netns, dev)]
            yield _logged(case, snapshot, rows)
        for rule in snapshot.filter_rules.rows:
            if _drops_unrouted(rule) and rule.packets != 0:
                yield _ruled(case, snapshot, rule)


def _logged(case: Case, snapshot: Snapshot, rows: list[Martian]) -> Finding:
    first = rows[0]
    return Finding(
        check=NAME,
        group="other-fault",
        severity="warning",
        evidence="reported",
        confidence="likely",
        host=snapshot.host,
        subject=first.dev,
        summary=(
            f"The kernel dropped packets from {first.source} that came in by {first.dev}: it would"
            " not answer that address by this device, or has it itself (a martian source)."
        ),
        because=case.evidence(
            "ip_handle_martian_source", (Ref(snapshot.host, row.cite) for row in rows[:_SHOWN])
        ),
        details={
            "netns": first.netns,
            "source": first.source,
            "target": first.target,
            "told_by": "log",
        },
    )


def _drops_unrouted(rule: FilterRule) -> bool:
    drops = any(isinstance(step, Verdict) and step.kind == "drop" for step in rule.steps)
    return drops and any(_unrouted(step) for step in rule.steps)


def _unrouted(step: Step) -> bool:
    """``-m rpfilter --invert`` of iptables, ``fib saddr . iif oif missing`` of nft."""
    match step:
        case Unsure(text=text):
            return "rpfilter" in text and "invert" in text
        case Match(fields=(Field(key=key),), op="==", values=((0,),)):
            return key.startswith("fib saddr") and "iif" in key and key.endswith("oif")
    return False


def _ruled(case: Case, snapshot: Snapshot, rule: FilterRule) -> Finding:
    return Finding(
        check=NAME,
        group="other-fault",
        severity="warning",
        evidence="predicted",
        confidence="possible",
        host=snapshot.host,
        subject=f"{rule.table} {rule.chain}",
        summary=(
            f"A rule in {rule.table} {rule.chain} drops packets whose answer would leave by another"
            " device; on kernels before 4.4 DHCP requests of guests (from 0.0.0.0) are among them."
        ),
        because=case.evidence("filter-drop", (Ref(snapshot.host, rule.cite),)),
        details={"netns": rule.netns, "source": None, "target": None, "told_by": "rule"},
    )
