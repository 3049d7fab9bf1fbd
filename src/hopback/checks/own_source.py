"""own-source: the kernel received a frame with its own address as source.

``BRIDGE: received packet on PORT with own address as source address`` comes from
net/bridge/br_fdb.c:br_fdb_update when the source of a frame is a LOCAL entry. The frame is
forwarded all the same and the entry stays; the message shares one rate limit with the whole kernel,
so how often it stands in a log says little, and its absence nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from hopback.checks.case import Case
from hopback.checks.shared_macs import is_virtual_router
from hopback.findings import Finding
from hopback.frames.mac import format_mac
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.network.model import BridgeView
from hopback.network.roles import base_device
from hopback.snapshot.rows import OwnSource

NAME = "own-source"

_LOCALLY_ADMINISTERED = 1 << 41  # no NIC's own address (IEEE 802)
_VIRTUAL = " It is a virtual router's: others may send with it too."

_Key = tuple[str, str, str | None, str]


def check(case: Case) -> Iterator[Finding]:
    """One finding for each bridge and port that the kernel named."""
    for snapshot in case.network.snapshots.values():
        told: dict[_Key, list[OwnSource]] = defaultdict(list)
        for row in snapshot.own_sources.rows:
            told[snapshot.host, row.netns, row.bridge, row.dev].append(row)
        for (host, netns, bridge, dev), rows in told.items():
            port = DevId(host, netns, dev)
            home = _home(case, port._replace(name=bridge or dev))
            yield _finding(case, port._replace(netns=home or netns), bridge, rows, home is None)


def tells_of_a_return(finding: Finding) -> bool:
    """Whether nothing given explains an own-source finding otherwise."""
    told = finding.details
    return not (told["station_uses_it"] or told["virtual_router"] or told["gone"])


def _home(case: Case, bridge: DevId) -> str | None:
    """The namespace of the bridge that the log named; None if it is not there any more.

    The kernel has one log for all its namespaces, and names devices without theirs.
    """
    snapshot = case.network.snapshots[bridge.host]
    if bridge in case.network.devices or not snapshot.links.complete(bridge.netns):
        return bridge.netns
    same = [d for d in case.network.devices if (d.host, d.name) == (bridge.host, bridge.name)]
    return same[0].netns if len(same) == 1 else None


def _finding(
    case: Case, port: DevId, bridge: str | None, rows: Sequence[OwnSource], gone: bool
) -> Finding:
    view = case.network.bridges.get(port._replace(name=bridge)) if bridge else None
    shown = rows if len(rows) <= 3 else (*rows[:2], rows[-1])
    macs = sorted({format_mac(r.mac) for r in shown if r.mac is not None})
    listed = _listed_as(view, port)
    used = _in_use(case, port, macs)
    virtual = all(r.mac is not None and is_virtual_router(r.mac) for r in shown)
    where = f"{bridge} received on {port.name}" if bridge else f"{port.name} received"
    address = f" ({macs[0]})" if len(macs) == 1 else ""
    return Finding(
        check=NAME,
        group="symptom",
        severity="info" if gone else "warning",
        evidence="reported",
        confidence="certain",
        host=port.host,
        subject=port.name,
        summary=(
            f"{where} frames whose source is its own address{address}.{_mismatch(listed, port)}"
            f"{' The station behind it uses that address.' if used else ''}"
            f"{_VIRTUAL if virtual else ''}"
            f"{' It is not there any more.' if gone else ''}"
        ),
        because=(
            *case.evidence("br_fdb_update", (Ref(port.host, r.cite) for r in shown)),
            *case.evidence("bridge-port", _port_refs(view, listed)),
            *case.evidence("own-port", used),
        ),
        details={
            "bridge": bridge,
            "netns": port.netns,
            "port": port.name,
            "addresses": macs,
            "repeated": len(rows) > 1,
            "listed_port": listed.name if listed else None,
            "station_uses_it": bool(used),
            "virtual_router": virtual,
            "gone": gone,
        },
        alternatives=_alternatives(shown),
    )


def _alternatives(rows: Sequence[OwnSource]) -> tuple[str, ...]:
    usual = (
        "a station uses the address of the port itself",
        "two bridges of one network have the same address",
    )
    if all(r.mac is not None and r.mac & _LOCALLY_ADMINISTERED for r in rows):
        return usual
    return (*usual, "a management controller (BMC, AMT) shares the NIC and its address")


def _listed_as(view: BridgeView | None, port: DevId) -> DevId | None:
    """The port of the bridge that the name means: itself, or the device it is a VLAN of."""
    if view is None:
        return None
    for name in (port.name, base_device(port.name)):
        found = view.port(name)
        if found is not None:
            return found.id
    return None


def _in_use(case: Case, port: DevId, heard: Sequence[str]) -> tuple[Ref, ...]:
    """The rows that say that a guest bears the address, so that nothing need have come back.

    The host sends with the bridge's address, never with that of a tap: where the tap's own is heard
    on it, the guest uses it. Old kernels do not say which address they heard.
    """
    bridge = case.network.bridge_of(port)
    if bridge is None or bridge.ports[port].role != "guest":
        return ()
    stations = [s for s in case.network.stations if s.port == port]
    same = [s.refs for s in stations if not heard or format_mac(s.mac) in heard]
    device = case.network.devices.get(port)
    mac = device.mac if device else None
    if mac and bridge.mac and bridge.mac.value != mac.value and format_mac(mac.value) in heard:
        same.append(merge_refs(mac.refs, bridge.mac.refs))
    return merge_refs(*same)


def _mismatch(listed: DevId | None, port: DevId) -> str:
    if listed is None or listed == port:
        return ""
    return f" The listing of its ports has {listed.name}, not {port.name}: check which is current."


def _port_refs(view: BridgeView | None, listed: DevId | None) -> tuple[Ref, ...]:
    return view.ports[listed].refs if view and listed else ()
