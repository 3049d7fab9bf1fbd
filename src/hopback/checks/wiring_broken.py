"""wiring-broken: a guest is not plugged in, or its bridge leads nowhere.

libvirt's definition says which tap of a guest belongs on which bridge; the tables say what is
there. A port that is down, a tap without a master, one on another bridge: frames end before any
table is asked.
"""

from collections.abc import Iterator

from hopback.checks.case import Case
from hopback.findings import Finding
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.network.model import BridgeView, Port
from hopback.snapshot.rows import GuestNic

NAME = "wiring-broken"

_NEUTRON_BRIDGE = "brq"
"""neutron's Linux bridge agent gives each of its bridges a way out (a VLAN, VXLAN or bond port)."""


def check(case: Case) -> Iterator[Finding]:
    """One finding for each interface or port that is not connected as defined."""
    for snapshot in case.network.snapshots.values():
        for nic in snapshot.guest_nics.rows:
            if nic.target and nic.source_kind == "bridge" and nic.source:
                yield from _interface(case, snapshot.host, nic)
    for bridge in case.network.bridges.values():
        yield from _bridge(case, bridge)


def _interface(case: Case, host: str, nic: GuestNic) -> Iterator[Finding]:
    bridge = DevId(host, nic.netns, nic.source or "")
    tap = DevId(host, nic.netns, nic.target or "")
    defined = Ref(host, nic.cite)
    actual = case.network.bridge_of(tap)
    view = case.network.bridges.get(bridge)
    if actual is not None and actual.id != bridge:
        refs = merge_refs((defined,), actual.ports[tap].refs)
        text = f"{tap.name} is on {actual.id.name}, but libvirt defines it on {bridge.name}."
        yield _finding(case, tap, "other-bridge", text, refs)
        return
    device = case.network.devices.get(tap)
    if actual is None and device and device.master and device.master.value == "":
        refs = merge_refs((defined,), device.master.refs)
        text = f"{tap.name} is a port of no bridge, but libvirt defines it on {bridge.name}."
        yield _finding(case, tap, "not-enslaved", text, refs)
    elif actual is None and view is not None and view.ports_complete:
        refs = merge_refs((defined,), *(p.refs for p in view.ports.values()), view.refs)
        text = f"{bridge.name} does not list {tap.name}, which libvirt defines on it."
        yield _finding(case, tap, "not-enslaved", text, refs)


def _bridge(case: Case, bridge: BridgeView) -> Iterator[Finding]:
    for port in bridge.ports.values():
        yield from _port(case, bridge, port)
    roles = {p.role for p in bridge.ports.values()}
    lonely = bridge.ports_complete and roles == {"guest"}
    if lonely and bridge.id.name.startswith(_NEUTRON_BRIDGE):
        refs = merge_refs(*(p.refs for p in bridge.ports.values()))
        text = f"{bridge.id.name} has guests and no way out: its uplink is not a port of it."
        yield _finding(case, bridge.id, "no-uplink", text, refs)


def _port(case: Case, bridge: BridgeView, port: Port) -> Iterator[Finding]:
    device = case.network.devices.get(port.id)
    up = device.up if device else None
    carrier = device.carrier if device else None
    if up is not None and not up.value:
        text = f"{port.id.name} on {bridge.id.name} is down."
        yield _finding(case, port.id, "down", text, merge_refs(up.refs, port.refs))
    elif carrier is not None and not carrier.value and port.role == "uplink":
        text = f"{port.id.name}, the way out of {bridge.id.name}, has no carrier."
        yield _finding(case, port.id, "no-carrier", text, merge_refs(carrier.refs, port.refs))


def _finding(case: Case, subject: DevId, kind: str, summary: str, refs: tuple[Ref, ...]) -> Finding:
    return Finding(
        check=NAME,
        group="other-fault",
        severity="warning",
        evidence="reported",
        confidence="certain",
        host=subject.host,
        subject=subject.name,
        summary=summary,
        because=case.evidence("wiring", refs),
        details={"kind": kind, "netns": subject.netns},
    )
