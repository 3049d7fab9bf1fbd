"""Follows a station's own duplicate detection: does it hear the question it asked itself?

The frames are those of RFC 5227 §2.1.1 (ARP probe) and RFC 4862 §5.4.2 (neighbour solicitation for
the station's own link-local address). A station that hears its own takes it for another's.
"""

from ipaddress import IPv4Address
from typing import Literal

from msgspec import Struct

from hopback.datapath.effects import Place, World
from hopback.datapath.model import Model
from hopback.datapath.path import nic_of, outlet, uplink_question
from hopback.engines.trace import Trace, trace
from hopback.frames.build import arp_probe, dad_ns, link_local
from hopback.frames.ethernet import Frame
from hopback.frames.mac import Mac
from hopback.network.facts import DevId
from hopback.network.model import Station

ProbeKind = Literal["ARP", "NS"]

_TARGET_V4 = IPv4Address("192.0.2.50")


class Probe(Struct, frozen=True):
    """The probe by the tables as recorded, and with one way out after the other returning it."""

    station: Station
    kind: ProbeKind
    trace: Trace
    echoes: tuple[tuple[DevId, Trace], ...]


def probe(model: Model, station: Station, kind: ProbeKind, world: World | None = None) -> Probe:
    """Send ``station``'s probe, in the world of default answers."""
    frame = _frame(station.mac, kind)
    origin, sender = Place(station.port, "in"), nic_of(station)

    def sent(answers: World) -> Trace:
        return trace(model, origin, frame, sender=sender, world=answers)[0]

    told = world or {}
    ways_out = [port.id for port in model.network.ways_out(station.bridge)]
    asked = {way: uplink_question(outlet(model, way)) for way in ways_out}
    echoes = tuple((way, sent({**told, asked[way]: "returns"})) for way in ways_out)
    return Probe(station, kind, sent(told), echoes)


def _frame(mac: Mac, kind: ProbeKind) -> Frame:
    return arp_probe(mac, _TARGET_V4) if kind == "ARP" else dad_ns(mac, link_local(mac))
