"""A station's frames between its own port and a way out of its bridge, traced both ways.

Only what the tables decide counts: a journey on which something had to be assumed proves no loss.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import NamedTuple

from msgspec.structs import replace

from hopback.checks.case import Case
from hopback.datapath.effects import Place
from hopback.datapath.model import Model
from hopback.datapath.path import nic_of
from hopback.engines.trace import End, Trace, trace
from hopback.frames.build import arp_request
from hopback.frames.ethernet import Frame
from hopback.frames.mac import Mac
from hopback.network.facts import DevId
from hopback.network.model import Port, Station

OUTSIDER = Mac(0x0000_5E00_5302)
"""Stands for anybody beyond the way out (documentation range, RFC 7042)."""

_HERE, _THERE = IPv4Address("192.0.2.50"), IPv4Address("192.0.2.1")


class Passage(NamedTuple):
    """A station and a way out of its bridge, in a model that knows of no other port."""

    station: Station
    way_out: Port
    model: Model

    def leaving(self, frame: Frame) -> Trace:
        """The station sends ``frame``."""
        origin = Place(self.station.port, "in")
        return trace(self.model, origin, frame, sender=nic_of(self.station))[0]

    def coming(self, frame: Frame) -> Trace:
        """``frame`` comes in by the way out."""
        return trace(self.model, Place(self.way_out.id, "in"), frame)[0]

    def lost_leaving(self, frame: Frame) -> End | None:
        """Where a frame of the station's ends that does not get out."""
        return _lost(self.leaving(frame), Place(self.way_out.id, "out"))

    def lost_coming(self, frame: Frame) -> End | None:
        """Where a frame for the station ends that does not reach it."""
        return _lost(self.coming(frame), Place(self.station.port, "out"))

    def question(self) -> Frame:
        """A broadcast that everybody sends sooner or later."""
        return arp_request(self.station.mac, _HERE, _THERE)


def passages(case: Case) -> Iterator[Passage]:
    """Every station with every way out of its bridge."""
    for bridge in case.network.bridges:
        stations = case.network.stations_on(bridge)
        ways_out = case.network.ways_out(bridge) if stations else ()
        if not ways_out:
            continue
        ports = case.model.bridges[bridge].ports
        always = [id_ for id_, port in ports.items() if port.neigh_suppress]
        for station in stations:
            for way_out in ways_out:
                kept = dict.fromkeys((station.port, way_out.id, *always))
                near = narrowed(case.model, bridge, tuple(kept), (station.mac,))
                yield Passage(station, way_out, near)


def outsiders_question() -> Frame:
    """The broadcast of somebody beyond the way out."""
    return arp_request(OUTSIDER, _THERE, _HERE)


def narrowed(model: Model, bridge: DevId, kept: Sequence[DevId], macs: Sequence[Mac]) -> Model:
    """The model with one bridge, the entries of ``macs``, and the ports ``kept`` or in these.

    What other ports and other bridges get may decide nothing, and there may be thousands.
    """
    state = model.bridges[bridge]
    vids = dict.fromkeys((0, *(vid for id_ in kept for vid in state.ports[id_].vlans.vlans)))
    keys = [(mac, vid) for mac in macs for vid in vids]
    entries = {key: state.fdb[key] for key in keys if key in state.fdb}
    ports = dict.fromkeys((*kept, *(e.port for e in entries.values() if e.port)))
    narrow = replace(
        state,
        ports=MappingProxyType({id_: p for id_, p in state.ports.items() if id_ in ports}),
        fdb=MappingProxyType(entries),
    )
    return replace(
        model,
        bridges=MappingProxyType({bridge: narrow}),
        bridge_of=MappingProxyType(dict.fromkeys(ports, bridge)),
    )


def _lost(journey: Trace, goal: Place) -> End | None:
    if journey.world or any(hop.place == goal for hop in journey.hops):
        return None
    return next((e for e in journey.ends if e.fate == "lost" and e.dev in (goal.dev, None)), None)
