"""What the tables do not say: a question is asked, an unusual answer blinds, nothing is guessed."""

import pytest
from msgspec.structs import replace

from hopback.datapath.bridge.ingress import receive, transmit
from hopback.datapath.bridge.state import BridgeState, FdbEntry, PortConfig
from hopback.datapath.effects import Ask, Blind, Effect, Question, Send
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, Mac
from hopback.frames.raw import Raw
from hopback.network.facts import DevId

HOST = DevId("", "", "br0")
P1, P2 = DevId("", "", "p1"), DevId("", "", "p2")
ANN, EVE = Mac(0x0200_0000_00A1), Mac(0x0200_0000_00EE)
FLAGS = Question(HOST, "do the flags have their usual values?", ("yes", "no"), "yes")
BRIDGE = BridgeState(
    HOST, {P1: PortConfig(P1), P2: PortConfig(P2)}, {(ANN, 0): FdbEntry(P1)}, mcast_snooping=False
)


def frame(dst: Mac) -> Frame:
    return Frame(dst, ANN, (), 0x88B5, Raw(bytes(46)))


def at_p1(state: BridgeState, dst: Mac, **world: str) -> tuple[Effect, ...]:
    answers = {FLAGS: world["flags"]} if world else {}
    return receive(state, answers, P1, frame(dst))


def asked(effects: tuple[Effect, ...]) -> Question:
    (ask,) = effects
    assert isinstance(ask, Ask)
    return ask.question


def test_flags_that_nobody_listed_are_asked_for_before_anything_else() -> None:
    state = replace(BRIDGE, question=FLAGS)
    assert asked(at_p1(state, BROADCAST)) == FLAGS
    assert asked(transmit(state, {}, frame(BROADCAST))) == FLAGS


def test_the_usual_answer_goes_on_and_the_other_blinds() -> None:
    state = replace(BRIDGE, question=FLAGS)
    assert isinstance(at_p1(state, BROADCAST, flags="yes")[0], Send)
    (blind,) = at_p1(state, BROADCAST, flags="no")
    assert isinstance(blind, Blind)


def test_a_bridge_that_cannot_be_evaluated_says_why() -> None:
    state = replace(BRIDGE, blind=("VLAN filtering", ()), question=FLAGS)
    assert at_p1(state, BROADCAST) == (Blind("VLAN filtering", ()),)
    assert transmit(state, {}, frame(BROADCAST)) == (Blind("VLAN filtering", ()),)


@pytest.mark.parametrize("answer", ["no", "yes"])
def test_a_table_that_is_not_whole_may_know_the_address(answer: str) -> None:
    state = replace(BRIDGE, table_complete=False)
    question = asked(at_p1(state, EVE))
    assert "02:00:00:00:00:ee" in question.text
    (first, *_) = receive(state, {question: answer}, P1, frame(EVE))
    assert isinstance(first, Send if answer == "no" else Blind)


def test_a_whole_table_is_not_asked_about_nor_a_known_address() -> None:
    assert isinstance(at_p1(BRIDGE, EVE)[0], Send)
    filtered = replace(
        BRIDGE, table_complete=False, fdb={(ANN, 0): FdbEntry(P1), (EVE, 0): FdbEntry(P2)}
    )
    assert isinstance(at_p1(filtered, EVE)[0], Send)
    assert isinstance(at_p1(filtered, BROADCAST)[0], Send), "a broadcast is not looked up"
