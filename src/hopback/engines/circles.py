"""Follows a packet for each prefix that may go round, and keeps those that do."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from ipaddress import ip_address
from itertools import zip_longest
from typing import NamedTuple

from hopback.datapath.ip.host import Host
from hopback.datapath.ip.local import Own
from hopback.datapath.ip.neighbour import STRANGER
from hopback.datapath.model import Model
from hopback.datapath.path import entrance
from hopback.datapath.skb import Ip
from hopback.engines.routes import Candidate, Space, candidates
from hopback.engines.trace import End, Hop, Trace, trace
from hopback.frames.build import echo_request
from hopback.network.facts import DevId, Ref

MAX_HOPS = 20_000
"""Hops of all journeys together: a third of a millisecond each."""

_OF_A_RING = 64  # as one ring of two default routes may have as many as there are prefixes

_TRIED_BACK = 16
_ANYWHERE = {4: ip_address("198.18.0.1"), 6: ip_address("2001:2::1")}
"""A source that is nobody's: RFC 2544, RFC 5180."""


class Circle(NamedTuple):
    """A packet that comes in by ``entrance``, and whose ``journey`` goes round at ``end``.

    ``always``: whatever the tables leave open. ``usual``: with the answers most systems would give.
    ``origin`` are the rows that the packet's source was chosen by.
    """

    candidate: Candidate
    journey: Trace
    end: End
    always: bool
    usual: bool
    entrance: DevId
    origin: tuple[Ref, ...] = ()

    @property
    def ring(self) -> tuple[Hop, ...]:
        """The hops that repeat; where it goes round within a host, the hop at which it does."""
        return self.journey.ring(self.end) or (self.journey.hops[self.end.hop],)


class Unfollowed(NamedTuple):
    """A candidate whose packet meets something that is not evaluated."""

    candidate: Candidate
    what: str


class Circles(NamedTuple):
    """All that was found among ``tried`` kinds of destinations; ``cut``: there are more."""

    found: tuple[Circle, ...]
    unfollowed: tuple[Unfollowed, ...] = ()
    tried: int = 0
    cut: bool = False


def circles(model: Model) -> Circles:
    """Every candidate that a packet proves, from the first place where it does."""
    tried = candidates(model.network, model.hosts)
    chosen = list(_some_of_each(tried.found))
    search = _Search(model)
    results = [search.proved(candidate) for candidate in chosen]
    return Circles(
        found=tuple(result for result in results if isinstance(result, Circle)),
        unfollowed=tuple(result for result in results if isinstance(result, Unfollowed)),
        tried=tried.classes,
        cut=tried.cut or len(chosen) < len(tried.found) or search.left <= 0,
    )


def _some_of_each(found: Iterable[Candidate]) -> Iterator[Candidate]:
    """The first candidate of every ring, then the second of each, and so on."""
    of_ring: dict[tuple[Space, ...], list[Candidate]] = {}
    for candidate in found:
        of_ring.setdefault(candidate.ring, []).append(candidate)
    for turn in zip_longest(*(alike[:_OF_A_RING] for alike in of_ring.values())):
        yield from (candidate for candidate in turn if candidate is not None)


class Origin(NamedTuple):
    """Where a packet comes in, and its source; ``refs`` are the rows that this was chosen by."""

    dev: DevId
    source: Ip
    refs: tuple[Ref, ...] = ()


class _Search:
    """Follows candidates as long as ``left``, the hops that may still be made, lasts."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.left = MAX_HOPS

    def proved(self, candidate: Candidate) -> Circle | Unfollowed | None:
        """From anywhere first, then from stations of the members' own subnets.

        A router may refuse a source that the packet does not come from (rp_filter).
        """
        best: Circle | None = None
        blind: str | None = None
        for origin in origins(self._model, candidate.ring, candidate.target):
            if self.left <= 0:
                break
            worlds = let_in(self._model, origin, candidate.target)
            self.left -= sum(len(journey.hops) for journey in worlds)
            circle = _turning(candidate, worlds, origin)
            if circle is not None and (best is None or circle.usual > best.usual or circle.always):
                best = circle
            if best is not None and best.always:
                break
            ends = (end for journey in worlds for end in journey.ends)
            blind = blind or next((end.what for end in ends if end.fate == "blind"), None)
        return best or (Unfollowed(candidate, blind) if blind else None)


def _turning(candidate: Candidate, worlds: Sequence[Trace], origin: Origin) -> Circle | None:
    turning = [(w, end) for w in worlds if (end := cycle_of(w)) is not None]
    if not turning:
        return None
    journey, end = turning[0]
    return Circle(
        candidate=candidate,
        journey=journey,
        end=end,
        always=len(turning) == len(worlds),
        usual=journey is worlds[0],
        entrance=origin.dev,
        origin=origin.refs,
    )


def let_in(model: Model, origin: Origin, target: Ip) -> tuple[Trace, ...]:
    """The ways of a ping to ``target``, in every world; none where the device has no MAC."""
    mac = model.network.devices[origin.dev].mac
    if mac is None:
        return ()
    frame = echo_request(STRANGER, mac.value, origin.source, target)
    place, frame = entrance(model, origin.dev, frame)
    return trace(model, place, frame)


def cycle_of(journey: Trace) -> End | None:
    """The end of a ring in which routers alone send the packet on, or VRFs of one router."""
    for end in journey.ends:
        if end.why.rule == "vrf-recursion":
            return end
        if end.fate == "cycle":
            rules = {hop.why.rule for hop in journey.ring(end) if hop.why}
            if "ip-forward" in rules and not any(rule.startswith("ipvs") for rule in rules):
                return end
    return None


def origins(model: Model, ring: Iterable[Space], target: Ip) -> Iterator[Origin]:
    """The devices of the members, those between them first: from anywhere, then from a neighbour.

    What comes in where it comes round needs nothing that the ring does not need itself.
    """
    members = [model.hosts[space] for space in ring]
    taken = {target, *(address for host in members for address in host.addresses)}
    devices = [(host.id._replace(name=own.dev), own) for host in members for own in _own(host)]
    given = [
        (dev, own)
        for dev, own in devices
        if own.at.version == target.version and dev in model.network.devices
    ]
    given.sort(key=lambda each: sum(address in each[1].at.network for address in taken) < 2)
    for dev in dict.fromkeys(dev for dev, _ in given):
        yield Origin(dev, _ANYWHERE[target.version])
    for dev, own in given:
        source = _stranger(own, taken)
        if source is not None:
            yield Origin(dev, source, own.refs)


def _own(host: Host) -> Iterator[Own]:
    """The addresses of the host, but its loopback's."""
    return (own for own in host.addresses.values() if not own.at.ip.is_loopback)


def _stranger(own: Own, taken: Collection[Ip]) -> Ip | None:
    """An address of the subnet that nobody has: one of the last."""
    last = int(own.at.network.broadcast_address)
    for number in range(last - 1, last - 1 - _TRIED_BACK, -1):
        address = type(own.at.ip)(number)
        if address in own.at.network and address not in taken and not address.is_link_local:
            return address
    return None
