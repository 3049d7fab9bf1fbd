"""Which children of a lower device a frame reaches, by mode."""

import pytest

from hopback.datapath.effects import Ask, Blind, Cross, Deliver, Drop, Effect, Place, Send
from hopback.datapath.model import Model
from hopback.datapath.path import step
from hopback.engines.trace import trace
from hopback.frames.ethernet import Frame
from hopback.frames.mac import Mac, parse_mac
from hopback.frames.raw import Raw
from tests.build import BRIDGE, dev, link, links, listing, model

LOWER = "0c:c4:7a:00:00:01"
OUTSIDE = "02:00:00:00:00:99"
GROUP = "01:00:5e:7f:01:02"
MACS = {name: f"02:00:00:00:01:{i:02x}" for i, name in enumerate("abcdef")}


def host(*children: str, lower: str = "eth0", **more: str) -> Model:
    """Children such as ``a vepa`` or ``b bridge down``, on eth0."""
    lines = [link(2, lower, LOWER, **more)]
    for index, child in enumerate(children, 10):
        name, mode, *state = child.split()
        flags = "BROADCAST,MULTICAST" if state else "BROADCAST,MULTICAST,UP,LOWER_UP"
        kind = f"macvlan mode {mode} bcqueuelen 1000"
        lines.append(link(index, f"{name}@{lower}", MACS[name], kind, flags=flags))
    return model(links(*lines))


def frame(src: str, dst: str, ethertype: int = 0x88B5) -> Frame:
    return Frame(parse_mac(dst), parse_mac(src), (), ethertype, Raw(bytes(46)))


def told(effects: tuple[Effect, ...]) -> list[str]:
    """Such as ``in a``, ``out eth0``, ``up eth0 multicast``."""
    found = []
    for effect in effects:
        match effect:
            case Cross(dev=id_):
                found.append(f"in {id_.name}")
            case Send(dev=id_):
                found.append(f"out {id_.name}")
            case Deliver(dev=id_, packet_type=kind):
                found.append(f"up {id_.name} {kind}")
            case _:
                found.append(type(effect).__name__)
    return found


def into(given: Model, src: str, dst: str, at: str = "eth0") -> list[str]:
    return told(step(given, {}, Place(dev(at), "in"), frame(src, dst)))


def out_of(given: Model, child: str, dst: str) -> list[str]:
    return told(step(given, {}, Place(dev(child), "out"), frame(MACS[child], dst)))


EVERY = ("a private", "b vepa", "c bridge", "d bridge", "e vepa")


@pytest.mark.parametrize(
    ("source", "copies"),
    [
        (OUTSIDE, ["in a", "in b", "in c", "in d", "in e", "up eth0 multicast"]),
        (MACS["a"], ["in a"]),
        (MACS["b"], ["in c", "in d", "in e", "up eth0 multicast"]),
        (MACS["c"], ["in b", "in e", "up eth0 multicast"]),
    ],
    ids=["foreign", "private", "vepa", "bridge"],
)
def test_group_frame_from_the_wire(source: str, copies: list[str]) -> None:
    assert into(host(*EVERY), source, GROUP) == copies


def test_passthru_hears_its_own_group_frames() -> None:
    given = host("a passthru")
    assert into(given, MACS["a"], "ff:ff:ff:ff:ff:ff") == ["in a"]
    assert into(given, OUTSIDE, GROUP) == ["in a", "up eth0 multicast"]


def test_unicast_goes_to_the_child_whoever_sent_it() -> None:
    given = host(*EVERY)
    for source in (OUTSIDE, MACS["a"], MACS["c"]):
        assert into(given, source, MACS["c"]) == ["in c"]
    assert into(given, MACS["a"], MACS["a"]) == ["in a"]
    assert into(given, OUTSIDE, LOWER) == ["up eth0 host"]
    assert into(given, OUTSIDE, OUTSIDE) == ["up eth0 otherhost"]


