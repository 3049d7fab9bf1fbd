"""What the model says each scene will show, in the terms of an observation."""

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.bridge.state import FdbEntry
from hopback.datapath.effects import Place, Why, World
from hopback.datapath.model import Model
from hopback.datapath.path import nic_of
from hopback.datapath.rules import RULES
from hopback.engines.dhcp import Exchange, Leg, follow
from hopback.engines.probe import Probe
from hopback.engines.trace import Trace, trace
from hopback.lab.observed import Way
from hopback.lab.scenes import host_frame
from hopback.network.facts import DevId
from hopback.network.model import Station

NEIGHBOUR = "the neighbour"
"""Where a frame is lost that never comes to the host."""


class Passing(Struct, frozen=True):
    """A spot that a frame passes, and the rule that sent it there ("" where it starts)."""

    spot: str
    way: Way
    why: str = ""


class Expected(Struct, frozen=True):
    """What becomes of one message.

    ``path`` leads to where it arrives or is ``lost_at``; ``everywhere`` are all its passings, None
    where only the path is foretold. ``sure`` is False where which message is lost is a race.
    ``filter`` is the rule of a packet filter that drops it, as it was listed, or the chain by whose
    policy it ends; of a probe, what keeps it from the guest.
    """

    message: str
    arrives: bool
    path: tuple[Passing, ...]
    lost_at: str = ""
    why: str = ""
    everywhere: tuple[Passing, ...] | None = None
    sure: bool = True
    filter: str = ""


class Labels(Struct, frozen=True):
    """How the observation calls the model's devices; those not in it are not watched."""

    of: Mapping[DevId, str]
    guest: str
    nic: DevId

    def place(self, place: Place, why: Why | None) -> Passing | None:
        """A hop of the model as a passing."""
        text = RULES[why.rule].text if why and why.rule in RULES else ""
        label = self.of.get(place.dev)
        return None if label is None else Passing(label, place.way, text)


def labels_for(names: Mapping[DevId, str], guest: str, station: Station) -> Labels:
    """The labels of a lab whose host devices are called ``names``."""
    return Labels(names, guest, nic_of(station))


def recorded(model: Model, exchange: Exchange, labels: Labels) -> tuple[Expected, ...]:
    """Each message against the recorded tables, all its copies."""
    return tuple(_expected(model, leg, labels, whole=True) for leg in exchange.legs)


def probed(model: Model, probe: Probe, labels: Labels) -> Expected:
    """The guest's own probe against the recorded tables; it arrives if it comes back to the guest.

    A guest that hears its own probe takes it for another's (RFC 5227, RFC 4862).
    """
    back = probe.trace.end("returned")
    path = [labels.place(h.place, h.why) for h in probe.trace.path(back.hop)] if back else []
    everywhere = tuple(_everywhere(probe.trace, labels))
    known = tuple(p for p in path if p is not None)
    found = "" if back else dropped_by(model, probe.trace, probe.station.port)
    return Expected(probe.kind, back is not None, known, everywhere=everywhere, filter=found)


def dropped_by(model: Model, journey: Trace, port: DevId) -> str:
    """The rule that drops the frame, or its copy towards ``port``; "" if none does."""
    for end in journey.ends:
        if end.fate == "lost" and end.dev in (port, None) and end.why.rule.startswith("filter-"):
            return rule_text(model, end.why)
    return ""


def rule_text(model: Model, why: Why) -> str:
    """The rule of a packet filter, or the chain with its policy, by which it decided."""
    ref = why.refs[0]
    snapshot = model.network.snapshots[ref.host]
    for rule in snapshot.filter_rules.rows:
        if rule.cite == ref.cite:
            return f"{rule.table} {rule.chain}: {rule.text}"
    for chain in snapshot.filter_chains.rows:
        if chain.cite == ref.cite:
            return f"{chain.table} {chain.name}: policy {chain.policy}"
    return ""


def lived(
    model: Model,
    exchange: Exchange,
    labels: Labels,
    *,
    world: World,
    rings: bool,
    sticky: bool,
) -> tuple[Expected, ...]:
    """The story: the guest has spoken, and what the ``world`` beyond returns came in again.

    Where it ``rings``, the switch outside has the guest on the wrong port as well, so the exchange
    fails there, whatever this bridge's table says.
    """
    station = exchange.station
    port: DevId | None = station.port
    state = model.bridges[station.bridge]
    home_port = state.ports[station.port]
    # A locked port lets only those speak who are in the table (br_input.c:br_handle_frame_finish).
    if not (sticky or (state.learns and home_port.learning and not home_port.locked)):
        port = None
    home = with_entry(model, station, port, sticky)
    learnt = _learnt(home, exchange, world)
    moved = learnt if learnt != station.port else None
    now = home if moved is None else with_entry(model, station, moved, False)
    legs = follow(now, station, exchange.server).legs
    foretold = tuple(_expected(now, leg, labels, whole=False) for leg in legs)
    return tuple(_astray(e) for e in foretold) if rings else foretold


