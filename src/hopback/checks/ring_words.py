"""What to say of a ring of directors."""

from collections.abc import Sequence

from hopback.checks.handovers import Handover
from hopback.checks.ring_evidence import Sign
from hopback.checks.words import joined, named
from hopback.findings import Finding
from hopback.snapshot.rows import IpvsMethod

METHODS: dict[IpvsMethod, str] = {"route": "DR", "tunnel": "TUN", "masq": "NAT"}


def hosts_of(ring: Sequence[Handover]) -> list[str]:
    """The directors, in the order of the packet."""
    return list(dict.fromkeys(named(h.service.where.host) for h in ring))


def methods_of(ring: Sequence[Handover]) -> list[str]:
    """How each sends to the next."""
    return [METHODS.get(h.server.method, h.server.method) for h in ring]


def about(ring: Sequence[Handover]) -> str:
    """Who forwards what to whom."""
    methods = joined(methods_of(ring))
    title = ring[0].service.title
    if len(ring) == 1:
        to = ring[0].to
        there = named(to.host) if to else ring[0].server.address
        return (
            f"{title}: {hosts_of(ring)[0]} sends packets to {there} ({methods}), which returns them"
        )
    if len(ring) == 2:
        return f"{title}: {joined(hosts_of(ring))} each have the other as a real server ({methods})"
    return f"{title}: {joined(hosts_of(ring))} have each other as real servers ({methods})"


def fate(endless: bool | None, frames: int | None, when: str = "") -> str:
    """How long one packet goes on; ``when`` stands before it."""
    goes = f"{when}, one packet goes to and fro" if when else "One packet goes to and fro"
    if endless:
        return f"{goes} for ever: these kernels' IPVS leaves its TTL as it is."
    if endless is None:
        return f"{goes} until its TTL runs out or, with IPVS before Linux 4.10, for ever."
    counted = f", {frames} frames for one with TTL 64" if frames else ""
    return f"{goes} until its TTL runs out{counted}."


def while_masters(hosts: Sequence[str]) -> str:
    """The roles that it takes, to stand before what happens then."""
    names = joined([named(host) for host in hosts])
    if not hosts:
        return "While nobody is master"
    return f"While both {names} are master" if len(hosts) > 1 else f"While {names} is master"


def chain_of(
    ring: Sequence[Handover],
    seen: Sequence[Sign],
    split: Sequence[Finding],
    masters: Sequence[str],
) -> list[str]:
    """How the loop and the roles led to each other, where more than the ring was seen."""
    busy = [sign.text for sign in seen if sign.kind == "softirq"]
    both = [f"{joined(f.details['masters'])} are both master of {f.subject}" for f in split]
    if not busy and not both:
        return []
    loop = f"{joined(hosts_of(ring))} forward one packet to each other"
    starved = [f"that takes the processor: {text}" for text in busy]
    if masters:
        late = ["so adverts are late, and neither steps down"] if busy else []
        return [*both, loop, *starved, *late]
    return [loop, *starved, *(f"adverts of VRRP are lost: {text}" for text in both)]
