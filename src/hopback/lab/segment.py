"""What of a network is rebuilt: one station's bridge, and what is plugged into it."""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.model import Model
from hopback.frames.mac import ZERO, Mac, format_mac, is_group, tap_twin
from hopback.lab.steps import Facility, Refused
from hopback.lab.uplink import Uplink, uplink_of
from hopback.network.facts import DevId
from hopback.network.model import BridgeView, Network, Port, Station
from hopback.network.roles import base_device

GUESTS_MAX = 200

# What iproute2 takes as one word that is no option; at most IFNAMSIZ without its zero byte.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,14}")
_UNSUPPORTED = frozenset({"vxlan", "geneve", "gretap", "ip6gretap", "macvlan", "macvtap"})
_STAND_IN = frozenset({"bond", "team", "vlan"})

End = Literal["guest", "way out", "nobody"]


class Wire(Struct, frozen=True):
    """A bridge port, what it is called in the lab, and who is at the other end.

    ``mac`` is the port's own address, None to leave it to the kernel. ``uplink`` is what the port
    is made of, None for a plain wire.
    """

    port: Port
    name: str
    mac: Mac | None
    end: End
    station: Station | None = None
    uplink: Uplink | None = None


class Segment(Struct, frozen=True):
    """The bridge to build; ``gaps`` say how the lab differs from what was recorded."""

    bridge: BridgeView
    name: str
    mac: Mac | None
    wires: tuple[Wire, ...]
    station: Station
    gaps: tuple[str, ...]
    filters: bool = False

    @property
    def home(self) -> Wire:
        """The station's own wire."""
        return next(w for w in self.wires if w.port.id == self.station.port)

    @property
    def ways_out(self) -> tuple[Wire, ...]:
        """The wires that lead out of the host."""
        return tuple(w for w in self.wires if w.end == "way out")

    def names(self) -> dict[DevId, str]:
        """The lab's name for each recorded device, legs of bonds left out."""
        below = (id_ for w in self.wires if w.uplink for id_ in w.uplink.devices())
        own = {self.bridge.id: self.name, **{w.port.id: w.name for w in self.wires}}
        return {**{id_: id_.name for id_ in below}, **own}

    def legs(self) -> dict[DevId, str]:
        """The legs of which the recorded state tells what they carry."""
        uplinks = (w.uplink for w in self.wires if w.uplink)
        return {leg.id: leg.id.name for uplink in uplinks for leg in uplink.certain()}


def segment_of(
    model: Model, station: Station, partial: bool = False, capable: Collection[Facility] = ()
) -> Segment:
    """The segment around ``station``, for a kernel that has the facilities ``capable``.

    Raises Refused for what the lab cannot build; with ``partial`` it is left out and a gap.
    """
    network = model.network
    bridge = network.bridges[station.bridge]
    listed = network.snapshots[bridge.id.host].port_vlans.complete(bridge.id.netns)
    filters = model.bridges[bridge.id].vlan_filtering and listed and "8021q" in capable
    gaps = list(_unbuilt(network, bridge, partial, filters))
    ports, left_out = _chosen(network, bridge, station, partial)
    gaps += left_out
    names = _names(ports, gaps)
    wires = _with_uplinks(
        model, tuple(_wire(network, p, names[p.id], station) for p in ports), capable
    )
    gaps += _stand_ins(network, wires)
    gaps += _shared(wires)
    return Segment(
        bridge=bridge,
        name=_fitting(bridge.id.name) or "bridge",
        mac=_usable(bridge.mac.value if bridge.mac else None),
        wires=wires,
        station=station,
        gaps=tuple(gaps),
        filters=filters,
    )


def _with_uplinks(
    model: Model, wires: tuple[Wire, ...], capable: Collection[Facility]
) -> tuple[Wire, ...]:
    """The ways out with what they are made of, where it is the port's alone and can be named."""
    found = {w.name: uplink_of(model, w.port.id, capable) for w in wires if w.end == "way out"}
    shares = Counter(uplink.bottom for uplink in found.values() if uplink)

    def built(wire: Wire) -> Wire:
        uplink = found.get(wire.name)
        if uplink is None or shares[uplink.bottom] > 1 or wire.name != wire.port.id.name:
            return wire
        below = (*uplink.devices(), *(leg.id for leg in uplink.legs()))
        return replace(wire, uplink=uplink) if all(_fitting(d.name) for d in below) else wire

    return tuple(built(wire) for wire in wires)