def with_entry(model: Model, station: Station, port: DevId | None, sticky: bool) -> Model:
    """The model with the station's entry on ``port`` (None: without one)."""
    state = model.bridges[station.bridge]
    fdb = {key: entry for key, entry in state.fdb.items() if key[0] != station.mac}
    if port is not None:
        fdb[(station.mac, vlan_of(model, station))] = FdbEntry(port, sticky=sticky)
    changed = replace(state, fdb=fdb)
    return replace(model, bridges={**model.bridges, station.bridge: changed})


def vlan_of(model: Model, station: Station) -> int:
    """The VLAN in which the bridge has what the station sends untagged; 0 if it filters none."""
    state = model.bridges[station.bridge]
    return state.ports[station.port].vlans.pvid if state.vlan_filtering else 0


def settles(model: Model, exchange: Exchange, labels: Labels, world: World) -> str:
    """The port that has the guest when the story is over; "" if the bridge has no such entry."""
    port = _learnt(with_entry(model, exchange.station, None, False), exchange, world)
    return "" if port is None else labels.of[port]


def own_address(model: Model, bridge: DevId, world: World) -> tuple[str, ...]:
    """What the bridge logs (br_fdb.c:br_fdb_update) when its host has spoken."""
    mac = model.bridges[bridge].mac
    if mac is None:
        return ()
    spoken = trace(model, Place(bridge, "out"), host_frame(mac), world=world)[0]
    return tuple(dict.fromkeys(text for log in spoken.logs if (text := log.text)))


def _learnt(model: Model, exchange: Exchange, world: World) -> DevId | None:
    """Where the guest's own frame, once returned, leaves its entry; None if that stays."""
    station = exchange.station
    frame = exchange.legs[0].trace.hops[0].frame
    spoken = trace(model, Place(station.port, "in"), frame, sender=nic_of(station), world=world)[0]
    learnt = [
        step.port
        for step in spoken.learnt
        if (step.bridge, step.mac) == (station.bridge, station.mac)
    ]
    return learnt[-1] if learnt else None


def _astray(expected: Expected) -> Expected:
    """A message in the ring: only that the exchange fails is sure."""
    why = "the ring's own switches have the guest on the wrong port"
    to_server = expected.message in ("DISCOVER", "REQUEST")
    if to_server:
        return replace(expected, sure=False)
    return Expected(expected.message, False, (), lost_at=NEIGHBOUR, why=why, sure=False)


def _expected(model: Model, leg: Leg, labels: Labels, *, whole: bool) -> Expected:
    last = leg.lost.hop if leg.lost else leg.arrived
    path = [labels.place(hop.place, hop.why) for hop in leg.trace.path(last)]
    known = [p for p in path if p is not None]
    to_guest = leg.message in ("OFFER", "ACK")
    if to_guest and leg.lost is None:
        known.append(Passing(labels.guest, "in", "received"))
    lost_at = ""
    why = found = ""
    if leg.lost is not None:
        lost_at = known[-1].spot if known else ""
        rule = leg.lost.why.rule
        why = leg.lost.what or (RULES[rule].text if rule in RULES else rule)
        found = rule_text(model, leg.lost.why) if rule.startswith("filter-") else ""
    everywhere = tuple(_everywhere(leg.trace, labels)) if whole else None
    arrives = leg.lost is None
    return Expected(leg.message, arrives, tuple(known), lost_at, why, everywhere, filter=found)


def _everywhere(journey: Trace, labels: Labels) -> Iterator[Passing]:
    for hop in journey.hops:
        passing = labels.place(hop.place, hop.why)
        if passing is not None:
            yield passing
    for end in journey.ends:
        if end.fate not in ("delivered", "returned", "ignored") or end.dev is None:
            continue
        if end.dev == labels.nic:
            yield Passing(labels.guest, "in", "received")
        elif end.dev in labels.of:
            yield Passing(labels.of[end.dev], "in", "received by the host itself")
