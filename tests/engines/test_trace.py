"""A frame is followed through the recorded tables, all branches, bounded."""

from ipaddress import IPv4Address

from hypothesis import given, settings
from hypothesis import strategies as st

from hopback.datapath.effects import Place
from hopback.datapath.model import Model
from hopback.datapath.path import nic_of, uplink_question
from hopback.engines.trace import MAX_HOPS, MAX_QUESTIONS, Trace, trace
from hopback.frames.build import arp_probe, arp_request
from hopback.frames.ethernet import Frame
from hopback.frames.mac import parse_mac
from hopback.frames.raw import Raw
from tests.build import (
    BRIDGE,
    GUEST0,
    GUEST1,
    HYPERVISOR,
    LINKS,
    RING,
    TUN,
    VETH,
    brctl_show,
    dev,
    domiflist,
    fdb,
    link,
    links,
    listing,
    model,
)

ANN = parse_mac(GUEST0)
PROBE = arp_probe(ANN, IPv4Address("192.0.2.1"))
FROM_BR0 = Place(dev("br0"), "out")
FROM_GUEST = Place(dev("vnet0"), "in")


def to(dst: str) -> Frame:
    return Frame(parse_mac(dst), ANN, (), 0x88B5, Raw(bytes(46)))


def names(journey: Trace, hop: int | None) -> list[str]:
    return [f"{h.place.dev.name} {h.place.way}" for h in journey.path(hop)]


def test_a_flood_ends_at_every_station_and_beyond_every_uplink() -> None:
    text = HYPERVISOR + domiflist(f"vnet0 br0 {GUEST0}", f"vnet1 br0 {GUEST1}")
    (journey,) = trace(model(text), FROM_GUEST, PROBE)
    assert {e.fate for e in journey.ends} == {"delivered", "left"}
    left = journey.end("left")
    assert left is not None
    assert names(journey, left.hop) == ["vnet0 in", "eth0 out"]


def test_what_is_learned_is_noted_and_not_applied() -> None:
    text = HYPERVISOR + fdb(f"{GUEST0} dev eth0 master br0")
    (journey,) = trace(model(text), FROM_GUEST, PROBE)
    (move,) = journey.learnt
    assert move.before is not None
    assert (move.before.name, move.port.name, move.why.rule) == ("eth0", "vnet0", "learn-move")


def test_a_ring_of_two_bridges_ends_as_a_cycle_both_ways_round() -> None:
    (journey,) = trace(model(links(*RING)), FROM_BR0, PROBE)
    cycles = [e for e in journey.ends if e.fate == "cycle"]
    assert len(cycles) == 2
    assert {names(journey, end.hop)[1] for end in cycles} == {"a0 out", "a1 out"}
    assert journey.end("budget") is None


def test_a_cut_ring_has_no_cycle() -> None:
    cut = links(*RING[:-1], RING[-1].replace("forwarding", "blocking"))
    (journey,) = trace(model(cut), FROM_BR0, PROBE)
    assert journey.end("cycle") is None


def test_hairpin_facing_hairpin_is_a_cycle_on_one_cable() -> None:
    facing = links(*(line.replace("hairpin off", "hairpin on") for line in RING[:4]))
    (journey,) = trace(model(facing), FROM_BR0, PROBE)
    end = journey.end("cycle")
    assert end is not None
    assert names(journey, end.hop) == ["br0 out", "a0 out", "b0 in", "b0 out", "a0 in"]


def test_a_copy_that_its_sender_gets_is_a_return() -> None:
    tap = LINKS[2].replace("hairpin off", "hairpin on")
    built = model(links(LINKS[1], tap) + domiflist(f"vnet0 br0 {GUEST0}"))
    (station,) = built.network.stations
    (journey,) = trace(built, FROM_GUEST, PROBE, sender=nic_of(station))
    returned = journey.end("returned")
    assert returned is not None
    assert returned.dev == nic_of(station)
    assert journey.delivered_to(nic_of(station)) == returned
    (unsent,) = trace(built, FROM_GUEST, PROBE)
    assert unsent.end("returned") is None


def test_a_frame_for_another_is_ignored_by_a_station() -> None:
    text = HYPERVISOR + domiflist(f"vnet1 br0 {GUEST1}") + fdb(f"{GUEST1} dev eth0 master br0")
    (journey,) = trace(model(text), FROM_GUEST, to("52:54:00:00:00:77"))
    assert {e.fate for e in journey.ends} == {"ignored", "left"}


def test_a_blind_bridge_ends_blind() -> None:
    text = HYPERVISOR.replace("stp_state 0", "stp_state 0 vlan_filtering 1", 1)
    (journey,) = trace(model(text), FROM_GUEST, PROBE)
    (end,) = journey.ends
    assert (end.fate, end.what[:14]) == ("blind", "VLAN filtering")


# --- worlds --------------------------------------------------------------------------------------

UNKNOWN = brctl_show("eth0", "vnet0", "vnet1")


def test_an_open_question_forks_the_default_first() -> None:
    journeys = trace(model(UNKNOWN), FROM_GUEST, PROBE)
    assert [list(j.world.values()) for j in journeys] == [["yes"], ["no"]]
    assert journeys[0].end("left") is not None
    assert journeys[1].end("blind") is not None


