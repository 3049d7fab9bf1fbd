"""How often a packet goes round that comes back to where it was.

``trace`` ends a branch where the same packet, but for its TTL, is at the same place again. Here it
goes on until it dies, by its TTL or otherwise, or until it is there with the very same TTL.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.effects import Ask, Cross, Drop, Effect, Place, Send, Tell, World
from hopback.datapath.model import Model
from hopback.datapath.path import step
from hopback.datapath.skb import Skb
from hopback.engines.trace import MAX_QUESTIONS, End, Hop, Trace
from hopback.frames.codec import encode
from hopback.frames.ethernet import Frame
from hopback.network.facts import DevId

MAX_PLACES = 20_000
"""Places looked at, each once for each TTL: a ring of forty devices at TTL 255."""


class Rounds(Struct, frozen=True):
    """What becomes of a packet that goes round through ``ring``.

    ``frames`` are those that pass from one namespace to another, or between the ends of a veth,
    until it is gone, the first included; None where they have no end, or more of one than were
    followed. ``told`` is what the host says that drops it.
    """

    endless: bool
    ring: tuple[DevId, ...]
    frames: int | None = None
    told: Tell | None = None


def rounds(model: Model, journey: Trace, end: End) -> Rounds:
    """What follows from the ``end`` of ``journey``, which is of the kind ``cycle``.

    Questions that only come up later are answered by their defaults.
    """
    graph = _Graph(model, journey.world)
    whole = graph.grow(journey.hops[0])
    frames = graph.frames()
    ring = tuple(dict.fromkeys(hop.place.dev for hop in journey.ring(end)))
    if frames is None:
        return Rounds(endless=True, ring=ring)
    told = next(iter(graph.told), None)
    return Rounds(endless=False, ring=ring, frames=frames if whole else None, told=told)


def _moved(effects: Sequence[Effect]) -> Iterator[Send | Cross]:
    return (effect for effect in effects if isinstance(effect, Send | Cross))


def _place(moved: Send | Cross) -> Place:
    return Place(moved.dev, "out" if isinstance(moved, Send) else "in")


class _Node(Struct, frozen=True):
    """The packet at a place. ``counted``: as it is now, it has been on a wire already."""

    place: Place
    frame: Frame
    skb: Skb
    counted: bool


class _Graph:
    """The packet's places with all its TTLs, each once, and what comes after which."""

    def __init__(self, model: Model, world: World) -> None:
        self._model = model
        self._world = dict(world)
        self._nodes: list[_Node] = []
        self._numbers: dict[tuple[Place, bytes, Skb, bool], int] = {}
        self._after: list[list[tuple[int, bool]]] = []
        self.told: list[Tell] = []

    def grow(self, first: Hop) -> bool:
        """From the first hop on; False if MAX_PLACES were not enough."""
        came_in = first.place.way == "in"
        self._arrive(_Node(first.place, first.frame, first.skb, came_in))
        for number, node in enumerate(self._nodes):
            if number >= MAX_PLACES:
                return False
            effects = self._step(node)
            if any(isinstance(effect, Drop) for effect in effects):
                self.told += [effect for effect in effects if isinstance(effect, Tell)]
            self._after[number] = [self._go(node, moved) for moved in _moved(effects)]
        return True

    def frames(self) -> int | None:
        """The frames of all ways together; None if a way leads back into itself."""
        before = [0] * len(self._nodes)
        for number, _ in (edge for edges in self._after for edge in edges):
            before[number] += 1
        ways = [1, *[0] * (len(self._nodes) - 1)]
        frames = int(self._nodes[0].counted)
        todo = [0] if not before[0] else []
        for number in todo:
            for following, on_wire in self._after[number]:
                ways[following] += ways[number]
                frames += ways[number] * on_wire
                before[following] -= 1
                if not before[following]:
                    todo.append(following)
        return frames if len(todo) == len(self._nodes) else None

    def _arrive(self, node: _Node) -> int:
        key = node.place, encode(node.frame), node.skb, node.counted
        if key not in self._numbers:
            self._numbers[key] = len(self._nodes)
            self._nodes.append(node)
            self._after.append([])
        return self._numbers[key]

    def _step(self, node: _Node) -> tuple[Effect, ...]:
        effects: tuple[Effect, ...] = ()
        for _ in range(MAX_QUESTIONS):
            effects = step(self._model, self._world, node.place, node.frame, node.skb)
            asked = [effect.question for effect in effects if isinstance(effect, Ask)]
            if not asked:
                break
            self._world |= {question: question.default for question in asked}
        return effects

    def _go(self, node: _Node, moved: Send | Cross) -> tuple[int, bool]:
        """The next place, and whether the packet came there by a wire, and anew."""
        same = _version(moved.frame) == _version(node.frame)
        here = self._model.network.devices.get(node.place.dev)
        pair = here is not None and here.peer is not None and here.peer.value == moved.dev
        crosses = moved.dev[:2] != node.place.dev[:2] or pair
        counted = node.counted and same
        there = _Node(_place(moved), moved.frame, moved.skb, counted or crosses)
        return self._arrive(there), crosses and not counted


def _version(frame: Frame) -> Frame:
    """What a switch leaves as it is."""
    return replace(frame, tags=(), padding=b"")
