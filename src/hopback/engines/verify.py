"""Proves that no frame comes back, or shows one that does.

One frame of every class (``classes``) is let in wherever frames enter (``entries``), and all its
ways are followed (``moves``), in every world. That gives a proof over the tables given, or
witnesses, or the list of what stands against a proof. What lies beyond the ways out is taken to
keep what it gets. A packet that comes back routed, or translated as NAT should, is no return.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.bridge.forward import kind_of
from hopback.datapath.effects import Blind, Deliver, Place, Question, World
from hopback.datapath.model import Model
from hopback.datapath.path import outlet
from hopback.engines.classes import frames, untried
from hopback.engines.coverage import uncovered
from hopback.engines.entries import Entry, entries
from hopback.engines.moves import Moves, moves
from hopback.engines.trace import MAX_QUESTIONS
from hopback.frames.codec import encode
from hopback.frames.ethernet import Frame
from hopback.frames.mac import ZERO, is_group
from hopback.network.facts import DevId

MAX_HOPS = 2_000_000
"""Places looked at, over all frames and worlds."""


class Witness(Struct, frozen=True):
    """A frame that comes back: ``entry`` and ``frame`` show it to ``trace``.

    Of a cycle ``devices`` are those it goes round through, of a return its sender. ``kind`` is how
    a bridge floods it: unicast, multicast or broadcast.
    """

    fate: Literal["cycle", "returned"]
    kind: str
    devices: tuple[DevId, ...]
    entry: Place
    frame: Frame


class Proof(Struct, frozen=True):
    """``witnesses``: one for each cause. ``open``: what stands against a proof, in words.

    ``asked``: questions that the tables leave open, and of which some answer would change the
    result. ``frames`` classes were let in at ``places``, and came by the devices ``walked``.
    ``beyond`` are the ways out that were trusted.
    """

    witnesses: tuple[Witness, ...]
    open: tuple[str, ...]
    asked: tuple[str, ...]
    frames: int
    places: int
    walked: frozenset[DevId] = frozenset()
    beyond: tuple[DevId, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether it is certain that nothing comes back."""
        return not (self.witnesses or self.open or self.asked)


def verify(model: Model, *, hops_max: int = MAX_HOPS) -> Proof:
    """Every frame let in everywhere, and what the tables do not cover.

    Until ``hops_max`` places were looked at.
    """
    every = entries(model)
    found = let_in(model, every, frames(model), hops_max=hops_max)
    beyond = (e.place.dev for e in every if e.sender is None and e.switch)
    return replace(
        found,
        open=tuple(dict.fromkeys((*found.open, *untried(model), *uncovered(model, found.walked)))),
        beyond=tuple(dict.fromkeys(outlet(model, dev) for dev in beyond)),
    )


def let_in(
    model: Model, every: Sequence[Entry], sent: Iterable[Frame], *, hops_max: int = MAX_HOPS
) -> Proof:
    """The frames ``sent`` at each of the entries, as far as the model goes."""
    run = _Run(model, every)
    if not every:
        run.open["nothing given shows a place where frames are switched"] = None
    count = 0
    for frame in sent:
        if run.hops > hops_max:
            run.open[f"there is more to try than {hops_max} hops"] = None
            break
        run.try_frame(frame, {}, 0)
        count += 1
    return Proof(
        witnesses=tuple(run.witnesses.values()),
        open=tuple(run.open),
        asked=tuple(run.asked),
        frames=count,
        places=len(every),
        walked=frozenset(run.walked),
    )