def test_answers_that_are_given_are_not_asked_for() -> None:
    (question,) = trace(model(UNKNOWN), FROM_GUEST, PROBE)[0].world
    (journey,) = trace(model(UNKNOWN), FROM_GUEST, PROBE, world={question: "yes"})
    assert journey.world == {question: "yes"}


def test_the_far_side_returns_only_in_a_world_that_says_so() -> None:
    returns = {uplink_question(dev("eth0")): "returns"}
    (quiet,) = trace(model(HYPERVISOR), FROM_GUEST, PROBE)
    (journey,) = trace(model(HYPERVISOR), FROM_GUEST, PROBE, world=returns)
    assert [m.port.name for m in quiet.learnt] == ["vnet0"]
    assert [m.port.name for m in journey.learnt] == ["vnet0", "eth0"]


def chain(count: int) -> str:
    """Bridges in a row, joined by veth pairs, of whose flags nobody has listed any."""
    lines = []
    for i in range(count):
        lines.append(link(100 + i, f"s{i}", f"02:00:00:00:aa:{i:02x}", BRIDGE))
        for side, peer in ((f"l{i}", f"r{i - 1}"), (f"r{i}", f"l{i + 1}")):
            mac = f"02:00:00:00:{0xB0 + (side[0] == 'r'):02x}:{i:02x}"
            lines.append(link(200 + 2 * i, f"{side}@{peer}", mac, VETH, master=f"s{i}"))
    return links(*lines)


def test_past_so_many_questions_the_branches_that_ask_end_blind() -> None:
    journeys = trace(model(chain(MAX_QUESTIONS + 3)), Place(dev("s0"), "out"), PROBE)
    assert max(len(j.world) for j in journeys) == MAX_QUESTIONS
    assert len(journeys) == MAX_QUESTIONS + 1, "each wrong flag stops the row there"
    usual = journeys[0]
    assert set(usual.world.values()) == {"yes"}
    assert usual.end("blind") is not None


# --- bounds --------------------------------------------------------------------------------------


def mesh(pairs: int) -> str:
    """Two bridges joined so often that the ways round outnumber any budget."""
    lines = [RING[0], RING[1]]
    for i in range(pairs):
        for side, far, master in (("a", "b", "br0"), ("b", "a", "br1")):
            mac = f"02:00:00:00:{ord(side):02x}:{i:02x}"
            name = f"{side}{i}@{far}{i}"
            lines.append(link(10 + 2 * i, name, mac, VETH, master=master, port=""))
    return links(*lines)


def test_the_budget_ends_what_would_take_too_long() -> None:
    (journey,) = trace(model(mesh(9)), FROM_BR0, PROBE)
    assert len(journey.hops) == MAX_HOPS
    assert journey.end("budget") is not None


@st.composite
def networks(draw: st.DrawFn) -> Model:
    """A few bridges, their ports joined at random, flags at random."""
    bridges = [dev(f"br{i}") for i in range(draw(st.integers(1, 3)))]
    count = draw(st.integers(1, 6))
    ports = [dev(f"p{i}") for i in range(count)]
    flags = st.fixed_dictionaries(
        {
            "hairpin": st.sampled_from(("on", "off")),
            "isolated": st.sampled_from(("on", "off")),
            "state": st.sampled_from(("forwarding", "forwarding", "blocking", "learning")),
        }
    )
    homes = {port: draw(st.sampled_from(bridges)) for port in ports}
    order = draw(st.permutations(ports))
    lines = [link(90 + i, b.name, f"02:00:00:00:cc:{i:02x}", BRIDGE) for i, b in enumerate(bridges)]
    for i, port in enumerate(order):
        peer = order[i ^ 1].name if (i ^ 1) < count else None
        shown, kind = (f"{port.name}@{peer}", VETH) if peer else (port.name, TUN)
        told = " ".join(f"{name} {value}" for name, value in draw(flags).items())
        mac = f"02:00:00:00:dd:{i:02x}"
        lines.append(link(10 + i, shown, mac, kind, master=homes[port].name, port=told))
    return model(links(*lines))


@given(networks(), st.sampled_from([PROBE, to(GUEST1)]))
@settings(max_examples=60)
def test_random_networks_end_within_the_bound_and_always_alike(built: Model, frame: Frame) -> None:
    for id_ in built.bridges:
        journeys = trace(built, Place(id_, "out"), frame)
        assert journeys == trace(built, Place(id_, "out"), frame)
        assert 1 <= len(journeys) <= 2**MAX_QUESTIONS
        for journey in journeys:
            assert len(journey.hops) <= MAX_HOPS
            assert all(0 <= end.hop < len(journey.hops) for end in journey.ends)
            assert all(h.parent is None or h.parent < i for i, h in enumerate(journey.hops))


def test_an_answer_in_another_s_name_is_no_return() -> None:
    """The bridge knows both neighbours, and answers the one that asks."""
    text = "neigh_suppress on".join(HYPERVISOR.rsplit("neigh_suppress off", 1))
    text += domiflist(f"vnet0 br0 {GUEST0}", f"vnet1 br0 {GUEST1}")
    text += fdb(f"{GUEST1} dev vnet1 master br0")
    text += listing("ip neigh show", [f"192.0.2.2 dev br0 lladdr {GUEST1} REACHABLE"])
    question = arp_request(ANN, IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2"))
    ann, _ = model(text).network.stations
    (journey,) = trace(model(text), FROM_GUEST, question, sender=nic_of(ann))
    assert journey.delivered_to(nic_of(ann)) is not None
    assert journey.end("returned") is None
