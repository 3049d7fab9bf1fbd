"""What to say of a ring of directors."""

from collections.abc import Sequence

from hopback.checks.handovers import Handover
from hopback.snapshot.rows import IpvsMethod

METHODS: dict[IpvsMethod, str] = {"route": "DR", "tunnel": "TUN", "masq": "NAT"}


def named(host: str) -> str:
    """A host without a name is the one that everything given is about."""
    return host or "the host"


def joined(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *most, last = dict.fromkeys(names)
    return f"{', '.join(most)} and {last}" if most else last


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


def fate(endless: bool | None, frames: int | None) -> str:
    """How long one packet goes on."""
    if endless:
        return "One packet goes to and fro for ever: these kernels' IPVS leaves its TTL as it is."
    if endless is None:
        return (
            "One packet goes to and fro until its TTL runs out or, with IPVS before Linux 4.10,"
            " for ever."
        )
    counted = f", {frames} frames for one with TTL 64" if frames else ""
    return f"One packet goes to and fro until its TTL runs out{counted}."


def masters(hosts: Sequence[str]) -> str:
    """The roles that it takes."""
    if not hosts:
        return ""
    both = " both" if len(hosts) == 2 else ""
    verb = "is" if len(hosts) == 1 else "are"
    return f" only while {joined([named(h) for h in hosts])} {verb}{both} master"
