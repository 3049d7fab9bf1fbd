"""What to ask of directors next."""

from collections.abc import Iterator

from hopback.findings import Finding, NextStep


def for_directors(finding: Finding) -> Iterator[NextStep]:
    """The commands that tell whether a ring is closed, the peer's table first."""
    details = finding.details
    if "spared" in details:
        return
    peer = details.get("peer")
    if peer is not None:
        why = f"tells whether {details['directors'][0]} is a real server of that one too"
        yield NextStep(peer, "ipvsadm -Sn", why)
    for host in [peer] if peer is not None else details["directors"]:
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
