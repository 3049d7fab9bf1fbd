"""What to run next, and on which host: the command whose answer decides."""

from collections.abc import Iterator, Sequence
from shlex import quote

from hopback.checks.address_advice import for_addresses
from hopback.checks.director_advice import for_directors, for_masters, for_real_servers
from hopback.checks.round_advice import for_rounds
from hopback.checks.words import joined
from hopback.findings import Finding, Gap, NextStep, Verdict
from hopback.network.facts import DevId
from hopback.network.model import Network
from hopback.network.roles import base_device

_MAX_STEPS = 8
_BOND_NAMES = ("bond", "team")
_RETURNING = ("uplink-echo", "bond-reflection")


def next_steps(
    network: Network, findings: Sequence[Finding], gaps: Sequence[Gap], verdict: Verdict
) -> tuple[NextStep, ...]:
    """At most eight steps, the most telling first, none twice."""
    echoes = [f for f in findings if f.check in _RETURNING]
    explained = {(f.host, name) for f in echoes for name in f.explains}
    steps = [
        step
        for f in findings
        for step in _for_finding(network, f)
        if f.check != "own-source" or (f.host, f.check) not in explained
    ]
    if verdict == "undecided":
        steps += [s for gap in gaps for s in _for_gap(gap)]
        if not network.bridges or not steps:
            steps += [_look(host) for host in network.snapshots]
    return tuple(dict.fromkeys(steps))[:_MAX_STEPS]


def _look(host: str) -> NextStep:
    return NextStep(host, "hopback check", "reads all tables of the host at once, changing nothing")


def _in(netns: str, command: str) -> str:
    if not netns:
        return command
    if ";" in command or "$(" in command:  # only a shell of its own runs all of it in there
        command = f"sh -c {quote(command)}"
    return f"ip netns exec {netns} {command}"


def _for_finding(network: Network, finding: Finding) -> Iterator[NextStep]:
    netns = str(finding.details.get("netns", ""))
    match finding.check:
        case "uplink-echo" | "bond-reflection":
            yield from _legs(network, finding, netns)
        case "tunnel-recursion":
            remotes = finding.details["remotes"]
            route = "; ".join(f"ip route get {r}" for r in remotes) or "ip route show table all"
            yield NextStep(
                finding.host,
                _in(netns, f"ip -d link show {finding.subject}; {route}; ip rule show"),
                "shows by which routes and rules the outer packets go",
            )
        case "tunnel-reflection":
            yield NextStep(
                finding.host,
                _in(netns, f"bridge fdb show dev {finding.subject}; ip -br addr show"),
                "shows which remotes are addresses of the host itself",
            )
        case "ipvs-loop":
            yield from for_directors(finding)
        case "ipvs-split-brain" if finding.details["lost_by"] is None:
            yield from for_masters(finding)
        case "ipvs-arp-leak":
            yield from for_real_servers(finding)
        case "double-delivery" if finding.details["kind"] == "ping":
            yield NextStep(
                finding.host,
                f"tcpdump -e -v -n icmp and host {finding.subject}   # on both ends",
                "tells whether the request or the reply is doubled; the TTLs tell bridges from"
                " routers",
            )
        case "hairpin-reflection" if finding.severity == "info" and "spared" not in finding.details:
            yield NextStep(
                finding.host,
                "ip -6 addr show tentative; dmesg | grep -i duplicate   # in each guest",
                "tells whether a guest takes its own reflected frame for another's",
            )
        case "bridge-loop":
            bridge = finding.details["bridge"]
            yield NextStep(
                finding.host,
                _in(netns, f"bridge link show; bridge -s fdb show br {bridge}"),
                "shows which ports forward, and whether addresses jump between them",
            )
        case "fdb-misplaced" | "mac-move" if finding.details.get("bridge"):
            bridge = finding.details["bridge"]
            yield NextStep(
                finding.host,
                _in(netns, f"bridge -t monitor fdb | grep {finding.subject}"),
                f"shows when {bridge} moves the entry: right after the station's own frame means"
                " that the frame came back",
            )
        case "mac-move" if finding.details["told_by"] == "switch":
            yield from _flapping(finding)
        case "own-source" if finding.severity != "info":
            yield NextStep(
                finding.host,
                _capture(netns, finding.subject, _own_address(finding)),
                "shows the frames that come back: which ones, and how soon after they left",
            )
        case _:
            for inside, step in (*for_addresses(finding), *for_rounds(finding)):
                yield NextStep(step.host, _in(inside, step.command), step.why)


