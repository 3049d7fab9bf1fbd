"""Follows one frame through the recorded tables: breadth first, all branches, bounded.

The tables are taken as they were recorded: what the frame would teach a bridge is noted, not
applied. A question that the tables leave open forks the run; every answer is a world of its own.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec import Struct

from hopback.datapath.effects import (
    Ask,
    Blind,
    Cross,
    Deliver,
    Drop,
    Effect,
    Learn,
    Leave,
    Log,
    Place,
    Question,
    Send,
    Tell,
    Why,
    World,
)
from hopback.datapath.model import Model
from hopback.datapath.path import step
from hopback.datapath.skb import FRESH, Skb
from hopback.frames.ethernet import Frame
from hopback.frames.identity import identity, payload_identity
from hopback.network.facts import DevId

MAX_HOPS = 10_000
MAX_QUESTIONS = 6

Fate = Literal["delivered", "ignored", "returned", "left", "lost", "cycle", "blind", "budget"]
"""ignored: received by a station it is not for. left: out of an uplink, beyond the tables."""


class Hop(Struct, frozen=True):
    """The frame at a place. ``parent`` is the hop it came from, ``why`` the rule that sent it.

    ``skb`` is what travels with it.
    """

    place: Place
    frame: Frame
    why: Why | None = None
    parent: int | None = None
    skb: Skb = FRESH


class End(Struct, frozen=True):
    """How one branch ends, at which hop. What was received is ``frame``, and ``skb`` beside it.

    Of a cycle ``back`` is the hop at which the packet already was where it would go next.
    """

    fate: Fate
    hop: int
    why: Why
    dev: DevId | None = None
    what: str = ""
    frame: Frame | None = None
    skb: Skb = FRESH
    back: int | None = None


class Told(Struct, frozen=True):
    """At ``hop`` a host sent this ICMP message about the packet; it is not followed here."""

    hop: int
    message: Tell


class Trace(Struct, frozen=True):
    """One frame's journey in one world."""

    hops: tuple[Hop, ...]
    ends: tuple[End, ...]
    learnt: tuple[Learn, ...] = ()
    logs: tuple[Log, ...] = ()
    world: Mapping[Question, str] = {}
    told: tuple[Told, ...] = ()

    def path(self, hop: int | None) -> tuple[Hop, ...]:
        """The hops from the origin to ``hop``."""
        found: list[Hop] = []
        while hop is not None:
            found.append(self.hops[hop])
            hop = self.hops[hop].parent
        return tuple(reversed(found))

    def ring(self, end: End) -> tuple[Hop, ...]:
        """The hops that repeat, of an ``end`` that is a cycle."""
        way = self.path(end.hop)
        return way[way.index(self.hops[end.back]) :] if end.back is not None else ()

    def end(self, *fates: Fate) -> End | None:
        """The first end of one of these kinds."""
        return next((e for e in self.ends if e.fate in fates), None)

    def delivered_to(self, dev: DevId) -> End | None:
        """The end at which ``dev`` took the frame."""
        return next(
            (e for e in self.ends if e.fate in ("delivered", "returned") and e.dev == dev), None
        )


def trace(
    model: Model,
    origin: Place,
    frame: Frame,
    *,
    sender: DevId | None = None,
    world: World | None = None,
    skb: Skb = FRESH,
) -> tuple[Trace, ...]:
    """The journeys of ``frame`` from ``origin``, the world of default answers first.

    ``skb`` is what travels beside it from the start.
    ``sender`` is the device of the station that sent it: a copy it receives is a return. Past
    MAX_QUESTIONS open questions, the branches that ask end blind.
    """
    return tuple(_worlds(model, Hop(origin, frame, skb=skb), sender, dict(world or {}), 0))


