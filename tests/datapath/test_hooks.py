"""Where a bridge and its devices call the packet filters, and what the answer does to a frame."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from hopback.datapath.bridge.hooks import Hooks
from hopback.datapath.bridge.ingress import receive, transmit
from hopback.datapath.bridge.state import BridgeState
from hopback.datapath.effects import (
    Ask,
    Blind,
    Cross,
    Deliver,
    Drop,
    Effect,
    Learn,
    Place,
    Question,
    Send,
    World,
)
from hopback.datapath.netfilter.hooks import Netfilter
from hopback.datapath.netfilter.packet import Outcome, Passed, Seen, Stopped
from hopback.datapath.netfilter.ruleset import Ruleset
from hopback.datapath.path import step
from hopback.datapath.skb import FRESH, Skb
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, Mac, parse_mac
from hopback.network.facts import Ref
from hopback.snapshot.table import Cite
from tests.build import BRIDGE, VETH, dev, link, links, model
from tests.datapath.test_bridge_rules import (
    ANN,
    BOB,
    BRIDGE_MAC,
    HOST,
    LACP,
    LLDP,
    P1,
    P2,
    PORT_MAC,
    STP_GROUP,
    bridge,
    frame,
)

ROW = Ref("kvm1", Cite(1, 5))
DROPPED = Stopped("drop", "a chain", (ROW,))
Filter = Callable[[Seen], Outcome | None]


def hooks(state: BridgeState, filter_: Filter) -> Hooks:
    """Filters that answer as told; None accepts."""

    def ask(_: Ruleset, world: World, seen: Seen, priorities: range) -> Outcome:
        return filter_(seen) or Passed(seen.frame, seen.skb)

    return Hooks(Netfilter(Ruleset(HOST), frozenset({"bridge"}), ask=ask), state, {})


def listening() -> tuple[list[Seen], Filter]:
    heard: list[Seen] = []
    return heard, heard.append


def names(heard: list[Seen]) -> list[tuple[str, str, str]]:
    return [(seen.hook, seen.indev, seen.outdev) for seen in heard]


def at_p1(state: BridgeState, sent: Frame, filter_: Filter, skb: Skb = FRESH) -> tuple[Effect, ...]:
    return receive(state, {}, P1, sent, skb, hooks(state, filter_))


def without_learning(effects: tuple[Effect, ...]) -> list[Effect]:
    return [e for e in effects if not isinstance(e, Learn)]


def test_each_copy_of_a_flood_meets_the_hooks_on_its_own_way() -> None:
    heard, filter_ = listening()
    at_p1(bridge(), frame(BROADCAST), filter_)
    assert names(heard) == [
        ("brouting", "p1", ""),
        ("prerouting", "p1", ""),
        ("forward", "p1", "p3"),
        ("postrouting", "", "p3"),
        ("forward", "p1", "p2"),
        ("postrouting", "", "p2"),
        ("input", "p1", ""),
    ]
    assert {seen.packet_type for seen in heard if seen.indev} == {"broadcast"}
    bridges = [(seen.bridge_in, seen.bridge_out) for seen in heard[1:4]]
    assert bridges == [("br0", ""), ("br0", "br0"), ("", "br0")]


def test_a_drop_of_one_copy_leaves_the_others_in_their_order() -> None:
    effects = at_p1(bridge(), frame(BROADCAST), lambda s: DROPPED if s.outdev == "p2" else None)
    sent, drop, up = without_learning(effects)
    assert isinstance(sent, Send)
    assert isinstance(up, Deliver)
    assert isinstance(drop, Drop)
    assert (drop.dev, drop.why) == (P2, ("filter-drop", (ROW,)))


@pytest.mark.parametrize(("hook", "learns"), [("prerouting", False), ("forward", True)])
def test_only_what_is_dropped_before_the_lookup_teaches_nothing(hook: str, learns: bool) -> None:
    stranger = frame(BOB, parse_mac("02:00:00:00:00:77"))
    effects = at_p1(bridge(), stranger, lambda s: DROPPED if s.hook == hook else None)
    assert any(isinstance(e, Learn) for e in effects) == learns
    assert isinstance(effects[-1], Drop)


def test_what_the_host_sends_meets_output_instead_of_forward() -> None:
    heard, filter_ = listening()
    state = bridge()
    transmit(state, {}, frame(BOB, BRIDGE_MAC), FRESH, hooks(state, filter_))
    assert names(heard) == [("output", "", "p2"), ("postrouting", "", "p2")]


def test_what_is_for_the_host_meets_input_and_may_end_there() -> None:
    effects = at_p1(bridge(), frame(BRIDGE_MAC), lambda s: DROPPED if s.hook == "input" else None)
    (drop,) = without_learning(effects)
    assert isinstance(drop, Drop)
    assert drop.dev == HOST


@pytest.mark.parametrize(
    ("target", "meets"), [(LACP, [("input", "p1", "")]), (LLDP, []), (STP_GROUP, [])]
)
def test_link_local_frames(target: Mac, meets: list[tuple[str, str, str]]) -> None:
    heard, filter_ = listening()
    at_p1(bridge(stp=True), frame(target), filter_)
    assert names(heard) == meets


def test_a_link_local_frame_that_is_dropped_teaches_nothing() -> None:
    (drop,) = at_p1(bridge(), frame(LACP, BOB), lambda _: DROPPED)
    assert isinstance(drop, Drop)


def test_a_frame_that_is_to_be_routed_goes_up_the_port_s_own_stack() -> None:
    def broute(seen: Seen) -> Outcome | None:
        return DROPPED if seen.hook == "brouting" else None

    for target, type_ in ((PORT_MAC, "host"), (BRIDGE_MAC, "otherhost"), (BROADCAST, "broadcast")):
        (up,) = at_p1(bridge(), frame(target), broute)
        assert isinstance(up, Deliver)
        assert (up.dev, up.packet_type, up.why) == (P1, type_, ("brouted", (ROW,)))
    learning = bridge(p1={"state": "learning"})
    assert not any(isinstance(e, Deliver) for e in at_p1(learning, frame(BOB), broute))


def test_a_rule_that_changes_the_destination_changes_the_way() -> None:
    def to_bob(seen: Seen) -> Outcome | None:
        changed = replace(seen.frame, dst=BOB)
        return Passed(changed, Skb(mark=3), (ROW,)) if seen.hook == "prerouting" else None

    (sent,) = without_learning(at_p1(bridge(), frame(BRIDGE_MAC), to_bob))
    assert isinstance(sent, Send)
    assert (sent.dev, sent.frame.dst, sent.skb) == (P2, BOB, Skb(mark=3))


def test_a_rule_that_changes_one_copy_leaves_the_others_alone() -> None:
    def rewrite(seen: Seen) -> Outcome | None:
        if (seen.hook, seen.outdev) != ("postrouting", "p3"):
            return None
        return Passed(replace(seen.frame, src=BOB), seen.skb, (ROW,))

    copies = [e for e in at_p1(bridge(), frame(BROADCAST), rewrite) if isinstance(e, Send)]
    assert [(c.dev.name, c.frame.src, c.why.refs) for c in copies] == [
        ("p3", BOB, (ROW,)),
        ("p2", ANN, ()),
    ]


@pytest.mark.parametrize(
    "outcome", [Ask(Question(HOST, "a quota?", ("yes", "no"), "yes")), Blind("something", (ROW,))]
)
@pytest.mark.parametrize("hook", ["brouting", "prerouting", "forward", "postrouting"])
def test_what_a_filter_leaves_open_stays_open(hook: str, outcome: Outcome) -> None:
    effects = at_p1(bridge(), frame(BOB), lambda s: outcome if s.hook == hook else None)
    assert without_learning(effects) == [outcome]


TWO = links(
    link(3, "br0", "02:00:00:00:0a:01", BRIDGE),
    link(4, "a0@b0", "02:00:00:00:0a:02", VETH, master="br0", port=""),
    link(5, "b0@a0", "02:00:00:00:0b:01", VETH),
)


def test_a_device_has_hooks_of_its_own_in_and_out() -> None:
    heard: list[Seen] = []

    def ask(_: Ruleset, world: World, seen: Seen, priorities: range) -> Outcome:
        heard.append(seen)
        return DROPPED if seen.hook == "egress" else Passed(seen.frame, Skb(mark=1))

    own = Netfilter(Ruleset(HOST), frozenset({"netdev"}), frozenset({"a0"}), ask=ask)
    filtered = replace(model(TWO), netfilter={("kvm1", ""): own})
    (drop,) = step(filtered, {}, Place(dev("a0"), "out"), frame(BROADCAST))
    assert isinstance(drop, Drop)
    up = step(filtered, {}, Place(dev("a0"), "in"), frame(BROADCAST))[-1]
    assert isinstance(up, Deliver)
    assert up.skb == Skb(mark=1)
    assert names(heard) == [("egress", "", "a0"), ("ingress", "a0", "")]
    (across,) = step(filtered, {}, Place(dev("b0"), "out"), frame(BROADCAST))
    assert isinstance(across, Cross)
