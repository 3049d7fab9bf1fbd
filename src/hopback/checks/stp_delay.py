"""stp-delay: a port was still listening or learning when it was needed.

With kernel spanning tree a port forwards nothing for twice the forward delay after it came up
(net/bridge/br_stp_timer.c:br_forward_delay_timer_expired), 30 s by default: longer than most DHCP
clients try. A port that spanning tree blocks because of a loop is another matter.
"""

from collections.abc import Iterator

from hopback.checks.case import Case
from hopback.findings import Finding
from hopback.network.facts import merge_refs
from hopback.network.model import BridgeView, Port

NAME = "stp-delay"


def check(case: Case) -> Iterator[Finding]:
    """One finding for each port that a listing caught waiting."""
    echoing = {(f.host, f.details["netns"], f.subject) for f in case.of("own-source")}
    for bridge in case.network.bridges.values():
        for port in bridge.ports.values():
            waiting = port.state and port.state.value in ("listening", "learning")
            if waiting and port.id not in echoing:
                yield _finding(case, bridge, port)


def _finding(case: Case, bridge: BridgeView, port: Port) -> Finding:
    assert port.state is not None  # noqa: S101  (check has looked)
    delay = bridge.settings.get("forward_delay")
    seconds = delay.value / 1e9 if delay else None
    left = f" up to {2 * seconds:g} s after it came up" if seconds else " until it forwards"
    return Finding(
        check=NAME,
        group="other-fault",
        severity="warning",
        evidence="reported",
        confidence="likely",
        host=bridge.id.host,
        subject=port.id.name,
        summary=(
            f"{port.id.name} on {bridge.id.name} is still {port.state.value}:"
            f" what a station sends there is dropped{left}."
        ),
        because=case.evidence(
            "br_handle_frame", merge_refs(port.state.refs, delay.refs if delay else ())
        ),
        details={
            "bridge": bridge.id.name,
            "netns": bridge.id.netns,
            "state": port.state.value,
            "forward_delay_seconds": seconds,
        },
    )
