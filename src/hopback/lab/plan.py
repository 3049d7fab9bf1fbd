"""From a network and one of its stations to the plan of a lab, and what the model expects of it."""

from collections.abc import Collection, Mapping

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.bond import lag_question
from hopback.datapath.effects import Place, Question, World
from hopback.datapath.model import Model
from hopback.datapath.path import outlet, uplink_question
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
    vlan_steps,
)
from hopback.lab.neighbours import Kind, Neighbour, neighbour
from hopback.lab.predict import (
    Expected,
    labels_for,
    lived,
    own_address,
    probed,
    recorded,
    settles,
    vlan_of,
)
from hopback.lab.scenes import (
    FIXED,
    LIVE,
    Cast,
    host_scene,
    probe_scenes,
    recorded_scenes,
    server_mac,
    story,
)
from hopback.lab.segment import Segment, Wire, segment_of
from hopback.lab.steps import Facility, Plan, Refused, Scene, Spot, Step
from hopback.lab.uplink import awaited, rebuilt, unfiltered
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
    """A plan, and everything that is needed to judge what comes of it.

    ``after`` is the port that has the guest once the story is over ("": none), None where that is a
    race. On the ports ``own_address`` the bridge hears itself and logs it.
    """

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
    after: str | None
    own_address: tuple[str, ...]


def design(
    model: Model,
    station: Station,
    *,
    uplink: Kind | None = None,
    fix: str | None = None,
    server: Place | None = None,
    partial: bool = False,
    capable: Collection[Facility] = (),
) -> Design:
    """The lab around ``station``. ``uplink`` None: what explains the recorded table.

    ``capable``: the facilities that the lab's kernel has. Raises Refused for what cannot be built.
    """
    segment = segment_of(model, station, partial, capable)
    kind, why = (uplink, "as you said") if uplink else _likely(model, segment)
    model = _as_built(model, segment, kind)
    exchange = follow(model, station, server)
    probes = tuple(probe(model, station, kind) for kind in PROBES)
    outside = _outside(model, segment, exchange, kind)
    world = _stirred(model, segment, outside)
    rings = any(n.rings for n in outside.values())
    labels = labels_for(segment.names(), GUEST_SPOT, station)
    alone = labels_for({**segment.names(), **segment.legs()}, GUEST_SPOT, station)

    def live(sticky: bool) -> tuple[Expected, ...]:
        return lived(model, exchange, labels, world=world, rings=rings, sticky=sticky)

    pin = _pin(model, segment)
    return Design(
        plan=_plan(model, exchange, probes, segment, outside, pin if fix else None),
        exchange=exchange,
        segment=segment,
        assumed=tuple(Assumed(w.port.id.name, kind, why) for w in segment.ways_out),
        recorded=recorded(exchange, alone),
        probes=tuple(probed(p, alone) for p in probes),
        live=live(sticky=False),
        fixed=live(sticky=True) if fix else None,
        fix=fix,
        fix_commands=(f"bridge {pin.line}",) if fix else (),
        after=None if rings else settles(model, exchange, labels, world),
        own_address=own_address(model, segment.bridge.id, world),
    )


def _as_built(model: Model, segment: Segment, kind: Kind) -> Model:
    """The model of what the lab builds. Refused if ``kind`` is for a bond and there is none."""
    uplinks = [w.uplink for w in segment.wires if w.uplink]
    built = rebuilt(model, uplinks, apart=kind == "no-lag")
    if kind in ("lag", "no-lag") and not built.bonds:
        what = f"no way out of {segment.name} is a bond that is rebuilt here"
        raise Refused(f"{what}, as --uplink {kind} needs (only some kernels can: --in uml)")
    if segment.filters:
        return built
    state = unfiltered(built.bridges[segment.bridge.id])
    return replace(built, bridges={**built.bridges, state.id: state})


def _likely(model: Model, segment: Segment) -> tuple[Kind, str]:
    """The neighbour that explains the table: one that returns frames, if an entry is astray."""
    entry = model.entry_of(segment.station)
    astray = entry and next((w for w in segment.ways_out if w.port.id == entry.port), None)
    if not astray:
        return "switch", "nothing recorded tells more"
    bond = astray.uplink.bond if astray.uplink else None
    if bond is not None and bond.reflects:
        what = f"{bond.id.name} takes frames on every leg"
        return "no-lag", f"the table has the guest out there, and {what}"
    return "reflector", "the table has the guest out there"