def _capture(netns: str, device: str, source: str) -> str:
    return _in(netns, f"tcpdump -e -n -Q in -i {device} -c 20 ether src {source}")


def _own_address(finding: Finding) -> str:
    """The address that came back; where the log does not say it, a command that does."""
    addresses = finding.details.get("addresses")
    if addresses:
        return str(addresses[0])
    return f"$(cat /sys/class/net/{finding.details['bridge'] or finding.subject}/address)"


def _legs(network: Network, finding: Finding, netns: str) -> Iterator[NextStep]:
    """A capture on each leg tells which cable returns frames; the switch knows the rest."""
    uplink = str(finding.details["uplink"])
    bridge = network.bridges.get(DevId(finding.host, netns, str(finding.details["bridge"])))
    port = bridge.port(uplink) if bridge else None
    if port is not None and not port.named:
        why = f"names {uplink}; capture on it what comes in from {_own_address(finding)}"
        yield NextStep(finding.host, _in(netns, f"brctl showstp {finding.details['bridge']}"), why)
        return
    legs = _bond_legs(network, DevId(finding.host, netns, base_device(uplink)))
    for leg in legs or ([uplink] if finding.details["bridge"] else []):
        yield NextStep(
            finding.host,
            _capture(netns, leg, _own_address(finding)),
            f"frames from a station behind this host that come in on {leg} came back by that leg",
        )
    if base_device(uplink).startswith(_BOND_NAMES) and not legs:
        yield NextStep(
            finding.host,
            _in(netns, f"cat /proc/net/bonding/{base_device(uplink)}"),
            "its legs, its mode and its LACP partner; then the same capture on each leg",
        )
    yield NextStep(
        "the switch",
        "show the MAC table for that address, and the LAG and spanning-tree state of the ports",
        f"the address moving between ports there names the leg of {uplink} that closes the loop",
    )


def _flapping(finding: Finding) -> Iterator[NextStep]:
    """A switch names two ports; what hangs on them tells a loop from a bond without a LAG."""
    ports = joined(sorted(finding.details["ports"]))
    yield NextStep(
        "the switch",
        f"show what is connected to {ports}, and the LAG and spanning-tree state of both",
        "two legs of one host that are no LAG, or two ways to it that form a loop",
    )
    yield NextStep(
        f"the host that has {finding.subject}",
        "cat /proc/net/bonding/*; dmesg | grep 'own address'",
        "a bond that sends by both legs needs a LAG; its own frames heard again mean a loop",
    )


def _bond_legs(network: Network, bond: DevId) -> list[str]:
    view = network.bonds.get(bond)
    return list(view.legs) if view else []


def _for_gap(gap: Gap) -> Iterator[NextStep]:
    commands = {
        "fdb": "bridge fdb show",
        "ports": "bridge -d link show",
        "links": "ip -d link show",
        "ipvs_servers": "ipvsadm -Sn; ip addr show   # on the real servers",
        "own_sources": "dmesg | grep 'own address'",
        "addresses": "ip -6 addr show; sysctl net.ipv6.conf.all.enhanced_dad; bridge -d link show",
        "mdb": "bridge -d mdb show",
        "filters": "nft list ruleset; ebtables-save",
        "port_vlans": "bridge vlan show",
    }
    if gap.table in commands:
        yield NextStep(gap.host, commands[gap.table], gap.reason)
