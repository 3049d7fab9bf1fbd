"""tunnel-recursion: a tunnel's outer packet is routed into the tunnel.

On one host Linux ends it: a route to the remote that leads into the tunnel itself is refused
(net/ipv4/ip_tunnel.c:ip_tunnel_xmit), and where several tunnels lead through each other a limit to
nested transmissions does (net/core/dev.c:__dev_queue_xmit, include/net/ip_tunnels.h). Nothing that
the tunnel is given arrives. Over several hosts the packet goes round, wrapped once more each time,
until its TTL or its room runs out.
"""

from collections.abc import Iterator, Sequence

from hopback.checks.case import Case, path_steps
from hopback.checks.ring_routes import rings
from hopback.checks.tunnel_chain import Link, chains
from hopback.checks.tunnel_rounds import Round, rounds
from hopback.checks.words import joined, named, placed
from hopback.datapath.rules import RULES
from hopback.findings import Finding
from hopback.frames.describe import describe
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.snapshot.rows import TunnelLoop

NAME = "tunnel-recursion"

_OTHER_LOOPS = (
    "VRFs whose routes lead into each other (routing-loop), or other virtual devices (bridges,"
    " macvlans) on top of each other"
)
_LOGS = {
    "own-route": "Local routing loop detected!",
    "own-remote": "Routing loop! Remote address found on this node!",
    "dead-loop": "Dead loop on virtual device",
}


def check(case: Case) -> Iterator[Finding]:
    """One for each ring on a host, each way round over hosts, and each device complained of."""
    told: set[DevId] = set()
    if case.wraps:
        for ring in chains(case.model):
            told |= {link.outer.dev for link in ring}
            yield _ring_finding(case, ring)
        for found in rounds(case.model, told):
            told |= found.devices
            yield _round_finding(case, found)
    if any(snapshot.tunnel_loops.rows for snapshot in case.network.snapshots.values()):
        told |= {turn.dev for ring in rings(case) if ring.nested for turn in ring.turns}
    for host, snapshot in case.network.snapshots.items():
        logged: dict[DevId, list[TunnelLoop]] = {}
        for row in snapshot.tunnel_loops.rows:
            logged.setdefault(DevId(host, row.netns, row.dev), []).append(row)
        for dev, rows in logged.items():
            if dev not in told:
                yield _logged_finding(case, dev, rows)


def _ring_finding(case: Case, ring: tuple[Link, ...]) -> Finding:
    first = ring[0].outer
    devices = list(dict.fromkeys(link.outer.dev for link in ring))
    kind = _kind(case, ring)
    logged = _logged(case, devices)
    return Finding(
        check=NAME,
        group="comes-back",
        severity="error",
        evidence="reported" if logged else "predicted",
        confidence="certain",
        host=first.dev.host,
        subject=first.dev.name,
        summary=_summary(case, ring, kind),
        because=(
            *case.evidence(_rule(case, first.dev, kind), merge_refs(*(li.refs for li in ring))),
            *case.evidence("dead-loop", logged),
        ),
        details={
            "kind": kind,
            "netns": first.dev.netns,
            "devices": [dev.name for dev in devices],
            "hosts": [first.dev.host],
            "remotes": [link.outer.remote for link in ring],
            "ends": "size" if kind == "sealed-again" else "dropped",
            "log": _log(case, first.dev, kind),
            "endless": False,
        },
    )


def _kind(case: Case, ring: tuple[Link, ...]) -> str:
    """What Linux makes of it."""
    if ring[0].into is None:
        return "own-remote"
    tunnels = [case.model.tunnels.by_id.get(link.outer.dev) for link in ring]
    sealed = any(
        t is not None and t.kind == "wireguard" and t.kernel.wireguard_nests for t in tunnels
    )
    if sealed:  # each is sent later, by a worker: no limit to what is nested applies
        return "sealed-again"
    return "own-route" if len(ring) == 1 else "nested"


def _rule(case: Case, dev: DevId, kind: str) -> str:
    if kind == "sealed-again":
        return "wg_socket_send_skb_to_peer"
    if kind == "nested":
        return "dev_xmit_recursion"
    if dev in case.model.vxlans.by_id:
        return "vxlan_get_route"
    tunnel = case.model.tunnels.by_id[dev]
    if tunnel.kind == "wireguard":
        return "send4"
    return "ip6_tnl_xmit" if tunnel.outer_v6 else "ip_tunnel_xmit"