def _stirred(model: Model, segment: Segment, outside: Mapping[str, Neighbour]) -> World:
    """What the neighbours do once they are stirred, as answers to the model's questions."""
    world: dict[Question, str] = {}
    for wire in segment.ways_out:
        if outside[wire.name].returns:
            world[uplink_question(outlet(model, wire.port.id))] = "returns"
        if outside[wire.name].kind == "no-lag" and wire.uplink and wire.uplink.bond:
            world[lag_question(wire.uplink.bottom)] = "separate ports"
    return world


def _outside(
    model: Model, segment: Segment, exchange: Exchange, kind: Kind
) -> dict[str, Neighbour]:
    """The neighbour of each way out, by the wire's name; the server is beyond one at most."""
    beyond = exchange.server.dev if exchange.server.way == "in" else None
    return {
        wire.name: neighbour(
            kind,
            _as_wired(model, wire),
            far_space(wire, segment),
            server_mac(exchange) if wire.port.id == beyond else None,
        )
        for wire in segment.ways_out
    }


def _as_wired(model: Model, wire: Wire) -> Wire:
    """The wire with its bond as the lab has it."""
    if wire.uplink is None or wire.uplink.bond is None:
        return wire
    return replace(wire, uplink=replace(wire.uplink, bond=model.bonds[wire.uplink.bottom]))


def _pin(model: Model, segment: Segment) -> Step:
    vid = vlan_of(model, segment.station)
    line = sticky_entry.line(format_mac(segment.station.mac), segment.home.name, vid)
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
    state = model.bridges[segment.bridge.id]
    table = tuple(table_steps(segment, state))
    reset = _Reset(segment, exchange, vlan_of(model, segment.station))
    devices = model.network.devices
    macs = {id_: device.mac.value for id_, device in devices.items() if device.mac}
    spaces = [HOST, *(far_space(w, segment) for w in segment.wires)]
    neighbours = outside.values()
    return Plan(
        spaces=(*spaces, *(space for n in neighbours for space in n.spaces)),
        steps=(
            *bridge_steps(segment, macs),
            *vlan_steps(segment, state),
            *(step for n in neighbours for step in n.steps),
        ),
        late=(*(s for n in neighbours for s in n.late), *table, *state_steps(segment)),
        bonds=tuple(awaited(bond, HOST) for bond in model.bonds.values()),
        spots=spots,
        scenes=(
            *probe_scenes(probes, cast, reset.to(table)),
            *_scenes(exchange, segment, outside, cast, reset, table, pin),
        ),
        bridges=((HOST, segment.name),),
    )


def _spots(
    segment: Segment, beyond: Wire | None, outside: dict[str, Neighbour]
) -> tuple[tuple[Spot, ...], Cast]:
    named = (segment.name, *segment.names().values(), *segment.legs().values())
    spots = [Spot(name, HOST, name) for name in dict.fromkeys(named)]
    spots.append(Spot(GUEST_SPOT, GUEST, GUEST_DEVICE))
    if beyond is None:
        return tuple(spots), Cast(GUEST_SPOT, segment.name, segment.name)
    far = outside[beyond.name]
    space, device = far.server
    spots.append(Spot(SERVER_SPOT, space, device))
    wire = SERVER_SPOT
    if (space, device) != (far.space, far.wire):
        wire = f"beyond {beyond.name}"
        spots.append(Spot(wire, far.space, far.wire))
    return tuple(spots), Cast(GUEST_SPOT, SERVER_SPOT, wire)


def _scenes(
    exchange: Exchange,
    segment: Segment,
    outside: dict[str, Neighbour],
    cast: Cast,
    reset: "_Reset",
    table: tuple[Step, ...],
    pin: Step | None,
) -> list[Scene]:
    stir = tuple(step for n in outside.values() for step in n.stir)
    calm = tuple(step for n in outside.values() for step in n.calm)
    scenes = list(recorded_scenes(exchange, cast, reset.to(table)))
    if segment.mac is not None:
        scenes.append(host_scene(segment.mac, segment.name, (*reset.to(), *stir), calm))
    scenes.append(story(LIVE, exchange, cast, (*reset.to(), *stir), calm))
    if pin is not None:
        pinned = reset.to((pin,))
        scenes.append(story(FIXED, exchange, cast, (*pinned, *stir), calm))
    return scenes


class _Reset(Struct, frozen=True):
    """Undoes what a scene teaches the bridge."""

    segment: Segment
    exchange: Exchange
    vid: int

    def to(self, table: tuple[Step, ...] = ()) -> tuple[Step, ...]:
        """Forget guest and server, then put ``table`` in place."""
        home = self.segment.home.name
        return (
            *opening_steps(self.segment),
            *forget_steps(self.segment.station.mac, home, self.vid),
            *forget_steps(server_mac(self.exchange), home, self.vid),
            *table,
            *state_steps(self.segment),
        )