class _Run:
    """What was found so far."""

    def __init__(self, model: Model, every: Sequence[Entry]) -> None:
        self.model = model
        self.entries = every
        self.hops = 0
        self.walked: set[DevId] = set()
        self.witnesses: dict[object, Witness] = {}
        self.open: dict[str, None] = {}
        self.asked: dict[str, None] = {}

    def try_frame(self, frame: Frame, world: World, asked: int) -> bool:
        """Whether ``frame`` came to an end everywhere, in ``world`` and all that follow from it."""
        begin = [entry.place for entry in self.entries]
        found = moves(self.model, world, frame, begin, may_ask=asked < MAX_QUESTIONS)
        if isinstance(found, Question):
            return self._try_answers(frame, world, asked, found)
        self.hops += len(found.hops)
        self.walked.update(hop.place.dev for hop in found.hops)
        unclear = list(dict.fromkeys(_unclear(found)))
        came_back = list(_came_back(self.model, self.entries, frame, found))
        if _is_default(world):
            self.open.update(dict.fromkeys(unclear))
            for witness in came_back:
                self.witnesses.setdefault((witness.fate, witness.kind, witness.devices), witness)
        return not (unclear or came_back)

    def _try_answers(self, frame: Frame, world: World, asked: int, question: Question) -> bool:
        """In the world of every answer; an answer that would change the result leaves it open."""
        ends: dict[str, bool] = {}
        for answer in question.answers:
            ends[answer] = self.try_frame(frame, {**world, question: answer}, asked + 1)
        if ends[question.default] and not all(ends.values()) and _is_default(world):
            self.asked[f"{question.subject.name}: {question.text}"] = None
        return all(ends.values())


def _is_default(world: World) -> bool:
    return all(answer == question.default for question, answer in world.items())


def _unclear(found: Moves) -> Iterator[str]:
    """Where the model does not know what becomes of the frame."""
    if not found.whole:
        yield "a frame has more ways than are followed"
    for hop, ends in zip(found.hops, found.ends, strict=True):
        for effect in ends:
            if isinstance(effect, Blind):
                yield f"{hop.place.dev.name}: {effect.what}"


def _came_back(
    model: Model, every: Sequence[Entry], frame: Frame, found: Moves
) -> Iterator[Witness]:
    kind = kind_of(frame.dst)
    rings = [(set(hops), _devices(found, hops)) for hops in found.cycles()]
    for entry, begun in zip(every, found.begun, strict=True):
        reached = found.from_hop(begun)
        for hops, devices in rings:
            if not hops.isdisjoint(reached):
                yield Witness("cycle", kind, devices, entry.place, frame)
        if any(_is_return(model, entry, frame, found, number) for number in reached):
            sender = entry.sender or outlet(model, entry.place.dev)
            yield Witness("returned", kind, (sender,), entry.place, frame)


def _devices(found: Moves, hops: Iterable[int]) -> tuple[DevId, ...]:
    return tuple(sorted({found.hops[number].place.dev for number in hops}))


def _is_return(model: Model, entry: Entry, frame: Frame, found: Moves, number: int) -> bool:
    """Whether the sender gets at this hop what it sent (and not an answer to it)."""
    hop = found.hops[number]
    if entry.sender is not None:
        return any(
            isinstance(end, Deliver)
            and end.packet_type != "otherhost"
            and _belongs(model, end.dev, entry.sender)
            and _content(end.frame) == _content(frame)
            for end in found.ends[number]
        )
    dev = hop.place.dev
    on_the_wire = hop.place.way == "out" and dev not in model.vlans.by_id and dev not in model.bonds
    if not on_the_wire or hop.frame.tags != frame.tags:
        return False
    for_others = not (entry.switch or is_group(frame.dst) or frame.dst == frame.src)
    if for_others or outlet(model, dev) != outlet(model, entry.place.dev):
        return False
    return _content(hop.frame) == _content(frame)


def _content(frame: Frame) -> bytes:
    """All but MACs and tags: what was routed has another TTL, what NAT sends back an address."""
    return encode(replace(frame, dst=ZERO, src=ZERO, tags=(), padding=b""))


def _belongs(model: Model, dev: DevId, sender: DevId) -> bool:
    """Whether ``dev`` is the sender's, perhaps a VLAN device on top."""
    vlan = model.vlans.by_id.get(dev)
    return dev == sender or (vlan is not None and _belongs(model, vlan.lower, sender))
