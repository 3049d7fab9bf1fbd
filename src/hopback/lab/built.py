"""The model of what the lab builds, and what is taken to lie beyond its ways out."""

from collections.abc import Mapping

from msgspec.structs import replace

from hopback.datapath.bond import lag_question
from hopback.datapath.effects import Question, World
from hopback.datapath.model import Model
from hopback.datapath.path import outlet, uplink_question
from hopback.engines.dhcp import Exchange
from hopback.lab.devices import far_space
from hopback.lab.filters import Filters
from hopback.lab.neighbours import Kind, Neighbour, neighbour
from hopback.lab.scenes import server_mac
from hopback.lab.segment import Segment, Wire
from hopback.lab.steps import Refused
from hopback.lab.uplink import rebuilt, unfiltered


def as_built(model: Model, segment: Segment, kind: Kind, filters: Filters) -> Model:
    """The model of what the lab builds. Refused if ``kind`` is for a bond and there is none."""
    uplinks = [w.uplink for w in segment.wires if w.uplink]
    built = rebuilt(filters.seen_by(model, segment), uplinks, apart=kind == "no-lag")
    if kind in ("lag", "no-lag") and not built.bonds:
        what = f"no way out of {segment.name} is a bond that is rebuilt here"
        raise Refused(f"{what}, as --uplink {kind} needs (only some kernels can: --in uml)")
    if segment.filters:
        return built
    state = unfiltered(built.bridges[segment.bridge.id])
    return replace(built, bridges={**built.bridges, state.id: state})


def likely(model: Model, segment: Segment) -> tuple[Kind, str]:
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


def stirred(model: Model, segment: Segment, outside: Mapping[str, Neighbour]) -> World:
    """What the neighbours do once they are stirred, as answers to the model's questions."""
    world: dict[Question, str] = {}
    for wire in segment.ways_out:
        if outside[wire.name].returns:
            world[uplink_question(outlet(model, wire.port.id))] = "returns"
        if outside[wire.name].kind == "no-lag" and wire.uplink and wire.uplink.bond:
            world[lag_question(wire.uplink.bottom)] = "separate ports"
    return world


def neighbours(
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
