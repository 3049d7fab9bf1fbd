"""All the ways of one frame at once: a graph of places, from every entry, in one world.

``trace`` follows paths, of which a net of bridges has exponentially many. Here each place is looked
at once for each form that the frame has there, and what comes back is read off the graph: a cycle
is a place that can be reached from itself, a return an end that can be reached from its sender.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from hopback.datapath.effects import (
    Ask,
    Blind,
    Cross,
    Effect,
    Place,
    Question,
    Send,
    Why,
    World,
)
from hopback.datapath.model import Model
from hopback.datapath.path import step
from hopback.datapath.skb import FRESH, Skb
from hopback.engines.trace import MAX_HOPS, Hop
from hopback.frames.ethernet import Frame
from hopback.frames.identity import identity

_Key = tuple[Place, bytes, Skb]


class Moves(Struct, frozen=True):
    """``hops`` are the places reached, each once; ``following`` those that come next, by number.

    ``ends`` is what else happens at a place. ``begun`` are the hops of the entries, in order.
    A hop's ``why`` is that of the first way to it. ``whole`` False: MAX_HOPS were not enough.
    """

    hops: tuple[Hop, ...]
    following: tuple[tuple[int, ...], ...]
    ends: tuple[tuple[Effect, ...], ...]
    begun: tuple[int, ...]
    whole: bool = True

    def from_hop(self, hop: int) -> Mapping[int, int | None]:
        """The hops that can be reached from ``hop``, it first, each with the one before it."""
        before: dict[int, int | None] = {hop: None}
        todo = [hop]
        for number in todo:
            for after in self.following[number]:
                if after not in before:
                    before[after] = number
                    todo.append(after)
        return before

    def cycles(self) -> tuple[tuple[int, ...], ...]:
        """The hops from which a packet comes back to where it was, those of one net together."""
        after = {n: set(self.following[n]) for n in range(len(self.hops))}
        while dead := [n for n, hops in after.items() if not hops & after.keys()]:
            for number in dead:
                del after[number]
        reach = {n: self._beyond(n, after) for n in after}
        found: dict[tuple[int, ...], None] = {}
        for number, there in reach.items():
            if number in there:
                found[tuple(sorted(m for m in there if number in reach[m]))] = None
        return tuple(found)

    def _beyond(self, hop: int, among: Mapping[int, set[int]]) -> set[int]:
        todo, seen = [hop], set[int]()
        for number in todo:
            new = (among[number] & among.keys()) - seen
            seen |= new
            todo += new
        return seen


def moves(
    model: Model, world: World, frame: Frame, begin: Sequence[Place], *, may_ask: bool
) -> Moves | Question:
    """The graph of ``frame`` from all of ``begin``; a question that stands in its way.

    What may not be asked any more ends blind, as in ``trace``.
    """
    run = _Run(model, world)
    begun = tuple(run.arrive(place, frame, FRESH) for place in begin)
    for number, hop in enumerate(run.hops):
        if number >= MAX_HOPS:
            break
        for effect in step(model, world, hop.place, hop.frame, hop.skb):
            if isinstance(effect, Ask):
                if may_ask:
                    return effect.question
                effect = Blind(effect.question.text, ())
            run.take(number, effect)
    return Moves(
        tuple(run.hops),
        tuple(tuple(dict.fromkeys(hops)) for hops in run.following),
        tuple(map(tuple, run.ends)),
        begun,
        whole=len(run.hops) <= MAX_HOPS,
    )


class _Run:
    """The graph while it grows."""

    def __init__(self, model: Model, world: World) -> None:
        self.model = model
        self.world = world
        self.hops: list[Hop] = []
        self.following: list[list[int]] = []
        self.ends: list[list[Effect]] = []
        self._numbers: dict[_Key, int] = {}
        self._identities: dict[int, tuple[Frame, bytes]] = {}

    def arrive(self, place: Place, frame: Frame, skb: Skb, why: Why | None = None) -> int:
        """The number of the hop, a new one or one that is there."""
        key = (place, self._identity(frame), skb)
        if key not in self._numbers:
            self._numbers[key] = len(self.hops)
            self.hops.append(Hop(place, frame, why, skb=skb))
            self.following.append([])
            self.ends.append([])
        return self._numbers[key]

    def take(self, number: int, effect: Effect) -> None:
        if isinstance(effect, Send | Cross):
            place = Place(effect.dev, "out" if isinstance(effect, Send) else "in")
            self.following[number].append(self.arrive(place, effect.frame, effect.skb, effect.why))
        elif not isinstance(effect, Ask):
            self.ends[number].append(effect)

    def _identity(self, frame: Frame) -> bytes:
        """Reckoned once for each object: most stages hand on the very frame they got."""
        known = self._identities.get(id(frame))
        if known is None:
            known = self._identities[id(frame)] = frame, identity(frame)
        return known[1]
