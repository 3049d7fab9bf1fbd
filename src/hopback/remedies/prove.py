"""Tries a remedy for a reflection both ways: is the return gone, does what must work still work?

The snapshot is changed as the remedy changes the host, and the model is made anew. Every frame that
rules tell apart is sent by the station (``engines.classes``); then each leg of what people use
(``flows``) that got through before has to get through again.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from hopback.checks.passage import narrowed
from hopback.datapath.effects import Place
from hopback.datapath.model import Model, model_of
from hopback.engines.classes import frames
from hopback.engines.dhcp import SERVER_MAC, follow
from hopback.engines.entries import Entry, entries
from hopback.engines.tags import has_links
from hopback.engines.verify import Proof, let_in
from hopback.findings import Fix
from hopback.frames.build import arp_probe, dad_ns, link_local
from hopback.frames.describe import describe
from hopback.frames.mac import is_group
from hopback.network.build import build
from hopback.remedies.flows import Leg, legs, outcome, to_itself
from hopback.remedies.itself import Need, lost_itself, need_of
from hopback.remedies.remedy import Remedy, with_fix
from hopback.remedies.target import Target
from hopback.snapshot.model import Snapshot

DHCP = "DHCP both ways"

_ASKED = IPv4Address("192.0.2.50")
_HOPS_MAX = 20_000


class Trial(Struct, frozen=True):
    """A target before anything is done: the legs that get through, and whether DHCP does.

    ``unclear``: of all that goes one way in some flow the model cannot tell; to and from the ways
    out, if there are any.
    """

    target: Target
    legs: tuple[Leg, ...]
    leases: bool
    need: Need
    unclear: bool = False


def trial(model: Model, target: Target) -> Trial:
    """What works as the tables are."""
    ends = [(leg, outcome(model, target.bridge, leg)) for leg in legs(model, target)]
    return Trial(
        target=target,
        legs=tuple(leg for leg, why in ends if why is None),
        leases=_dhcp(model, target) is None,
        need=need_of(model, target),
        unclear=_unclear(model, target, ends),
    )


def _unclear(model: Model, target: Target, ends: Sequence[tuple[Leg, str | None]]) -> bool:
    ways_out = {port.id for port in model.network.ways_out(target.bridge)}
    outward = [end for end in ends if {end[0].origin.dev, end[0].goal.dev} & ways_out]
    found: dict[tuple[str, bool], set[str | None]] = {}
    for leg, why in outward or ends:
        found.setdefault((leg.flow, leg.goal.dev == target.port), set()).add(why)
    return any("" in whys and None not in whys for whys in found.values())


def prove(
    snapshots: Sequence[Snapshot],
    trials: Sequence[Trial],
    remedy: Remedy,
    *,
    refute: bool = False,
) -> tuple[Fix | None, ...]:
    """The fix of each trial: proved, rejected with the reason, or neither where it cannot be told.

    All are in place at once. None where the remedy does not apply. ``refute``: nothing but a reason
    to reject it is looked for.
    """
    plans = [(before, remedy.plan(before.target)) for before in trials]
    wanted = [(before.target, fix) for before, fix in plans if fix is not None]
    if not wanted:
        return (None,) * len(plans)
    model = model_of(build([changed(s, remedy, wanted) for s in snapshots]))
    blind = {
        target.port
        for target, _ in wanted
        if remedy.filters and target.port[:2] not in model.netfilter
    }
    return tuple(
        fix
        if fix is None or before.target.port in blind
        else _judged(model, before, fix, refute=refute)
        for before, fix in plans
    )


def changed(snapshot: Snapshot, remedy: Remedy, wanted: Sequence[tuple[Target, Fix]]) -> Snapshot:
    """The snapshot as the remedy leaves its host; the new rows cite its commands."""
    for target, fix in wanted:
        snapshot = with_fix(snapshot, fix, remedy.edits, target)
    return snapshot


def _judged(model: Model, before: Trial, fix: Fix, *, refute: bool) -> Fix:
    back = _returns(model, before.target, usual=refute)
    for witness in back.witnesses:
        return replace(fix, rejected_because=f"{describe(witness.frame)} still comes back")
    lost = list(_lost(model, before))
    certain = next((why for why in lost if why), None)
    if certain is not None:
        return replace(fix, rejected_because=certain)
    if before.need.known == "unknown" and _loses_itself(model, before.target):
        doubt = f"; whether NAT sends anything back to the station is open: {before.need.by}"
        return replace(fix, blast_radius=fix.blast_radius + doubt)
    if lost or back.open or before.unclear or refute:
        return fix
    return replace(fix, proved=True, keeps=tuple(_kept(model, before)))


def _returns(model: Model, target: Target, *, usual: bool) -> Proof:
    """Every frame of the station (of anybody behind the port, if none is known) let in there.

    ``usual``: no more than what a station asks when it comes up.
    """
    known = () if target.mac is None else (target.mac,)
    near = model if has_links(model, target.bridge) else _at_port(model, target)
    device = model.network.devices.get(target.port)
    far = device.peer.value if device and device.peer else None
    there = [entry for entry in entries(near) if entry.place.dev in (target.port, far)]
    if not there:  # a switch that we see
        there = [Entry(Place(target.port, "in"), switch=True)]
    asks = [f for mac in known for f in (arp_probe(mac, _ASKED), dad_ns(mac, link_local(mac)))]
    if usual:
        return let_in(near, there, asks)
    # Of a station what is for others goes unheard, and what is for itself NAT alone makes.
    others = (f for f in frames(near, known) if is_group(f.dst) or (not known and f.dst != f.src))
    return let_in(near, there, chain(asks, others), hops_max=_HOPS_MAX)


def _at_port(model: Model, target: Target) -> Model:
    """Where no way leads from one port to another but the bridge's own, the others return nothing.

    Some of them may keep it from all ports that suppress neighbours.
    """
    ports = model.bridges[target.bridge].ports
    kept = [id_ for id_, p in ports.items() if id_ == target.port or p.neigh_suppress]
    return narrowed(model, target.bridge, kept, () if target.mac is None else (target.mac,))


def _lost(model: Model, before: Trial) -> Iterator[str]:
    """What worked and does no more, with the rule; "" for what the model cannot tell."""
    for leg in before.legs:
        why = outcome(model, before.target.bridge, leg)
        if why is not None:
            yield why and f"{leg.what} is lost: {why}"
    dhcp = _dhcp(model, before.target) if before.leases else None
    if dhcp is not None:
        yield dhcp
    for asked in before.need.asked:
        why = lost_itself(model, before.target, asked)
        if why is not None:
            yield why and f"the station no longer reaches itself by {asked.address}: {why}"
    if before.need.known == "certain" and not before.need.asked:
        why = _loses_itself(model, before.target)
        if why is not None:
            yield why and f"what NAT sends back to the station is lost ({before.need.by}): {why}"


def _loses_itself(model: Model, target: Target) -> str | None:
    leg = to_itself(target)
    return outcome(model, target.bridge, leg) if leg is not None else None


def _kept(model: Model, before: Trial) -> Iterator[str]:
    yield from dict.fromkeys(leg.flow for leg in before.legs)
    if before.leases:
        yield DHCP
    leg = to_itself(before.target)
    if leg is not None and outcome(model, before.target.bridge, leg) is None:
        yield leg.flow


def _dhcp(model: Model, target: Target) -> str | None:
    """None if the station gets a lease, else what is lost; "" where that cannot be told."""
    there = model.stations.get(target.port, ())
    station = next((s for s in there if s.mac == target.mac), None)
    if station is None:
        return ""
    ports = model.bridges[target.bridge].ports
    kept = [id_ for id_, port in ports.items() if port.neigh_suppress]
    kept += [target.port, *(port.id for port in model.network.ways_out(target.bridge))]
    near = narrowed(model, target.bridge, kept, (station.mac, SERVER_MAC))
    leg = follow(near, station).first_lost
    if leg is None or leg.lost is None:
        return None
    return "" if leg.lost.fate == "blind" else f"the DHCP {leg.message} is lost"