def test_passthru_takes_what_is_for_others() -> None:
    given = host("a passthru")
    assert into(given, OUTSIDE, LOWER) == ["in a"]
    assert into(given, OUTSIDE, LOWER, at="a") == ["up a host"]
    (dropped,) = step(
        host("a passthru down"), {}, Place(dev("eth0"), "in"), frame(OUTSIDE, MACS["a"])
    )
    assert isinstance(dropped, Drop)


def test_a_child_that_is_down_is_not_there() -> None:
    given = host("a bridge down", "b bridge")
    assert into(given, OUTSIDE, MACS["a"]) == ["up eth0 otherhost"]
    assert into(given, OUTSIDE, GROUP) == ["in b", "up eth0 multicast"]
    assert out_of(given, "b", MACS["a"]) == ["out eth0"]
    assert out_of(given, "b", GROUP) == ["out eth0"]


def test_bridge_children_reach_each_other_at_once() -> None:
    given = host(*EVERY)
    assert out_of(given, "c", MACS["d"]) == ["in eth0"]
    assert out_of(given, "c", GROUP) == ["in d", "out eth0"]
    assert out_of(given, "c", MACS["b"]) == ["out eth0"]
    assert out_of(given, "c", LOWER) == ["out eth0"], "the host below is out of reach"


@pytest.mark.parametrize("child", ["a", "b"])
def test_the_others_send_all_to_the_wire(child: str) -> None:
    for target in (MACS["c"], MACS["e"], GROUP):
        assert out_of(host(*EVERY), child, target) == ["out eth0"]


def test_pause_frames_are_not_copied() -> None:
    given = host("a bridge", "b bridge")
    pause = frame(MACS["a"], GROUP, 0x8808)
    assert told(step(given, {}, Place(dev("a"), "out"), pause)) == ["out eth0"]
    assert told(step(given, {}, Place(dev("eth0"), "in"), pause)) == ["up eth0 multicast"]


def test_up_at_the_child() -> None:
    given = host("a vepa")
    assert into(given, OUTSIDE, MACS["a"], at="a") == ["up a host"]
    assert into(given, OUTSIDE, GROUP, at="a") == ["up a multicast"]
    assert into(given, OUTSIDE, "ff:ff:ff:ff:ff:ff", at="a") == ["up a broadcast"]


def test_source_mode_is_not_evaluated() -> None:
    given = host("a source", "b vepa")
    (effect,) = step(given, {}, Place(dev("eth0"), "in"), frame(OUTSIDE, GROUP))
    assert isinstance(effect, Blind)
    assert effect.what == "a is a macvlan of mode source"


def test_a_mode_that_nobody_told_is_asked_for() -> None:
    given = model(links(link(2, "eth0", LOWER), link(3, "a@eth0", MACS["a"], "macvlan")))
    (asked,) = step(given, {}, Place(dev("eth0"), "in"), frame(MACS["a"], GROUP))
    assert isinstance(asked, Ask)
    effects = step(
        given, {asked.question: "private"}, Place(dev("eth0"), "in"), frame(MACS["a"], GROUP)
    )
    assert told(effects) == ["in a"]


XML = f"""\
<interface type='direct'>
  <mac address='{MACS["a"]}'/>
  <source dev='eth0' mode='vepa'/>
  <target dev='macvtap0'/>
</interface>
"""


def test_a_guest_joined_directly() -> None:
    given = model(links(link(2, "eth0", LOWER)) + listing("virsh dumpxml web1", [XML]))
    (child,) = given.macvlans.by_id.values()
    assert (child.id, child.lower, child.mode) == (dev("macvtap0"), dev("eth0"), "vepa")
    assert into(given, OUTSIDE, MACS["a"]) == ["in macvtap0"]
    assert told(step(given, {}, Place(dev("macvtap0"), "out"), frame(MACS["a"], GROUP))) == [
        "out eth0"
    ]