def _unbuilt(network: Network, bridge: BridgeView, partial: bool, filters: bool) -> Iterator[str]:
    name = bridge.id.name
    filtering = bridge.settings.get("vlan_filtering")
    if filtering is not None and filtering.value and not filters:
        need(partial, f"{name} filters VLANs, which the lab does not build")
        yield f"{name} is built without VLAN filtering"
    stp = bridge.settings.get("stp")
    if stp is not None and stp.value:
        yield f"{name} runs no spanning tree in the lab: its ports keep their recorded states"
    for snapshot_row in network.snapshots[bridge.id.host].blinds.rows:
        id_ = bridge.id._replace(name=snapshot_row.dev)
        if snapshot_row.netns != bridge.id.netns:
            continue
        if not snapshot_row.dev or id_ in bridge.ports:
            yield f"{snapshot_row.what} on {snapshot_row.dev or 'the host'} is not rebuilt"
    others = [b for b in network.bridges if b != bridge.id]
    if others:
        yield f"of {len(others) + 1} bridges only {name} is rebuilt"


def need(partial: bool, sentence: str, *, denied: bool = False) -> None:
    """Raise Refused with the sentence, unless it may be left out."""
    if not partial:
        raise Refused(f"{sentence}; --partial leaves it out", denied=denied)


def _chosen(
    network: Network, bridge: BridgeView, station: Station, partial: bool
) -> tuple[list[Port], list[str]]:
    """The ports to build, in their order, and what was left out."""
    gaps = []
    ports = list(bridge.ports.values())
    kinds = {p.id: _kind(network, p.id) for p in ports}
    for port in ports:
        if kinds[port.id] in _UNSUPPORTED:
            what = f"{port.id.name} is a {kinds[port.id]} device, which the lab does not build"
            need(partial, what)
            gaps.append(f"{port.id.name}, a {kinds[port.id]} device, is left out")
    ports = [p for p in ports if kinds[p.id] not in _UNSUPPORTED or p.id == station.port]
    if len(ports) > GUESTS_MAX:
        what = f"{bridge.id.name} has {len(ports)} ports, more than the {GUESTS_MAX} of a lab"
        need(partial, what)
        needed = {station.port, *(p.id for p in network.ways_out(bridge.id))}
        ranked = sorted(ports, key=lambda p: p.id not in needed)[:GUESTS_MAX]
        gaps.append(f"{len(ports) - GUESTS_MAX} of {len(ports)} ports are left out")
        ports = [p for p in ports if p in ranked]
    return ports, gaps


def _kind(network: Network, port: DevId) -> str:
    device = network.devices.get(port)
    return device.kind.value if device and device.kind else ""


def _names(ports: list[Port], gaps: list[str]) -> dict[DevId, str]:
    names = {}
    for number, port in enumerate(ports, 1):
        fitting = _fitting(port.id.name)
        names[port.id] = fitting or f"port{number}"
        if not fitting:
            gaps.append(
                f"{port.id.name!r} cannot be a device's name: it is called port{number} here"
            )
    return names


def _fitting(name: str) -> str | None:
    return name if _NAME.fullmatch(name) else None


def _wire(network: Network, port: Port, name: str, chosen: Station) -> Wire:
    there = [s for s in network.stations if s.port == port.id]
    station = chosen if port.id == chosen.port else next(iter(there), None)
    ways_out = {p.id for p in network.ways_out(port.id._replace(name=chosen.bridge.name))}
    end: End = "guest" if station else "way out" if port.id in ways_out else "nobody"
    device = network.devices.get(port.id)
    mac = device.mac.value if device and device.mac else None
    if mac is None and station is not None:
        mac = tap_twin(station.mac)
    return Wire(port, name, _usable(mac), end, station)


def _usable(mac: Mac | None) -> Mac | None:
    """None for what no device can have as its address."""
    return None if mac is None or mac == ZERO or is_group(mac) else mac


def _stand_ins(network: Network, wires: tuple[Wire, ...]) -> Iterator[str]:
    for wire in (w for w in wires if w.end == "way out" and w.uplink is None):
        name = wire.port.id.name
        base = base_device(name)
        kind = _kind(network, wire.port.id)
        if base != name:
            yield f"{name} is one plain wire here: neither its VLAN nor {base} is rebuilt"
        elif kind in _STAND_IN or wire.port.id in network.bonds:
            yield f"{name} is one plain wire here, not a {kind or 'bond'}"


def _shared(wires: tuple[Wire, ...]) -> Iterator[str]:
    """Stations with one address: built so, as it may be the fault."""
    count = Counter(w.station.mac for w in wires if w.station)
    for mac, times in count.items():
        if times > 1:
            what = f"{times} guests have the address {format_mac(mac)}: built as recorded"
            yield f"{what}, but only one has a stack that answers"
