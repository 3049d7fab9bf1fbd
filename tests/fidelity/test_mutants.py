"""A mutant does the opposite where its rule decides, and nothing else."""

import pytest

from hopback.datapath.effects import Ask, Deliver, Drop, Effect, Learn, Log, Question, Send, Why
from hopback.frames.codec import decode
from hopback.network.facts import DevId
from tests.fidelity.mutants import Spot, faithful, mutant

BRIDGE, PORT, OTHER = (DevId("", "", name) for name in ("br0", "p0", "p1"))
FRAME = decode(bytes.fromhex("ffffffffffff 020000000101 88b5") + bytes(46))
SPOT = Spot(BRIDGE, PORT, FRAME)
WHY = Why("rule")


@pytest.mark.parametrize(
    ("effect", "opposite"),
    [
        (Send(OTHER, FRAME, WHY), []),
        (Deliver(BRIDGE, FRAME, "host", WHY), []),
        (Learn(BRIDGE, FRAME.src, 0, PORT, None, WHY), []),
        (Drop(WHY, OTHER), [Send(OTHER, FRAME, WHY)]),
        (Drop(WHY), [Deliver(BRIDGE, FRAME, "host", WHY)]),
        (Log("own address", WHY), [Learn(BRIDGE, FRAME.src, 0, PORT, None, WHY)]),
    ],
)
def test_the_opposite(effect: Effect, opposite: list[Effect]) -> None:
    assert mutant("rule")([effect], SPOT) == opposite
    assert mutant("another")([effect], SPOT) == [effect]
    assert faithful([effect], SPOT) == [effect]


def test_what_names_no_rule_stays() -> None:
    asked = Ask(Question(BRIDGE, "?", ("yes", "no"), "no"))
    assert mutant("rule")([asked], SPOT) == [asked]
