"""forward-drop: a FORWARD policy or rule drops what a bridge or a router is to pass on.

Docker sets the policy of FORWARD to DROP and accepts its own bridges only. While br_netfilter calls
iptables for bridged frames (net.bridge.bridge-nf-call-iptables, 1 once the module is loaded), the
frames of every other bridge end there too (br_netfilter_hooks.c:br_nf_forward).
"""

from collections.abc import Iterator, Mapping

from hopback.checks.case import Case
from hopback.checks.filtered import Loss, losses
from hopback.datapath.netfilter.listings import Key, Listed, chosen
from hopback.findings import Finding
from hopback.frames.mac import format_mac
from hopback.network.facts import Ref, merge_refs
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import FilterChain, FilterRule, Match, Verdict

NAME = "forward-drop"

_TOOLS = {"ip": "iptables", "ip6": "ip6tables"}
_OLD = frozenset({"established", "related", "dnat", "snat"})


def check(case: Case) -> Iterator[Finding]:
    """What the model loses there; where it has no frames to try, chains that accept nothing new."""
    told: set[tuple[object, ...]] = set()
    for loss in losses(case):
        key = (loss.station.mac, loss.frames)
        forwards = any(chain.hook == "forward" for chain in loss.bases)
        if forwards and not loss.own and key not in told:
            told.add(key)
            yield _lost(case, loss)
    for snapshot in case.network.snapshots.values():
        bridged = {b.id.netns for b in case.network.bridges.values() if b.id.host == snapshot.host}
        for netns in dict.fromkeys(row.netns for row in snapshot.filter_chains.rows):
            if netns not in bridged:
                yield from _closed(case, snapshot, chosen(snapshot, netns))


def _lost(case: Case, loss: Loss) -> Finding:
    station = loss.station
    mac = format_mac(station.mac)
    return Finding(
        check=NAME,
        group="other-fault",
        severity="warning",
        evidence="predicted",
        confidence="likely",
        host=station.bridge.host,
        subject=f"{loss.frames} of {mac}",
        summary=(
            f"Forwarding on {station.bridge.name} drops what {mac} needs"
            f" ({loss.frames}): {loss.text}."
        ),
        because=case.evidence(
            loss.end.why.rule,
            merge_refs(loss.end.why.refs, loss.refs, station.refs),
        ),
        details={
            "bridge": station.bridge.name,
            "netns": station.bridge.netns,
            "chain": loss.bases[0].name,
            "station": mac,
            "frames": loss.frames,
        },
    )


def _closed(case: Case, snapshot: Snapshot, listed: Listed) -> Iterator[Finding]:
    """Base chains that drop, and of whose rules none that is shown accepts anything new."""
    for chain in listed.chains:
        if chain.hook != "forward" or chain.policy != "drop":
            continue
        accepts = _accepts(listed, _key(chain, chain.name), frozenset())
        if accepts is not True:
            yield _accepting_nothing(case, snapshot, chain, sure=accepts is False)


def _accepts(listed: Listed, key: Key, above: frozenset[Key]) -> bool | None:
    """Whether some rule accepts packets of a new connection; None if a chain was not listed."""
    chains: Mapping[Key, FilterChain] = {_key(c, c.name): c for c in listed.chains}
    if key not in chains or not chains[key].whole:
        return None
    found: bool | None = False
    for rule in listed.rules.get(key, ()):
        for step in rule.steps:
            if _is_old(step):
                break
            if isinstance(step, Verdict) and step.kind == "accept":
                return True
            if isinstance(step, Verdict) and step.chain:
                below = _key(rule, step.chain)
                inner = None if below in above else _accepts(listed, below, above | {key})
                if inner:
                    return True
                found = None if inner is None else found
    return found


def _is_old(step: object) -> bool:
    """Whether only packets of known connections go on from here."""
    return (
        isinstance(step, Match)
        and step.op in ("==", "has")
        and any(field.key in ("ct state", "ct status") for field in step.fields)
        and all(value in _OLD for element in step.values for value in element)
    )


def _key(row: FilterChain | FilterRule, name: str) -> Key:
    return (row.backend, row.family, row.table, name)


def _accepting_nothing(
    case: Case, snapshot: Snapshot, chain: FilterChain, *, sure: bool
) -> Finding:
    tool = _TOOLS.get(chain.family, f"{chain.family} {chain.table}")
    but = "" if sure else ", unless a chain that is not shown does"
    return Finding(
        check=NAME,
        group="other-fault",
        severity="warning",
        evidence="predicted",
        confidence="likely" if sure else "possible",
        host=snapshot.host,
        subject=f"{tool} {chain.name}",
        summary=(
            f"The policy of {chain.name} ({tool}) is DROP, and no rule accepts new packets{but}:"
            " what is routed ends there, and what a bridge forwards too while br_netfilter is on."
        ),
        because=case.evidence("filter-policy", (Ref(snapshot.host, chain.cite),)),
        details={
            "bridge": None,
            "netns": chain.netns,
            "chain": chain.name,
            "station": None,
            "frames": None,
        },
    )
