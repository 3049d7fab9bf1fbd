"""Wrong models, one for each rule, made from what the rule does: the opposite of it.

A comparison that does not notice such a model says nothing about the rule.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from hopback.datapath.effects import Ask, Blind, Deliver, Drop, Effect, Learn, Log, Send
from hopback.frames.ethernet import Frame
from hopback.network.facts import DevId


class Spot(NamedTuple):
    """Where effects come from: the bridge, the port (None: the host's own frame), the frame."""

    bridge: DevId
    port: DevId | None
    frame: Frame


Mutation = Callable[[Sequence[Effect], Spot], Sequence[Effect]]


def faithful(effects: Sequence[Effect], spot: Spot) -> Sequence[Effect]:
    """No mutation at all."""
    return effects


def mutant(rule: str) -> Mutation:
    """A model that does the opposite wherever ``rule`` decides."""

    def mutate(effects: Sequence[Effect], spot: Spot) -> Sequence[Effect]:
        return [
            made
            for effect in effects
            for made in (_opposite(effect, spot) if rule_of(effect) == rule else (effect,))
        ]

    return mutate


def rule_of(effect: Effect) -> str | None:
    """The rule that an effect names; None for what names none."""
    return None if isinstance(effect, Ask | Blind) else effect.why.rule


def _opposite(effect: Effect, spot: Spot) -> Iterator[Effect]:
    """What was sent, delivered or learned is not; what was dropped is sent on or delivered."""
    match effect:
        case Drop(why=why, dev=None):
            yield Deliver(spot.bridge, spot.frame, "host", why)
        case Drop(why=why, dev=DevId() as port):
            yield Send(port, spot.frame, why)
        case Log(why=why) if spot.port is not None:
            yield Learn(spot.bridge, spot.frame.src, 0, spot.port, None, why)
