"""From a network and one of its stations to the plan of a lab, and what the model expects of it."""

from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.effects import Place, World
from hopback.datapath.model import Model
from hopback.engines.dhcp import Exchange, follow
from hopback.engines.flow import FlowEnd
from hopback.engines.probe import ProbeKind, probe
from hopback.lab.built import as_built, likely, neighbours, stirred
from hopback.lab.cure import NAMES, Cure, cure
from hopback.lab.duplicates import Detection, Guest, Nonce, guest_of
from hopback.lab.filters import Filters, filters_of
from hopback.lab.floating import Reach, floating_of
from hopback.lab.neighbours import Kind
from hopback.lab.predict import (
    Expected,
    Labels,
    labels_for,
    lived,
    own_address,
    probed,
    recorded,
    settles,
)
from hopback.lab.segment import Segment, segment_of
from hopback.lab.stacks import Stacks, keeps
from hopback.lab.staging import GUEST_SPOT, Staged, plan_of
from hopback.lab.steps import Facility, Plan, Refused
from hopback.network.model import Station

PROBES: tuple[ProbeKind, ...] = ("ARP", "NS")
FIXES = NAMES


class Assumed(Struct, frozen=True):
    """What was taken to lie beyond a way out, and why."""

    device: str
    kind: Kind
    why: str


class Mended(Struct, frozen=True):
    """What the model says of the scenes with the remedy in place.

    ``keeps``: whether the guest still reaches what it reached without.
    """

    name: str
    commands: tuple[str, ...]
    probes: tuple[Expected, ...]
    detections: tuple[Detection, ...]
    reaches: tuple[Reach, ...]
    live: tuple[Expected, ...]
    keeps: bool

    @property
    def well(self) -> bool:
        """Whether all is well then: as ``compare.Result.mended`` has it."""
        valid = all(d.phase == "preferred" and not d.vacuous for d in self.detections)
        heard = any(p.arrives for p in self.probes)
        return valid and self.keeps and not heard and all(e.arrives for e in self.live)


class Design(Struct, frozen=True):
    """A plan, and everything that is needed to judge what comes of it.

    ``notes`` say how things are rebuilt. ``after`` is the port that has the guest once the story is
    over ("": none), None where that is a race. On the ports ``own_address`` the bridge hears itself
    and logs it. ``guest`` is None where the lab's kernel has no IPv6.
    """

    plan: Plan
    exchange: Exchange
    segment: Segment
    assumed: tuple[Assumed, ...]
    notes: tuple[str, ...]
    guest: Guest | None
    recorded: tuple[Expected, ...]
    probes: tuple[Expected, ...]
    detections: tuple[Detection, ...]
    reaches: tuple[Reach, ...]
    live: tuple[Expected, ...]
    fixed: Mended | None
    after: str | None
    own_address: tuple[str, ...]


def design(
    model: Model,
    station: Station,
    *,
    uplink: Kind | None = None,
    fix: str | None = None,
    server: Place | None = None,
    nonce: Nonce | None = None,
    partial: bool = False,
    capable: Collection[Facility] = (),
) -> Design:
    """The lab around ``station``. ``uplink`` None: what explains the recorded table.

    ``capable``: the facilities that the lab's kernel has. ``nonce``: whether the guest's duplicate
    detection carries one, where nothing tells. Raises Refused for what cannot be built.
    """
    segment = segment_of(model, station, partial, capable)
    kind, why = (uplink, "as you said") if uplink else likely(model, segment)
    floating, unplayed = floating_of(model, segment)
    filters = filters_of(model, segment, partial, capable, routed=floating is not None)
    floating = floating if filters.routed else None
    gaps = (f"what NAT leads back to the guest is not played: {unplayed}",) if unplayed else ()
    segment = replace(segment, gaps=(*segment.gaps, *filters.gaps, *gaps))
    guest = guest_of(model, station, nonce) if "ipv6" in capable else None
    built = as_built(model, segment, kind, filters)
    remedy = cure(fix, model, built, segment) if fix else None
    if remedy and remedy.filters and "nf_tables" not in capable:
        raise Refused(f"{remedy.name} needs nft, and nf_tables in the lab's kernel", denied=True)
    model = built
    exchange = follow(model, station, server)
    probes = tuple(probe(model, station, kind) for kind in PROBES)
    outside = neighbours(model, segment, exchange, kind)
    world = stirred(model, segment, outside)
    rings = any(n.rings for n in outside.values())
    labels = labels_for(segment.names(), GUEST_SPOT, station)
    alone = labels_for({**segment.names(), **segment.legs()}, GUEST_SPOT, station)
    stacks = Stacks(segment, guest, floating)
    reaches = stacks.reaches(model, alone)
    mended = None
    if remedy is not None:
        healed = remedy.model
        if not remedy.sticky:
            after = filters_of(healed, segment, partial, capable, routed=filters.routed)
            healed = as_built(healed, segment, kind, after)
        mended = _mended(healed, exchange, remedy, stacks, (labels, alone), world, rings)
        mended = replace(mended, keeps=keeps(_ends(reaches), _ends(mended.reaches)))
    return Design(
        plan=plan_of(
            Staged(model, segment, exchange, probes, outside, filters.steps, stacks, remedy)
        ),
        exchange=exchange,
        segment=segment,
        assumed=tuple(Assumed(w.port.id.name, kind, why) for w in segment.ways_out),
        notes=tuple(_notes(filters, guest, remedy)),
        guest=guest,
        recorded=recorded(model, exchange, alone),
        probes=tuple(probed(model, p, alone) for p in probes),
        detections=stacks.detections(model, alone),
        reaches=reaches,
        live=lived(model, exchange, labels, world=world, rings=rings, sticky=False),
        fixed=mended,
        after=None if rings else settles(model, exchange, labels, world),
        own_address=own_address(model, segment.bridge.id, world),
    )


def _mended(
    model: Model,
    exchange: Exchange,
    remedy: Cure,
    stacks: Stacks,
    labels: tuple[Labels, Labels],
    world: World,
    rings: bool,
) -> Mended:
    station = exchange.station
    watched, alone = labels
    return Mended(
        name=remedy.name,
        commands=remedy.commands,
        probes=tuple(probed(model, probe(model, station, kind), alone) for kind in PROBES),
        detections=stacks.detections(model, alone),
        reaches=stacks.reaches(model, alone),
        live=lived(model, exchange, watched, world=world, rings=rings, sticky=remedy.sticky),
        keeps=True,
    )


def _ends(reaches: Sequence[Reach]) -> tuple[FlowEnd, ...]:
    return tuple(reach.end for reach in reaches)


def _notes(filters: Filters, guest: Guest | None, remedy: Cure | None) -> Iterator[str]:
    yield from filters.notes
    yield from remedy.notes if remedy else ()
    if guest is not None:
        has = "has a nonce" if guest.nonce else "has no nonce (RFC 7527)"
        yield f"the guest's duplicate detection {has}: {guest.why}"
    else:
        yield "the lab's kernel has no IPv6: the guest's duplicate detection is not played"
