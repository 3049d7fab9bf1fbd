"""other: faults of kinds that have no check of their own.

A bridge whose address nobody set has the lowest of its ports' addresses
(net/bridge/br_stp_if.c:br_stp_recalculate_bridge_id), so it changes as ports come and go. Those who
have the old one in their neighbour tables send to nobody until they ask again. No frame comes
back, and no station moves.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from hopback.checks.case import Case
from hopback.findings import Finding
from hopback.frames.mac import format_mac
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Link

NAME = "other"

_BRIDGES = re.compile(r"[a-z]*br\d*|br-[\w.-]+|docker\d+|cni\d+")
_FALLS = 2  # a single change has too many other reasons


def check(case: Case) -> Iterator[Finding]:
    """One for each bridge whose own address was read lower and lower."""
    for snapshot in case.network.snapshots.values():
        readings: dict[DevId, list[Link]] = {}
        for row in snapshot.links.rows:
            seen = readings.setdefault(DevId(snapshot.host, row.netns, row.name), [])
            if row.mac is not None and (not seen or seen[-1].mac != row.mac):
                seen.append(row)
        for dev, seen in readings.items():
            if len(seen) > _FALLS and _falls(seen):
                yield from _lowest(case, snapshot, dev, seen)


def _falls(seen: list[Link]) -> bool:
    macs = [row.mac or 0 for row in seen]
    return all(after < before for before, after in pairwise(macs))


def _lowest(case: Case, snapshot: Snapshot, dev: DevId, seen: list[Link]) -> Iterator[Finding]:
    """For a device that is a bridge, by its kind or, where none is listed, by its name."""
    device = case.network.devices.get(dev)
    kind = device.kind if device else None
    if (kind.value != "bridge") if kind else not _BRIDGES.fullmatch(dev.name):
        return
    macs = [format_mac(row.mac) for row in seen if row.mac is not None]
    refs = (Ref(snapshot.host, row.cite) for row in seen)
    yield Finding(
        check=NAME,
        group="other-fault",
        severity="warning",
        evidence="observed",
        confidence="likely",
        host=snapshot.host,
        subject=dev.name,
        summary=(
            f"The own address of {dev.name} falls ({', then '.join(macs)}): it is the lowest of its"
            " ports', and changes as ports come; neighbours go on sending to the old one."
        ),
        because=case.evidence("bridge-address", merge_refs(refs, kind.refs if kind else ())),
        details={"fault": "bridge-address", "netns": dev.netns, "addresses": macs},
        alternatives=("something else that sets the address again and again",),
    )
