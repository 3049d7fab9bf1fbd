"""What to ask of directors next."""

from collections.abc import Iterator

from hopback.findings import Finding, NextStep


def for_real_servers(finding: Finding) -> Iterator[NextStep]:
    """What tells whether a real server draws clients to itself."""
    if finding.confidence == "possible":
        dev = finding.details["device"]
        keys = (f"net.ipv4.conf.{d}.arp_{k}" for k in ("ignore", "announce") for d in ("all", dev))
        yield NextStep(
            finding.host,
            f"sysctl {' '.join(keys)}",
            f"the larger of each pair counts: 1 and 2 keep it silent about {finding.subject}",
        )
    if finding.details["kind"] != "not-accepted" and finding.severity != "info":
        yield NextStep(
            "a client",
            f"arping -c 3 {finding.subject}",
            "one responder, the master: nobody else answers",
        )


def for_masters(finding: Finding) -> Iterator[NextStep]:
    """What tells whether both still are master, and where adverts are lost."""
    for host in finding.details["masters"]:
        yield NextStep(
            host,
            f"ip addr show to {finding.details['address']}; tcpdump -e -n -c 5 proto 112",
            "one master has the address and sends adverts; the others hear them",
        )


def for_directors(finding: Finding) -> Iterator[NextStep]:
    """The commands that tell whether a ring is closed, the peer's table first."""
    details = finding.details
    if "spared" in details:
        return
    peer = details.get("peer")
    if peer is not None:
        why = f"tells whether {details['directors'][0]} is a real server of that one too"
        yield NextStep(peer, "ipvsadm -Sn", why)
    elif details.get("unsure"):
        for host in details["directors"]:
            yield NextStep(host, "ipvsadm -Sn", "tells whom it sends to, and with which weight")
    for host in [peer] if peer is not None else details["directors"]:
        if finding.confidence != "certain":  # else both were listed, and the packet goes round
            yield NextStep(
                host,
                "sysctl net.ipv4.vs.backup_only; ipvsadm -L --daemon",
                "with a backup's thread and 1 it schedules nothing while it is backup",
            )
        yield NextStep(
            host,
            "iptables -t mangle -S PREROUTING",
            "tells whether frames of the other director are left without the mark",
        )
    yield NextStep(
        finding.host,
        f"tcpdump -e -v -n -c 100 {_filter(finding.subject)}",
        "one packet again and again, the MACs changing places: it goes round",
    )


def _filter(subject: str) -> str:
    """What a capture shall show of a service, by its title."""
    protocol, _, end = subject.partition(" ")
    if protocol == "mark":
        return "ip"
    address, _, port = end.rpartition(":")
    return f"{protocol.lower()} dst port {port} and dst host {address.strip('[]')}"
