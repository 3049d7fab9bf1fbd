"""double-delivery: a packet arrives twice by two ways, and does not come back to its sender.

Two remotes of a VXLAN flood list may be one host (drivers/net/vxlan/vxlan_core.c:vxlan_xmit sends a
copy to each), and two ways between bridges may both be open without making a ring. A ping that
reports duplicates from one address says that it happens, not where.
"""

from collections import defaultdict
from collections.abc import Iterator

from hopback.checks.case import Case, path_steps
from hopback.checks.ping_targets import is_one
from hopback.checks.words import joined
from hopback.datapath.effects import Place
from hopback.datapath.rules import RULES
from hopback.engines.trace import End, Trace, trace
from hopback.findings import Finding
from hopback.frames.describe import describe
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, Mac
from hopback.frames.raw import Raw
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.snapshot.rows import PingSign

NAME = "double-delivery"

_PROBE = Frame(BROADCAST, Mac(0x0000_5E00_53FE), (), 0x88B5, Raw(bytes(46)))  # RFC 7042


def check(case: Case) -> Iterator[Finding]:
    """One finding for each bridge whose broadcasts somebody gets twice, and each ping."""
    for bridge in case.network.bridges:
        if _ways(case, bridge):
            journey = trace(case.model, Place(bridge, "out"), _PROBE)[0]
            twice = _twice(journey, bridge)
            if twice:
                yield _finding(case, bridge, journey, twice)
    if any(f.group == "comes-back" and f.severity != "info" for f in case.found):
        return
    for host, snapshot in case.network.snapshots.items():
        for row in snapshot.ping_signs.rows:
            if row.kind == "duplicate" and is_one(row):
                yield _reported(case, row, Ref(host, row.cite))


def _ways(case: Case, bridge: DevId) -> bool:
    """Whether the bridge is joined to another one, by a wire or by a tunnel."""
    for id_ in case.network.bridges[bridge].ports:
        device = case.network.devices.get(id_)
        peer = device.peer.value if device and device.peer else None
        if case.tunnels and id_ in case.model.vxlans.by_id:
            return True
        if peer is not None and peer in case.model.bridge_of:
            return True
    return False


def _twice(journey: Trace, bridge: DevId) -> list[End]:
    """The ends at which one device, not the sending bridge, took the broadcast more than once.

    Empty if it goes round: then everybody gets it again and again, which is no double delivery.
    """
    if journey.end("cycle", "budget"):
        return []
    taken: dict[DevId, list[End]] = defaultdict(list)
    for end in journey.ends:
        if end.fate == "delivered" and end.dev is not None:
            taken[end.dev].append(end)
    if bridge in taken:
        return []
    return next((ends for ends in taken.values() if len(ends) > 1), [])


def _finding(case: Case, bridge: DevId, journey: Trace, twice: list[End]) -> Finding:
    who = twice[0].dev
    assert who is not None  # noqa: S101  (_twice takes no others)
    ways = [journey.path(end.hop) for end in twice]
    shared = set.intersection(*({hop.place for hop in way} for way in ways))
    apart = list(
        dict.fromkeys(hop.place.dev.name for way in ways for hop in way if hop.place not in shared)
    )
    refs = merge_refs(*(hop.why.refs for way in ways for hop in way if hop.why))
    return Finding(
        check=NAME,
        group="other-fault",
        severity="warning",
        evidence="simulated",
        confidence="likely" if journey.world else "certain",
        host=bridge.host,
        subject=bridge.name,
        summary=(
            f"What {bridge.name} floods reaches {who.name}"
            f"{f' of {who.host}' if who.host != bridge.host else ''} {len(twice)} times"
            + (f", by {joined(apart)}." if apart else " by the same devices.")
        ),
        because=case.evidence("copies", refs),
        path=path_steps(
            (
                hop.place.dev,
                hop.place.way,
                describe(hop.frame),
                RULES[hop.why.rule].text if hop.why else "sent by the host",
            )
            for hop in ways[-1]
        ),
        details={
            "kind": "paths",
            "netns": bridge.netns,
            "station": who.name,
            "copies": len(twice),
        },
    )


def _reported(case: Case, row: PingSign, ref: Ref) -> Finding:
    target = row.target or ""
    return Finding(
        check=NAME,
        group="other-fault",
        severity="warning",
        evidence="reported",
        confidence="possible",
        host=ref.host,
        subject=target,
        summary=f"A ping to {target} got more than one reply: request or reply was doubled.",
        because=case.evidence("ping", (ref,)),
        details={"kind": "ping", "netns": row.netns, "station": target, "copies": None},
        alternatives=(
            "something returns frames on the way, and what comes back is answered again",
            "two machines have the address",
        ),
    )
