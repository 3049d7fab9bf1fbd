"""ipvs-misrouted: IPVS sends where no proper answer can come from.

Each method needs something of its surroundings (net/netfilter/ipvs/ip_vs_xmit.c): DR a common
segment and the service's own port, NAT the answer's way through the director, a mark a rule that
sets it, and all of them a virtual address that is the director's own.
"""

from collections.abc import Iterator

from hopback.checks.case import Case
from hopback.checks.directors import Service
from hopback.checks.misrouting import Misroute, misroutes
from hopback.findings import Finding
from hopback.network.facts import merge_refs

NAME = "ipvs-misrouted"


def check(case: Case) -> Iterator[Finding]:
    """One for each service, by the first thing that is wrong with it."""
    for service in case.directors.services:
        found = next(misroutes(case, service), None)
        if found is not None:
            yield _finding(case, service, found)


def _finding(case: Case, service: Service, wrong: Misroute) -> Finding:
    refs = merge_refs((service.ref,), (server.ref for server in wrong.servers), wrong.refs)
    return Finding(
        check=NAME,
        group="other-fault",
        severity="warning" if wrong.reason != "not-local" else "info",
        evidence="predicted",
        confidence=wrong.confidence,
        host=service.where.host,
        subject=service.title,
        summary=f"{service.title}: {wrong.text}.",
        because=case.evidence("ipvs-way", refs),
        details={
            "netns": service.where.netns,
            "service": service.title,
            "reason": wrong.reason,
            "servers": [server.address for server in wrong.servers],
        },
    )
