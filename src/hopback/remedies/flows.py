"""What has to go on working, as frames that have to get from one place to another.

Each is a leg of something that people use. What is beyond an uplink or inside a guest is not asked:
a remedy on this host does not change it.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

from msgspec.structs import replace

from hopback.checks.passage import OUTSIDER, narrowed
from hopback.datapath.effects import Place
from hopback.datapath.macvlan import VEPA
from hopback.datapath.model import Model
from hopback.datapath.rules import RULES
from hopback.engines.trace import Trace, trace
from hopback.frames.build import arp_reply, arp_request, dad_ns, link_local, na, ns
from hopback.frames.ethernet import Frame
from hopback.frames.identity import payload_identity
from hopback.frames.mac import Mac, format_mac
from hopback.network.facts import DevId
from hopback.remedies.target import Target

_HERE, _THERE = IPv4Address("192.0.2.50"), IPv4Address("192.0.2.1")
_PARTNERS_MAX = 3


class Leg(NamedTuple):
    """``frame`` from ``origin`` has to come out at ``goal``; ``what`` says it in a sentence."""

    flow: str
    what: str
    origin: Place
    frame: Frame
    goal: Place


class Partner(NamedTuple):
    """Somebody on the other side of the bridge, and where its frames come in and go out."""

    name: str
    mac: Mac
    sends: Place
    hears: Place


def legs(model: Model, target: Target) -> Iterator[Leg]:
    """What the station, and whoever shares its port, does with others through the bridge."""
    if target.mac is not None:
        for partner in _partners(model, target):
            yield from _resolution(target, target.mac, partner)
            yield from _detection(target, target.mac, partner)
    yield from _sharing(model, target)


def to_itself(target: Target) -> Leg | None:
    """A packet that bridged DNAT sends back to the station: both its MACs are the station's."""
    if target.mac is None:
        return None
    frame = replace(arp_request(target.mac, _HERE, _HERE), dst=target.mac)
    what = "what NAT sends back to the station"
    return Leg("traffic to itself through NAT", what, _sends(target), frame, _hears(target))


def outcome(model: Model, bridge: DevId, leg: Leg) -> str | None:
    """None if the frame arrives; else why it does not, "" where the model is blind."""
    ports = model.bridges[bridge].ports
    always = (id_ for id_, port in ports.items() if port.neigh_suppress)
    kept = dict.fromkeys((leg.origin.dev, leg.goal.dev, *always))
    near = narrowed(
        model, bridge, [id_ for id_ in kept if id_ in ports], (leg.frame.src, leg.frame.dst)
    )
    journey = trace(near, leg.origin, leg.frame)[0]
    if _arrives(journey, leg):
        return None
    if journey.end("blind", "budget"):
        return ""
    lost = [end for end in journey.ends if end.fate == "lost"]
    rules = [end.why.rule for end in lost if end.dev in (leg.goal.dev, None)]
    if leg.origin.dev == leg.goal.dev:
        rules.append("same-port")  # of a flood this is not told for each port
    return RULES[rules[0]].text if rules else "it goes elsewhere"


def _arrives(journey: Trace, leg: Leg) -> bool:
    said = payload_identity(leg.frame)
    if leg.goal.way == "out":
        there = (hop for hop in journey.hops if hop.place == leg.goal)
        return any(payload_identity(hop.frame) == said for hop in there)
    ends = (e for e in journey.ends if e.fate in ("delivered", "returned"))
    return any(end.dev == leg.goal.dev for end in ends)


def _sends(target: Target) -> Place:
    return Place(target.port, "in")


def _hears(target: Target) -> Place:
    return Place(target.port, "out")


def _partners(model: Model, target: Target) -> Iterator[Partner]:
    """The host, the ways out, and other stations: at most three of each."""
    host = model.bridges[target.bridge]
    if host.mac is not None:
        yield Partner("the host", host.mac, Place(host.id, "out"), Place(host.id, "in"))
    for port in model.network.ways_out(target.bridge)[:_PARTNERS_MAX]:
        if port.id != target.port:
            yield _behind(port.id, OUTSIDER, port.id.name)
    others = [s for s in model.network.stations_on(target.bridge) if s.port != target.port]
    for station in others[:_PARTNERS_MAX]:
        yield _behind(station.port, station.mac, station.name)


def _behind(port: DevId, mac: Mac, name: str) -> Partner:
    return Partner(name, mac, Place(port, "in"), Place(port, "out"))


def _resolution(target: Target, mac: Mac, partner: Partner) -> Iterator[Leg]:
    """Each asks for the other's MAC and is answered, in both families (RFC 826, RFC 4861)."""
    own, theirs = link_local(mac), link_local(partner.mac)
    outward = (
        arp_request(mac, _HERE, _THERE),
        ns(mac, own, theirs),
        arp_reply(mac, _HERE, partner.mac, _THERE),
        na(mac, own, (theirs, partner.mac)),
    )
    inward = (
        arp_request(partner.mac, _THERE, _HERE),
        ns(partner.mac, theirs, own),
        arp_reply(partner.mac, _THERE, mac, _HERE),
        na(partner.mac, theirs, (own, mac)),
    )
    flow = "neighbour discovery and ARP both ways"
    for sent, heard in zip(outward, inward, strict=True):
        to, from_ = f"to {partner.name}", f"from {partner.name}"
        yield Leg(flow, f"neighbour discovery {to}", _sends(target), sent, partner.hears)
        yield Leg(flow, f"neighbour discovery {from_}", partner.sends, heard, _hears(target))


def _detection(target: Target, mac: Mac, partner: Partner) -> Iterator[Leg]:
    """A true duplicate is noticed: each hears the other's probe, and the owner's answer to it."""
    address = link_local(mac)
    flow = "detection of true duplicates"
    for frame in (dad_ns(mac, address), na(mac, address)):
        what = f"a true duplicate's detection by {partner.name}"
        yield Leg(flow, what, _sends(target), frame, partner.hears)
    for frame in (dad_ns(partner.mac, address), na(partner.mac, address)):
        what = f"a true duplicate's detection, with {partner.name}"
        yield Leg(flow, what, partner.sends, frame, _hears(target))


def _sharing(model: Model, target: Target) -> Iterator[Leg]:
    """Stations that share the port (VEPA) reach each other through it alone."""
    sharing = tuple(dict.fromkeys(_shared(model, target)))
    at, out = _sends(target), _hears(target)
    for one in sharing:
        for other in sharing:
            if one == other:
                continue
            names = f"{format_mac(one)} and {format_mac(other)}, which share the port,"
            for frame in (arp_request(one, _HERE, _THERE), arp_reply(one, _HERE, other, _THERE)):
                yield Leg(
                    "stations that share the port", f"what passes between {names}", at, frame, out
                )


def _shared(model: Model, target: Target) -> Iterator[Mac]:
    """Macvlans in mode vepa behind the port, or several stations that are told to be there."""
    told = [s.mac for s in model.stations.get(target.port, ())]
    device = model.network.devices.get(target.port)
    far = device.peer.value if device and device.peer else None
    children = model.macvlans.by_lower.get(far, ()) if far else ()
    if children:
        yield from (c.mac for c in children if c.mac is not None and c.mode in (None, VEPA))
    elif len(told) > 1:
        yield from told