def _log(case: Case, dev: DevId, kind: str) -> str | None:
    """What the kernel logs of it; without debugging only IPv6 tunnels and dead loops do."""
    tunnel = case.model.tunnels.by_id.get(dev)
    if kind == "nested":
        return _LOGS["dead-loop"]
    return _LOGS[kind] if kind in _LOGS and tunnel is not None and tunnel.outer_v6 else None


def _summary(case: Case, ring: tuple[Link, ...], kind: str) -> str:
    (dev, remote, _, _), name = ring[0].outer, ring[0].outer.dev.name
    if kind == "own-remote":
        return (
            f"The remote of {name}, {remote}, is an address of {named(dev.host)} itself:"
            " Linux drops all that leaves by it."
        )
    if kind == "own-route":
        return (
            f"What {name} sends to {remote} is routed into {name} again: Linux drops all that"
            " leaves by it, and counts it as a collision."
        )
    ways = ", ".join(
        f"{link.outer.dev.name} sends to {link.outer.remote} through {link.into.name}"
        for link in ring
        if link.into is not None
    )
    if kind == "sealed-again":
        return f"{ways}: each packet is sealed again and again until it is too big."
    return f"{ways}: Linux drops a packet that was wrapped too often, and logs a dead loop."


def _logged(case: Case, devices: Sequence[DevId]) -> tuple[Ref, ...]:
    return tuple(
        Ref(dev.host, row.cite)
        for dev in devices
        for row in case.network.snapshots[dev.host].tunnel_loops.rows
        if (row.netns, row.dev) == (dev.netns, dev.name)
    )


def _round_finding(case: Case, found: Round) -> Finding:
    start = found.way[0].place.dev
    logged = _logged(case, sorted(found.devices))
    over = [placed(hop.place.dev) for hop in found.way if hop.place.dev[:2] != start[:2]]
    until = {"ttl": "until its TTL runs out", "size": "until it is too big"}.get(found.ends or "")
    return Finding(
        check=NAME,
        group="comes-back",
        severity="error",
        evidence="reported" if logged else "simulated",
        confidence="likely" if found.assumed else "certain",
        host=start.host,
        subject=start.name,
        summary=(
            f"What {start.name} of {named(start.host)} sends to {found.remote} goes to"
            f" {joined(over)} and comes back into {start.name}, wrapped once more each time"
            + (f", {until}." if until else ".")
        ),
        because=(
            *case.evidence("ip_tunnel_xmit", found.refs),
            *case.evidence("dead-loop", logged),
        ),
        path=path_steps(
            (
                hop.place.dev,
                hop.place.way,
                describe(hop.frame),
                RULES[hop.why.rule].text if hop.why else "sent by the host",
            )
            for hop in found.way
        ),
        details={
            "kind": "circulates",
            "netns": start.netns,
            "devices": [dev.name for dev in sorted(found.devices)],
            "hosts": list(found.hosts),
            "remotes": [found.remote],
            "ends": found.ends,
            "log": None,
            "endless": False,
        },
    )


def _logged_finding(case: Case, dev: DevId, rows: Sequence[TunnelLoop]) -> Finding:
    kinds = {row.kind for row in rows}
    sure = kinds != {"dead-loop"}
    remotes = list(dict.fromkeys(row.remote for row in rows if row.remote))
    to = f" to {joined(remotes)}" if remotes else ""
    return Finding(
        check=NAME,
        group="comes-back",
        severity="error" if sure else "warning",
        evidence="reported",
        confidence="certain" if sure else "likely",
        host=dev.host,
        subject=dev.name,
        summary=(
            f"The kernel says that what {dev.name} sends{to} is routed into it again: it drops"
            " those packets."
            if sure
            else f"The kernel drops packets that went through {dev.name} again and again on their"
            " way out: tunnels lead through each other."
        ),
        because=case.evidence("dead-loop", (Ref(dev.host, row.cite) for row in rows)),
        details={
            "kind": "logged",
            "netns": dev.netns,
            "devices": [dev.name],
            "hosts": [dev.host],
            "remotes": remotes,
            "ends": "dropped",
            "log": _LOGS[rows[0].kind],
            "endless": False,
        },
        alternatives=() if sure else (_OTHER_LOOPS,),
    )
