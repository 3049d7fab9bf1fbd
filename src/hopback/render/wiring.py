"""How a station is wired: its NIC, its port, the bridge, and what else is plugged in there."""

from msgspec import Struct

from hopback.frames.mac import format_mac
from hopback.network.facts import DevId
from hopback.network.model import Network, Port, Station
from hopback.network.roles import base_device
from hopback.render.page import Page, Span


class WiredPort(Struct, frozen=True):
    """A bridge port. ``number_known`` is certain, likely or "" (no number).

    ``lower`` is the device it is a VLAN of, "" if it is none; ``legs`` are those of the bond that
    carries it.
    """

    device: str
    number: int | None
    number_known: str
    number_how: str
    way_out: bool
    vlan: int | None
    lower: str
    legs: tuple[str, ...]


class Wiring(Struct, frozen=True):
    """The station's own port is not among ``others``."""

    host: str
    mac: str
    name: str
    known_by: tuple[str, ...]
    port: WiredPort
    bridge: str
    others: tuple[WiredPort, ...]


def wiring_of(network: Network, station: Station) -> Wiring:
    """The wiring around ``station``, as far as it is known; ways out come first."""
    ports = network.bridges[station.bridge].ports
    ways_out = network.ways_out(station.bridge)
    others = sorted(
        (p for p in ports.values() if p.id != station.port), key=lambda p: p not in ways_out
    )
    return Wiring(
        host=station.port.host,
        mac=format_mac(station.mac),
        name=station.name,
        known_by=station.how,
        port=_wired(network, ports[station.port], way_out=False),
        bridge=station.bridge.name,
        others=tuple(_wired(network, p, way_out=p in ways_out) for p in others),
    )


def _wired(network: Network, port: Port, *, way_out: bool) -> WiredPort:
    vlan, lower = _lower(network, port.id)
    bond = network.bonds.get(port.id._replace(name=lower or port.id.name))
    return WiredPort(
        device=port.id.name,
        number=port.number.value if port.number else None,
        number_known=port.number.strength if port.number else "",
        number_how=port.number.how if port.number else "",
        way_out=way_out,
        vlan=vlan,
        lower=lower,
        legs=tuple(bond.legs) if bond else (),
    )


def _lower(network: Network, port: DevId) -> tuple[int | None, str]:
    """The VLAN a port carries, and of which device: by its row, else by its name."""
    rows = network.snapshots[port.host].vlan_devices.rows
    row = next((r for r in rows if (r.netns, r.name) == (port.netns, port.name)), None)
    base = base_device(port.name)
    if row is not None:
        return row.vid, row.lower or (base if base != port.name else "")
    if base == port.name:
        return None, ""
    return int(port.name.removeprefix(f"{base}.")), base


def draw_wiring(page: Page, wiring: Wiring) -> None:
    """The wiring as a tree, the station on top."""
    named = f"  {wiring.name}" if wiring.name != wiring.mac else ""
    page.spans(Span(wiring.mac, "strong"), Span(f"{named}  (its NIC)", "muted"))
    page.spans(Span("└─ "), Span(_title(wiring.port), "strong"), Span(_how(wiring.port), "muted"))
    page.spans(Span("   └─ "), Span(wiring.bridge, "strong"), Span("  (the bridge)", "muted"))
    for number, port in enumerate(wiring.others, 1):
        last = number == len(wiring.others)
        page.spans(
            Span("      " + ("└─ " if last else "├─ ")),
            Span(_title(port), "strong" if port.way_out else ""),
            Span(_way_out(port), "muted"),
        )


def _title(port: WiredPort) -> str:
    if port.number is None:
        return port.device
    inferred = ", inferred" if port.number_known == "likely" else ""
    return f"{port.device} (port {port.number}{inferred})"


def _how(port: WiredPort) -> str:
    return f"  {port.number_how}" if port.number_known == "certain" else ""


def _way_out(port: WiredPort) -> str:
    if not port.way_out:
        return ""
    vlan = f", VLAN {port.vlan}" if port.vlan is not None else ""
    lower = f" of {port.lower}" if port.lower else ""
    legs = f", legs {', '.join(port.legs)}" if port.legs else ""
    return f"  way out{vlan}{lower}{legs}"
