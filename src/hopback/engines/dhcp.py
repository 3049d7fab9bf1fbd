"""Follows the four messages of a DHCP exchange (RFC 2131 §3.1) between a station and a server."""

from ipaddress import IPv4Address
from typing import Literal

from msgspec import Struct

from hopback.datapath.effects import Learn, Place, World
from hopback.datapath.model import Model
from hopback.datapath.path import entrance, nic_of, outlet, uplink_question
from hopback.engines.echo import taught_by_echo
from hopback.engines.trace import End, Fate, Trace, trace
from hopback.frames import dhcp
from hopback.frames.build import dhcp_message
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, Mac
from hopback.network.facts import DevId
from hopback.network.model import Station

Message = Literal["DISCOVER", "OFFER", "REQUEST", "ACK"]
MESSAGES: tuple[Message, ...] = ("DISCOVER", "OFFER", "REQUEST", "ACK")

SERVER_MAC = Mac(0x0000_5E00_5301)
"""Stands for the server's address where no table tells it (documentation range, RFC 7042)."""

_TO_SERVER = ("DISCOVER", "REQUEST")
_XID = 0x6869_7033  # any number: one exchange is followed at a time
_LEASE_SECONDS = 3600
_ANY = IPv4Address(0)
_ALL = IPv4Address("255.255.255.255")
_CLIENT_IP = IPv4Address("192.0.2.50")
_SERVER_IP = IPv4Address("192.0.2.1")


class Leg(Struct, frozen=True):
    """One message's way: the hop at which it ``arrived``, or else the end where it was ``lost``."""

    message: Message
    trace: Trace
    arrived: int | None
    lost: End | None


class Exchange(Struct, frozen=True):
    """The four legs, and on which side of the bridge the server was taken to be.

    ``echo`` is the DISCOVER again in the world in which the uplink returns what it gets, and
    ``taught`` what the returned frame does to the station's entry.
    """

    station: Station
    server: Place
    legs: tuple[Leg, ...]
    echo: Trace | None = None
    taught: Learn | None = None

    @property
    def first_lost(self) -> Leg | None:
        """The first message that does not arrive."""
        return next((leg for leg in self.legs if leg.lost), None)

    @property
    def ring(self) -> End | None:
        """Where one of the messages goes round for ever."""
        traces = [leg.trace for leg in self.legs] + ([self.echo] if self.echo else [])
        return next((end for t in traces if (end := t.end("cycle"))), None)


def server_place(model: Model, station: Station) -> Place:
    """Where to look for the server: beyond the bridge's only way out, else on the host itself."""
    ways_out = model.network.ways_out(station.bridge)
    if len(ways_out) == 1:
        return Place(ways_out[0].id, "in")
    return Place(station.bridge, "out")


def follow(
    model: Model, station: Station, server: Place | None = None, world: World | None = None
) -> Exchange:
    """The exchange as the recorded tables would carry it, in the world of default answers."""
    place = server or server_place(model, station)
    legs = tuple(_leg(model, station, place, message, world) for message in MESSAGES)
    if place.way != "in":
        return Exchange(station, place, legs)
    taught = taught_by_echo(model, station, place.dev, message_frame("DISCOVER", station.mac))
    return Exchange(station, place, legs, _echo(model, station, place, world), taught)


def _echo(model: Model, station: Station, server: Place, world: World | None) -> Trace:
    """The DISCOVER once more, the far side of the server's uplink returning it."""
    returning = {**(world or {}), uplink_question(outlet(model, server.dev)): "returns"}
    origin = Place(station.port, "in")
    frame = message_frame("DISCOVER", station.mac)
    return trace(model, origin, frame, sender=nic_of(station), world=returning)[0]


def _leg(
    model: Model, station: Station, server: Place, message: Message, world: World | None
) -> Leg:
    nic = nic_of(station)
    frame = message_frame(message, station.mac)
    if message in _TO_SERVER:
        journey = trace(model, Place(station.port, "in"), frame, sender=nic, world=world)[0]
        hop = _reached(journey, server)
    else:
        origin, frame = (
            entrance(model, server.dev, frame) if server.way == "in" else (server, frame)
        )
        journey = trace(model, origin, frame, world=world)[0]
        hop = _heard(journey, nic)
    goal = server.dev if message in _TO_SERVER else station.port
    return Leg(message, journey, hop, None if hop is not None else _loss(journey, goal))


def _reached(journey: Trace, server: Place) -> int | None:
    """The hop at which the message is on its way to the server, or has come to the host."""
    if server.way == "in":
        return _outermost(journey, Place(server.dev, "out"))
    end = journey.delivered_to(server.dev)
    return end.hop if end else None


def _heard(journey: Trace, nic: DevId) -> int | None:
    """The hop at which the client has the message: it reads packets off its NIC, before IP does."""
    end = journey.delivered_to(nic)
    if end is not None:
        return end.hop
    there = (n for n, hop in enumerate(journey.hops) if hop.place == Place(nic, "in"))
    return next(there, None)


def _outermost(journey: Trace, out: Place) -> int | None:
    """The last hop on the way down from ``out``, by VLAN device and bond; None if lost there."""
    last = next((i for i, hop in enumerate(journey.hops) if hop.place == out), None)
    while last is not None:
        if any(end.hop == last and end.fate in ("lost", "blind") for end in journey.ends):
            return None
        below = (i for i, h in enumerate(journey.hops) if h.parent == last and h.place.way == "out")
        lower = next(below, None)
        if lower is None:
            break
        last = lower
    return last


def message_frame(message: Message, client: Mac) -> Frame:
    """The message as ``client`` sends it, or as the server sends it to ``client``."""
    to_server = message in _TO_SERVER
    return dhcp_message(
        getattr(dhcp, message),
        client_mac=client,
        src_mac=client if to_server else SERVER_MAC,
        dst_mac=BROADCAST if to_server else client,
        xid=_XID,
        src_ip=_ANY if to_server else _SERVER_IP,
        dst_ip=_ALL if to_server else _CLIENT_IP,
        yiaddr=None if to_server else _CLIENT_IP,
        server_id=None if message == "DISCOVER" else _SERVER_IP,
        requested_ip=_CLIENT_IP if message == "REQUEST" else None,
        lease_time=None if to_server else _LEASE_SECONDS,
    )


def _loss(journey: Trace, goal: DevId) -> End:
    """Where it went instead: a blind spot first, then a drop, then wherever else it came out.

    Of a flooded message's drops, that of the copy for ``goal`` tells; the others had to go anyway.
    """
    copy = next((e for e in journey.ends if e.fate == "lost" and e.dev == goal), None)
    if copy is not None and journey.end("blind") is None:
        return copy
    order: tuple[Fate, ...] = ("blind", "lost", "left", "cycle", "budget")
    for fate in order:
        found = journey.end(fate)
        if found is not None:
            return found
    return journey.ends[0]
