"""Rings that the routing tables make: by which routes of which hosts a packet goes round."""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_network
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.checks.words import named, placed
from hopback.datapath.ip.fib import Prefix
from hopback.datapath.ip.settings import of_both
from hopback.engines.circles import Circle
from hopback.engines.rounds import Rounds, rounds
from hopback.engines.trace import Hop
from hopback.findings import Confidence
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.snapshot.rows import Route

_COUNTED = 32  # rings whose frames are counted: that takes longest


class Turn(NamedTuple):
    """A member of a ring, as the device by which it sends on, and the route that it goes by.

    ``vrf``: the VRF that has the route, if any.
    """

    dev: DevId
    route: Route
    vrf: str = ""

    @property
    def title(self) -> str:
        """The host, the namespace unless it is the host's own, and the VRF."""
        return f"{placed(self.dev)} (VRF {self.vrf})" if self.vrf else placed(self.dev)

    def is_for(self, prefixes: Sequence[Prefix]) -> bool:
        """Whether the route is for just one of the prefixes."""
        return prefix_of(self.route) in prefixes


class Ring(NamedTuple):
    """Routers that pass on to each other, from the one whose route is the most special.

    ``prefixes`` are those for which they do, ``found`` says what becomes of a packet. ``refs`` are
    the rows that decide, ``unsure`` the answers that it takes where they do not. ``nested``: it
    goes round while it is being sent, by the devices of VRFs that lead into each other.
    """

    turns: tuple[Turn, ...]
    prefixes: tuple[Prefix, ...]
    hops: tuple[Hop, ...]
    found: Rounds
    refs: tuple[Ref, ...]
    confidence: Confidence
    unsure: tuple[str, ...] = ()
    nested: bool = False

    @property
    def sent_back_by(self) -> Turn:
        """The member that gets the prefix from the one with the most special route."""
        return self.turns[1 % len(self.turns)]


def rings(case: Case) -> Iterator[Ring]:
    """One for each ring of devices, with all prefixes that the same member sends into it."""
    alike: dict[tuple[DevId, ...], list[tuple[tuple[Turn, ...], Circle]]] = {}
    for circle in case.circles.found:
        turns = tuple(_turns(case, circle))
        if turns:
            turns = _from_the_longest(turns)
            alike.setdefault(tuple(turn.dev for turn in turns), []).append((turns, circle))
    for number, found in enumerate(alike.values()):
        circles = [circle for _, circle in found]
        first = circles[0]
        nested = first.end.fate != "cycle"
        count = number < _COUNTED and not nested
        counted = rounds(case.model, first.journey, first.end) if count else None
        yield Ring(
            turns=found[0][0],
            prefixes=tuple(dict.fromkeys(circle.candidate.prefix for circle in circles)),
            hops=first.ring,
            found=counted or Rounds(endless=False, ring=()),
            refs=merge_refs(*(refs for circle in circles for refs in _refs(case, circle))),
            confidence=_confidence(first),
            unsure=tuple(_unsure(first)),
            nested=nested,
        )


def _confidence(circle: Circle) -> Confidence:
    if circle.always:
        return "certain"
    return "likely" if circle.usual else "possible"


def _unsure(circle: Circle) -> Iterator[str]:
    if circle.always:
        return
    for question, answer in circle.journey.world.items():
        where = f"{named(question.subject.host)} {question.subject.name}".rstrip()
        yield f"{where}: {question.text} {answer}"


def _turns(case: Case, circle: Circle) -> Iterator[Turn]:
    if circle.end.fate != "cycle":
        yield from _nested_turns(case, circle)
        return
    for hop in circle.ring:
        if hop.why is not None and hop.why.rule == "ip-forward":
            yield from (_turn(case, hop.place.dev, row) for row in _routes(case, hop.why.refs))


def _nested_turns(case: Case, circle: Circle) -> Iterator[Turn]:
    """Each is the VRF's that the one before leads to; the first routes may only lead into the ring.

    It closes where it is sent to a VRF once more. A route that does so and is the very first one is
    cited once: then all are of the ring.
    """
    dev = circle.journey.hops[circle.end.hop].place.dev
    host = case.model.hosts[dev[:2]]
    turns = [
        Turn(dev._replace(name=hop.dev), row)
        for row in _routes(case, circle.end.why.refs)
        for hop in row.hops
        if hop.dev and host.vrf(hop.dev) == hop.dev
    ]
    *earlier, last = turns
    begun = next((n + 1 for n, turn in enumerate(earlier) if turn.dev == last.dev), 0)
    for before, turn in zip((last, *turns[begun:]), turns[begun:], strict=False):
        yield turn._replace(vrf=before.dev.name)


def _routes(case: Case, refs: Iterable[Ref]) -> Iterator[Route]:
    for ref in refs:
        rows = case.network.snapshots[ref.host].routes.rows
        yield from (row for row in rows if row.cite == ref.cite)


def _turn(case: Case, dev: DevId, row: Route) -> Turn:
    """A route of a VRF's table is that VRF's."""
    vrfs = case.model.hosts[dev[:2]].vrfs.values()
    return Turn(dev, row, next((vrf.dev for vrf in vrfs if vrf.table == row.table), ""))


def _from_the_longest(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    first = max(range(len(turns)), key=lambda at: prefix_of(turns[at].route).prefixlen)
    return (*turns[first:], *turns[:first])


def prefix_of(route: Route) -> Prefix:
    """The destination of a route that was looked up."""
    if route.destination == "default":
        return ip_network("0.0.0.0/0" if route.family == 4 else "::/0")
    return ip_network(route.destination, strict=False)


def _refs(case: Case, circle: Circle) -> Iterator[tuple[Ref, ...]]:
    """What sent the packet on, the devices' own addresses, and what lets its source pass."""
    yield circle.origin
    if circle.end.fate != "cycle":
        yield _entered(case, circle)
        yield from _unchecked(case, circle, circle.entrance)
        way = circle.journey.path(circle.end.hop)
        yield from (hop.why.refs for hop in way if hop.why)
        yield circle.end.why.refs
        return
    for hop in circle.ring:
        yield hop.why.refs if hop.why else ()
        if hop.place.way == "out":
            device = case.network.devices[hop.place.dev]
            yield device.mac.refs if device.mac else ()
        else:
            yield from _unchecked(case, circle, hop.place.dev)


def _entered(case: Case, circle: Circle) -> tuple[Ref, ...]:
    """An address of the device by which it comes in: there are hosts in its subnet."""
    dev, version = circle.entrance, circle.candidate.target.version
    owns = case.model.hosts[dev[:2]].owns
    return next(o.refs for o in owns if (o.dev, o.at.version) == (dev.name, version))


def _unchecked(case: Case, circle: Circle, dev: DevId) -> Iterator[tuple[Ref, ...]]:
    """The settings by which IPv4's rp_filter is off: the larger counts (IN_DEV_MAXCONF)."""
    if circle.candidate.target.version == 6:
        return
    both = of_both(case.model.hosts[dev[:2]].settings, 4, dev.name, "rp_filter")
    told = [fact for fact in both if fact is not None]
    largest = max((fact.value for fact in told), default=0)
    yield from (fact.refs for fact in told if len(told) > 1 and fact.value == largest)
