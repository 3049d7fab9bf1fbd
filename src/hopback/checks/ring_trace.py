"""A packet that goes round through IPVS, found by following a client's packet."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from hopback.checks.case import Case
from hopback.checks.clients import journeys
from hopback.checks.directors import Service
from hopback.checks.handovers import Directors, Handover
from hopback.datapath.ipvs.choose import is_choice
from hopback.datapath.kernel import behaviour_of
from hopback.datapath.model import Model
from hopback.datapath.rules import RULES
from hopback.engines.rounds import rounds
from hopback.engines.trace import End, Hop, Trace
from hopback.findings import CONFIDENCES, Confidence
from hopback.network.directing import Key
from hopback.network.facts import DevId, Ref, merge_refs

_OLD = "4.9"
"""The last kernel whose IPVS leaves the TTL as it is."""

_UNFOLLOWED = ("blind", "budget")

MAX_FOLLOWED = 200
"""Services of one diagnosis: each costs some hundredths of a second."""


class Cycle(NamedTuple):
    """A client's packet for ``service`` that is where it was: ``way`` from its first hop on.

    ``ring`` are the hand-overs between there and there; the service's own need not be among them.
    """

    service: Service
    journey: Trace
    end: End
    way: tuple[Hop, ...]
    ring: tuple[Handover, ...]

    @property
    def hops(self) -> tuple[Hop, ...]:
        """Those of the ring alone."""
        return self.journey.ring(self.end)

    @property
    def refs(self) -> tuple[Ref, ...]:
        """All rows that led the packet on."""
        return merge_refs(*(hop.why.refs for hop in self.way if hop.why), self.end.why.refs)

    @property
    def confidence(self) -> Confidence:
        """certain, unless something that no table tells had to be assumed."""
        assumed = [(q, a) for q, a in self.journey.world.items() if not is_choice(q)]
        if any(answer != question.default for question, answer in assumed):
            return "possible"
        return "likely" if assumed else "certain"


class Followed(NamedTuple):
    """What became of a service's packets: the first that goes round, and else where they end.

    ``whole``: no way led to something that is not modelled.
    """

    cycle: Cycle | None
    ends: tuple[tuple[Trace, End], ...]
    whole: bool


def follow(case: Case, service: Service) -> Followed | None:
    """Follow the packets of clients; None if the director's addresses or routes are not known.

    None, too, for a service past MAX_FOLLOWED.
    """
    host, known = case.model.hosts.get(service.where[:2]), case.directors.followed
    if host is None or service.key[1] not in host.families:
        return None
    if service.id not in known and len(known) < MAX_FOLLOWED:
        known[service.id] = _follow(case, service)
    found = known.get(service.id)
    return found if isinstance(found, Followed) else None


def unfollowed(case: Case) -> Iterator[tuple[Service, str]]:
    """The services whose packets were not followed to the end, and what stood in the way."""
    for service in case.directors.joined:
        found = case.directors.followed.get(service.id)
        if isinstance(found, Followed) and found.cycle is None and not found.whole:
            ends = (end for _, end in found.ends if end.fate in _UNFOLLOWED)
            what = next((f"{end.what or end.fate} is not evaluated" for end in ends), None)
            yield service, what or "nothing tells which packets those are"


def followed_whole(case: Case) -> bool:
    """Whether the packets of some service were followed to where they end."""
    found = case.directors.followed.values()
    return any(isinstance(followed, Followed) and followed.whole for followed in found)


def _follow(case: Case, service: Service) -> Followed:
    traces = tuple(journeys(case, case.directors, service))
    ends = tuple((journey, end) for journey in traces for end in journey.ends)
    cycles = sorted(_cycles(case.directors, service, ends), key=_doubt)
    whole = bool(ends) and not any(end.fate in _UNFOLLOWED for _, end in ends)
    return Followed(cycles[0] if cycles else None, ends, whole)


def _doubt(cycle: Cycle) -> int:
    return CONFIDENCES.index(cycle.confidence)


def _cycles(
    directors: Directors, service: Service, ends: Sequence[tuple[Trace, End]]
) -> Iterator[Cycle]:
    for journey, end in ends:
        ring = _ring(directors, journey, end) if end.fate == "cycle" else ()
        if ring:
            yield Cycle(service, journey, end, journey.path(end.hop), ring)


def _ring(directors: Directors, journey: Trace, end: End) -> tuple[Handover, ...]:
    """The hand-overs that a cycle consists of; none if IPVS has no part in it.

    What first brought the packet there is no part of the ring: ``end`` tells what does again.
    """
    first, *others = journey.ring(end)
    sent = [(first.place.dev, end.why), *((hop.place.dev, hop.why) for hop in others if hop.why)]
    routed = next((space(dev) for dev, why in sent if why.rule == "ip-forward"), None)
    on_way = {space(dev) for dev, _ in sent}
    ring: dict[tuple[DevId, Key], Handover] = {}
    for _, why in sent:
        found = directors.sent_by(why.refs) if RULES[why.rule].area == "ipvs" else None
        if found is not None:
            if found.to not in on_way:  # a router on the way to a server elsewhere sends it back
                found = Handover(found.service, found.server, routed)
            ring.setdefault(found.service.id, found)
    return tuple(ring.values())


def space(dev: DevId) -> DevId:
    """The namespace of a device."""
    return dev._replace(name="")


class Lasting(NamedTuple):
    """Whether a cycle has no end, and how many frames it makes; None for what is not known.

    ``refs`` tell the kernels.
    """

    endless: bool | None
    frames: int | None
    refs: tuple[Ref, ...] = ()


def lasting(case: Case, cycle: Cycle) -> Lasting:
    """How long the packet goes round, with each kernel that a host may have."""
    now = rounds(case.model, cycle.journey, cycle.end)
    places = {hop.place.dev[:2] for hop in cycle.way} & case.model.directors.keys()
    kernels = {place: case.network.snapshots[place[0]].kernels.rows for place in places}
    told = tuple(Ref(host, rows[-1].cite) for (host, _), rows in sorted(kernels.items()) if rows)
    unknown = {place for place, rows in kernels.items() if not rows}
    if not unknown:
        return Lasting(now.endless, now.frames, told)
    old = rounds(_older(case.model, unknown), cycle.journey, cycle.end)
    if old.endless != now.endless:
        return Lasting(None, None)
    return Lasting(now.endless, now.frames if now.frames == old.frames else None, told)


def _older(model: Model, places: set[tuple[str, str]]) -> Model:
    """The same with old IPVS in some namespaces."""
    kernel = behaviour_of(_OLD)
    directors = {
        place: replace(director, kernel=kernel) if place in places else director
        for place, director in model.directors.items()
    }
    return replace(model, directors=directors)
