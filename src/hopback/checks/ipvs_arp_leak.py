"""ipvs-arp-leak: a real server answers ARP or ND for the virtual address, or cannot accept it.

With DR and TUN each real server has the virtual address too. net/ipv4/arp.c:arp_process answers for
any address of the host on any of its devices, unless ``arp_ignore`` of the device or of ``all``,
whichever is larger, says otherwise; ``arp_solicit`` asks with it as sender, unless ``arp_announce``
does. Who heard that goes to the real server, past the director. IPv6 answers only for addresses of
the device itself (net/ipv6/ndisc.c:ndisc_recv_ns).
"""

from collections.abc import Iterator

from hopback.checks.case import Case
from hopback.checks.leaks import Leak, leak_of, refusal_of
from hopback.checks.real_servers import RealServer, taking_virtual
from hopback.findings import Finding
from hopback.network.facts import merge_refs

NAME = "ipvs-arp-leak"


def check(case: Case) -> Iterator[Finding]:
    """One for each real server and virtual address, the leak before what it does not accept."""
    for real in taking_virtual(case):
        found = leak_of(case, real) or refusal_of(case, real)
        if found is not None:
            yield _finding(case, real, found)


def _finding(case: Case, real: RealServer, leak: Leak) -> Finding:
    return Finding(
        check=NAME,
        group="other-fault",
        severity="info" if leak.confidence == "possible" else "error",
        evidence="predicted" if leak.rule is None else "simulated",
        confidence=leak.confidence,
        host=real.where.host,
        subject=str(real.asked.address),
        summary=leak.text,
        because=case.evidence("real-server", merge_refs(real.refs, leak.refs)),
        details={
            "netns": real.where.netns,
            "service": real.service.title,
            "server": real.server.address,
            "kind": leak.kind,
            "device": leak.dev,
            "arp_ignore": leak.ignore,
            "arp_announce": leak.announce,
            "rule": leak.rule,
        },
    )