def test_listing_and_definition_are_one_child() -> None:
    macvtap = link(9, "macvtap0@eth0", MACS["a"], "macvtap mode bridge")
    given = model(links(link(2, "eth0", LOWER), macvtap) + listing("virsh dumpxml web1", [XML]))
    (child,) = given.macvlans.by_id.values()
    assert child.mode == "bridge", "what the kernel says counts"
    assert len({ref.cite.source for ref in child.refs}) == 2


def test_a_child_in_another_namespace() -> None:
    inside = link(7, "eth0@if2", MACS["a"], "macvlan mode bridge", extra=" link-netnsid 0")
    text = links(link(2, "eth0", LOWER)) + links(inside, netns="pod")
    assert not model(text).macvlans.by_id, "nothing tells which namespace is meant"


def test_reflected_vepa_broadcast_reaches_the_siblings_and_not_its_sender() -> None:
    """The far bridge port in hairpin mode is what VEPA is made for."""
    given = host("a vepa", "b vepa")
    sent = frame(MACS["a"], "ff:ff:ff:ff:ff:ff")
    ways = [e.dev.name for e in trace(given, Place(dev("eth0"), "in"), sent)[0].ends if e.dev]
    assert ways == ["eth0", "b"]


def test_a_child_that_is_a_bridge_port() -> None:
    child = link(5, "a@eth0", MACS["a"], "macvlan mode passthru", master="br0", port="")
    given = model(links(link(2, "eth0", LOWER), link(3, "br0", "02:00:00:00:0a:01", BRIDGE), child))
    journey = trace(given, Place(dev("eth0"), "in"), frame(OUTSIDE, LOWER))[0]
    assert [hop.place.dev.name for hop in journey.hops] == ["eth0", "a"]
    assert [learnt.mac for learnt in journey.learnt] == [Mac(0x020000000099)]


def on_bridge(*children: str, state: str = "forwarding") -> Model:
    """br0 with the ports eth0 and eth1, and children on br0 itself."""
    lines = [
        link(2, "eth0", LOWER, master="br0", port=f"state {state}"),
        link(4, "eth1", "0c:c4:7a:00:00:02", master="br0", port=""),
        link(3, "br0", "0c:c4:7a:00:00:03", BRIDGE),
    ]
    for index, child in enumerate(children, 10):
        name, mode = child.split()
        kind = f"macvlan mode {mode} bcqueuelen 1000"
        lines.append(link(index, f"{name}@br0", MACS[name], kind))
    whole = listing("bridge fdb show", ["0c:c4:7a:00:00:03 dev br0 master br0 permanent"])
    return model(links(*lines) + whole)


def test_children_of_a_bridge_make_it_promiscuous() -> None:
    given = on_bridge("a bridge", "b vepa")
    assert into(given, OUTSIDE, MACS["a"]) == ["Learn", "out eth1", "in a"]
    assert into(given, OUTSIDE, "02:00:00:00:00:77") == ["Learn", "out eth1"]
    assert into(given, OUTSIDE, "ff:ff:ff:ff:ff:ff") == [
        "Learn",
        "out eth1",
        "in a",
        "in b",
        "up br0 broadcast",
    ]


def test_what_the_bridge_drops_at_once_is_not_overheard() -> None:
    given = on_bridge("a bridge", state="disabled")
    assert into(given, OUTSIDE, MACS["a"]) == ["Drop"]


def test_passthru_on_a_bridge_overhears_everything() -> None:
    given = on_bridge("a passthru")
    assert into(given, OUTSIDE, "02:00:00:00:00:77") == ["Learn", "out eth1", "in a"]


def test_a_child_of_a_bridge_sends_through_it() -> None:
    given = on_bridge("a vepa")
    assert out_of(given, "a", OUTSIDE) == ["out br0"]
    ways = trace(given, Place(dev("a"), "out"), frame(MACS["a"], OUTSIDE))[0].hops
    assert {hop.place.dev.name for hop in ways} == {"a", "br0", "eth0", "eth1"}