def _worlds(
    model: Model, first: Hop, sender: DevId | None, world: dict[Question, str], asked: int
) -> Iterator[Trace]:
    run = _Run(model, first, sender, world)
    question = run.go(may_ask=asked < MAX_QUESTIONS)
    if question is None:
        yield run.result()
        return
    others = [a for a in question.answers if a != question.default]
    for answer in (question.default, *others):
        yield from _worlds(model, first, sender, {**world, question: answer}, asked + 1)


class _Run:
    """The work-list of one world."""

    def __init__(
        self,
        model: Model,
        first: Hop,
        sender: DevId | None,
        world: dict[Question, str],
    ) -> None:
        self.model = model
        self.sender = sender
        self.world = world
        self.hops: list[Hop] = [first]
        self.ends: list[End] = []
        self.learnt: list[Learn] = []
        self.logs: list[Log] = []
        self.told: list[Told] = []
        self.crumbs: list[frozenset[object]] = [frozenset({(first.place, identity(first.frame))})]

    def result(self) -> Trace:
        return Trace(
            tuple(self.hops),
            tuple(self.ends),
            tuple(self.learnt),
            tuple(self.logs),
            self.world,
            tuple(self.told),
        )

    def go(self, *, may_ask: bool) -> Question | None:
        """Run until nothing is left to follow, or a question stands in the way."""
        todo = deque([0])
        while todo:
            number = todo.popleft()
            hop = self.hops[number]
            for effect in step(self.model, self.world, hop.place, hop.frame, hop.skb):
                if isinstance(effect, Ask):
                    if may_ask:
                        return effect.question
                    effect = Blind(effect.question.text, ())
                following = self._take(number, effect)
                if following is not None:
                    todo.append(following)
        return None

    def _take(self, number: int, effect: Effect) -> int | None:
        """Note the effect; the number of the new hop if there is one to follow."""
        match effect:
            case Send():
                return self._move(number, Place(effect.dev, "out"), effect)
            case Cross():
                return self._move(number, Place(effect.dev, "in"), effect)
            case Deliver():
                self._deliver(number, effect)
            case Leave(dev=dev, why=why):
                self.ends.append(End("left", number, why, dev))
            case Drop(why=why, dev=dev):
                self.ends.append(End("lost", number, why, dev))
            case Blind(what=what, refs=refs):
                self.ends.append(End("blind", number, Why("blind", refs), what=what))
            case Learn():
                self.learnt.append(effect)
            case Log():
                self.logs.append(effect)
            case Tell():
                self.told.append(Told(number, effect))
        return None

    def _move(self, number: int, place: Place, moved: Send | Cross) -> int | None:
        crumb = (place, identity(moved.frame))
        if crumb in self.crumbs[number]:
            back = self._was_at(number, crumb)
            self.ends.append(End("cycle", number, moved.why, place.dev, back=back))
            return None
        if len(self.hops) >= MAX_HOPS:
            self.ends.append(End("budget", number, moved.why, place.dev))
            return None
        self.hops.append(Hop(place, moved.frame, moved.why, number, moved.skb))
        self.crumbs.append(self.crumbs[number] | {crumb})
        return len(self.hops) - 1

    def _was_at(self, number: int, crumb: tuple[Place, bytes]) -> int:
        """The hop before ``number`` with that place and packet."""
        hop = self.hops[number]
        while (hop.place, identity(hop.frame)) != crumb and hop.parent is not None:
            number = hop.parent
            hop = self.hops[number]
        return number

    def _deliver(self, number: int, effect: Deliver) -> None:
        fate: Fate = "ignored" if effect.packet_type == "otherhost" else "delivered"
        if effect.dev == self.sender and fate == "delivered" and self._was_sent(effect.frame):
            fate = "returned"
        end = End(fate, number, effect.why, effect.dev, frame=effect.frame, skb=effect.skb)
        self.ends.append(end)

    def _was_sent(self, frame: Frame) -> bool:
        """Whether ``frame`` says what the sender said, and is no answer to it."""
        return payload_identity(frame) == payload_identity(self.hops[0].frame)
