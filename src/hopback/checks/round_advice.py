"""What to run next where packets go round between routers."""

from collections.abc import Iterator

from hopback.findings import Finding, NextStep

_OUTSIDE = "a host outside"
_SETTINGS = "sysctl -a | grep -E 'forwarding|ip_forward|rp_filter'"
_WHICH = "names the route that sends the packet on, and by which hop"


def for_rounds(finding: Finding) -> Iterator[tuple[str, NextStep]]:
    """The steps for one finding, each with the namespace in which its command is run.

    A router refuses its own source address in what returns, so none of the ring should ask.
    """
    if finding.check != "routing-loop":
        return
    told, target = finding.details, finding.details["target"]
    if told["kind"] == "tables":
        if finding.confidence != "certain":
            for host in dict.fromkeys(told["ring"]):
                yield "", NextStep(host, _SETTINGS, "whether it forwards, and what it refuses")
        return
    if not target:
        return
    lookup = f"ip route get {target} from {told['source'] or 'CLIENT'}"
    if told["kind"] == "capture":
        yield (
            str(told["netns"]),
            NextStep(finding.host, f"{lookup} iif {told['dev'] or 'DEV'}", _WHICH),
        )
    for router in told["ring"]:
        yield "", NextStep(f"the router {router}", f"{lookup} iif UPLINK", _WHICH)
    if told["kind"] != "trace":
        why = "the routers that repeat are the ring"
        yield "", NextStep(_OUTSIDE, f"traceroute -n {target}", why)
    elif finding.confidence == "possible":
        why = "the same packet with a TTL that falls has been there before"
        yield "", NextStep(f"the router {told['ring'][0]}", f"tcpdump -e -v -n host {target}", why)
