"""own-source: the kernel received a frame with its own address as source.

``BRIDGE: received packet on PORT with own address as source address`` comes from
net/bridge/br_fdb.c:br_fdb_update when the source of a frame is a LOCAL entry. The frame is
forwarded all the same and the entry stays; the message shares one rate limit with the whole kernel,
so how often it stands in a log says little, and its absence nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from hopback.checks.case import Case
from hopback.findings import Finding
from hopback.frames.mac import format_mac
from hopback.network.facts import DevId, Ref
from hopback.network.model import BridgeView
from hopback.network.roles import base_device
from hopback.snapshot.rows import OwnSource

NAME = "own-source"

_Key = tuple[str, str, str | None, str]


def check(case: Case) -> Iterator[Finding]:
    """One finding for each bridge and port that the kernel named."""
    for snapshot in case.network.snapshots.values():
        told: dict[_Key, list[OwnSource]] = defaultdict(list)
        for row in snapshot.own_sources.rows:
            told[snapshot.host, row.netns, row.bridge, row.dev].append(row)
        for (host, netns, bridge, dev), rows in told.items():
            port = DevId(host, netns, dev)
            yield _finding(case, port, bridge, rows)


def _finding(case: Case, port: DevId, bridge: str | None, rows: Sequence[OwnSource]) -> Finding:
    view = case.network.bridges.get(port._replace(name=bridge)) if bridge else None
    shown = rows if len(rows) <= 3 else (*rows[:2], rows[-1])
    macs = sorted({format_mac(r.mac) for r in shown if r.mac is not None})
    listed = _listed_as(view, port)
    where = f"{bridge} received on {port.name}" if bridge else f"{port.name} received"
    address = f" ({macs[0]})" if len(macs) == 1 else ""
    return Finding(
        check=NAME,
        group="symptom",
        severity="warning",
        evidence="reported",
        confidence="certain",
        host=port.host,
        subject=port.name,
        summary=(
            f"{where} frames whose source is its own address{address}.{_mismatch(listed, port)}"
        ),
        because=(
            *case.evidence("br_fdb_update", (Ref(port.host, r.cite) for r in shown)),
            *case.evidence("bridge-port", _port_refs(view, listed)),
        ),
        details={
            "bridge": bridge,
            "netns": port.netns,
            "port": port.name,
            "addresses": macs,
            "repeated": len(rows) > 1,
            "listed_port": listed.name if listed else None,
        },
        alternatives=(
            "a station uses the address of the port itself",
            "two bridges of one network have the same address",
        ),
    )


def _listed_as(view: BridgeView | None, port: DevId) -> DevId | None:
    """The port of the bridge that the name means: itself, or the device it is a VLAN of."""
    if view is None:
        return None
    for name in (port.name, base_device(port.name)):
        found = view.port(name)
        if found is not None:
            return found.id
    return None


def _mismatch(listed: DevId | None, port: DevId) -> str:
    if listed is None or listed == port:
        return ""
    return f" The listing of its ports has {listed.name}, not {port.name}: check which is current."


def _port_refs(view: BridgeView | None, listed: DevId | None) -> tuple[Ref, ...]:
    return view.ports[listed].refs if view and listed else ()
