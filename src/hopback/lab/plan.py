"""From a network and one of its stations to the plan of a lab, and what the model expects of it."""

from msgspec import Struct

from hopback.datapath.effects import Place
from hopback.datapath.model import Model
from hopback.engines.dhcp import Exchange, follow
from hopback.engines.probe import Probe, ProbeKind, probe
from hopback.frames.mac import format_mac
from hopback.lab.devices import (
    GUEST,
    GUEST_DEVICE,
    HOST,
    bridge_steps,
    far_space,
    forget_steps,
    opening_steps,
    state_steps,
    table_steps,
)
from hopback.lab.neighbours import Kind, Neighbour, neighbour
from hopback.lab.predict import Expected, labels_for, lived, probed, recorded
from hopback.lab.scenes import (
    FIXED,
    LIVE,
    Cast,
    probe_scenes,
    recorded_scenes,
    server_mac,
    story,
)
from hopback.lab.segment import Segment, Wire, segment_of
from hopback.lab.steps import Plan, Scene, Spot, Step
from hopback.network.model import Station
from hopback.remedies import sticky_entry

# With a blank: no device is called so.
GUEST_SPOT = "the guest"
SERVER_SPOT = "the server"

PROBES: tuple[ProbeKind, ...] = ("ARP", "NS")
FIXES = (sticky_entry.NAME,)


class Assumed(Struct, frozen=True):
    """What was taken to lie beyond a way out, and why."""

    device: str
    kind: Kind
    why: str


class Design(Struct, frozen=True):
    """A plan, and everything that is needed to judge what comes of it."""

    plan: Plan
    exchange: Exchange
    segment: Segment
    assumed: tuple[Assumed, ...]
    recorded: tuple[Expected, ...]
    probes: tuple[Expected, ...]
    live: tuple[Expected, ...]
    fixed: tuple[Expected, ...] | None
    fix: str | None
    fix_commands: tuple[str, ...]


def design(
    model: Model,
    station: Station,
    *,
    uplink: Kind | None = None,
    fix: str | None = None,
    server: Place | None = None,
    partial: bool = False,
) -> Design:
    """The lab around ``station``. ``uplink`` None: what explains the recorded table.

    Raises Refused for what cannot be built.
    """
    exchange = follow(model, station, server)
    probes = tuple(probe(model, station, kind) for kind in PROBES)
    segment = segment_of(model.network, station, partial)
    kind, why = (uplink, "as you said") if uplink else _likely(model, exchange)
    outside = _outside(segment, exchange, kind)
    returning = [w.port.id for w in segment.ways_out if outside[w.name].returns]
    rings = any(n.rings for n in outside.values())
    labels = labels_for(segment.names(), GUEST_SPOT, station)

    def live(sticky: bool) -> tuple[Expected, ...]:
        return lived(model, exchange, labels, returning=returning, rings=rings, sticky=sticky)

    pin = _pin(segment)
    return Design(
        plan=_plan(model, exchange, probes, segment, outside, pin if fix else None),
        exchange=exchange,
        segment=segment,
        assumed=tuple(Assumed(w.port.id.name, kind, why) for w in segment.ways_out),
        recorded=recorded(exchange, labels),
        probes=tuple(probed(p, labels) for p in probes),
        live=live(sticky=False),
        fixed=live(sticky=True) if fix else None,
        fix=fix,
        fix_commands=(f"bridge {pin.line}",) if fix else (),
    )


def _likely(model: Model, exchange: Exchange) -> tuple[Kind, str]:
    """The neighbour that explains the table: one that returns frames, if an entry is astray."""
    station = exchange.station
    entry = model.entry_of(station)
    ways_out = {p.id for p in model.network.ways_out(station.bridge)}
    if entry is not None and entry.port in ways_out:
        return "reflector", "the table has the guest out there"
    return "switch", "nothing recorded tells more"


def _outside(segment: Segment, exchange: Exchange, kind: Kind) -> dict[str, Neighbour]:
    """The neighbour of each way out, by the wire's name; the server is beyond one at most."""
    beyond = exchange.server.dev if exchange.server.way == "in" else None
    return {
        wire.name: neighbour(
            kind,
            wire,
            far_space(wire, segment),
            server_mac(exchange) if wire.port.id == beyond else None,
        )
        for wire in segment.ways_out
    }


def _pin(segment: Segment) -> Step:
    line = sticky_entry.line(format_mac(segment.station.mac), segment.home.name)
    return Step(HOST, "bridge", line, "the remedy")


def _plan(
    model: Model,
    exchange: Exchange,
    probes: tuple[Probe, ...],
    segment: Segment,
    outside: dict[str, Neighbour],
    pin: Step | None,
) -> Plan:
    beyond = next((w for w in segment.ways_out if w.port.id == exchange.server.dev), None)
    spots, cast = _spots(segment, beyond, outside)
    table = tuple(table_steps(segment, model.bridges[segment.bridge.id]))
    spaces = [HOST, *(far_space(w, segment) for w in segment.wires)]
    neighbours = outside.values()
    return Plan(
        spaces=(*spaces, *(space for n in neighbours for space in n.spaces)),
        steps=(*bridge_steps(segment), *(step for n in neighbours for step in n.steps)),
        late=(*table, *state_steps(segment)),
        spots=spots,
        scenes=(
            *probe_scenes(probes, cast, _reset(segment, exchange, table)),
            *_scenes(exchange, segment, outside, cast, table, pin),
        ),
        bridges=((HOST, segment.name),),
    )


def _spots(
    segment: Segment, beyond: Wire | None, outside: dict[str, Neighbour]
) -> tuple[tuple[Spot, ...], Cast]:
    spots = [Spot(segment.name, HOST, segment.name)]
    spots += [Spot(w.name, HOST, w.name) for w in segment.wires]
    spots.append(Spot(GUEST_SPOT, GUEST, GUEST_DEVICE))
    if beyond is None:
        return tuple(spots), Cast(GUEST_SPOT, segment.name, segment.name)
    far = outside[beyond.name]
    space, device = far.server
    spots.append(Spot(SERVER_SPOT, space, device))
    wire = SERVER_SPOT
    if space != far.space:
        wire = f"beyond {beyond.name}"
        spots.append(Spot(wire, far.space, "wire"))
    return tuple(spots), Cast(GUEST_SPOT, SERVER_SPOT, wire)


def _scenes(
    exchange: Exchange,
    segment: Segment,
    outside: dict[str, Neighbour],
    cast: Cast,
    table: tuple[Step, ...],
    pin: Step | None,
) -> list[Scene]:
    stir = tuple(step for n in outside.values() for step in n.stir)
    calm = tuple(step for n in outside.values() for step in n.calm)
    scenes = list(recorded_scenes(exchange, cast, _reset(segment, exchange, table)))
    scenes.append(story(LIVE, exchange, cast, (*_reset(segment, exchange), *stir), calm))
    if pin is not None:
        pinned = _reset(segment, exchange, (pin,))
        scenes.append(story(FIXED, exchange, cast, (*pinned, *stir), calm))
    return scenes


def _reset(segment: Segment, exchange: Exchange, table: tuple[Step, ...] = ()) -> tuple[Step, ...]:
    """Forget what a scene teaches - guest and server - then put ``table`` in place."""
    home = segment.home.name
    return (
        *opening_steps(segment),
        *forget_steps(segment.station.mac, home),
        *forget_steps(server_mac(exchange), home),
        *table,
        *state_steps(segment),
    )
