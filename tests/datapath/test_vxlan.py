"""Where a VXLAN device sends, and what comes back into it."""

from hopback.datapath.effects import (
    Ask,
    Blind,
    Cross,
    Drop,
    Effect,
    Leave,
    Place,
    Snoop,
    Why,
)
from hopback.datapath.model import Model
from hopback.datapath.path import step, uplink_question
from hopback.datapath.vxlan import learned, snoop, transmit
from hopback.datapath.vxlan_state import Entry, Remote, Vxlans, VxlanState
from hopback.engines.trace import trace
from hopback.frames.ethernet import Frame
from hopback.frames.mac import parse_mac
from hopback.frames.raw import Raw
from tests.build import BRIDGE, TUN, dev, link, links, listing, model

VX_MAC = "02:00:00:00:0f:01"
GUEST = "52:54:00:00:00:01"
PEER = "52:54:00:00:00:77"
ALL = "ff:ff:ff:ff:ff:ff"
ZEROS = "00:00:00:00:00:00"


def vxlan(name: str = "vx7", vni: int = 7, mac: str = VX_MAC, more: str = "", **rest: str) -> str:
    words = f"vxlan id {vni} {more} srcport 0 0 dstport 4789 ttl auto ageing 300"
    return link(9, name, mac, words, master="br0", port="", **rest)


def wired(*devices: str, host: str = "kvm1") -> str:
    return links(
        link(3, "br0", "02:00:00:00:0a:01", BRIDGE),
        link(4, "vnet0", "fe:54:00:00:00:01", TUN, master="br0", port=""),
        *devices,
        host=host,
    )


def table(*entries: str, command: str = "bridge fdb show", host: str = "kvm1") -> str:
    return listing(command, entries, host)


def addresses(*told: str, host: str = "kvm1") -> str:
    lines = ["2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default qlen 1000"]
    lines += [f"    inet {address} scope global eth0" for address in told]
    return listing("ip addr show", lines, host)


def entry(mac: str, rest: str, name: str = "vx7") -> str:
    return f"{mac} dev {name} dst {rest}"


def frame(src: str, dst: str) -> Frame:
    return Frame(parse_mac(dst), parse_mac(src), (), 0x88B5, Raw(bytes(46)))


def sent(given: Model, dst: str, src: str = GUEST, name: str = "vx7") -> tuple[Effect, ...]:
    return step(given, {}, Place(dev(name), "out"), frame(src, dst))


def rules(effects: tuple[Effect, ...]) -> list[str]:
    return [e.why.rule for e in effects if isinstance(e, Drop | Leave | Cross | Snoop)]


TWO = table(
    entry(ZEROS, "10.0.0.2 self permanent"),
    entry(ZEROS, "10.0.0.3 self permanent"),
    entry(PEER, "10.0.0.3 self"),
)


def test_known_destination_goes_to_its_remote_alone() -> None:
    (left,) = sent(model(wired(vxlan()) + TWO), PEER)
    assert isinstance(left, Leave)
    assert left.why.rule == "vxlan-known"
    assert len(left.why.refs) == 1


def test_unknown_and_group_go_to_every_remote_of_the_flood_list() -> None:
    given = model(wired(vxlan()) + TWO)
    for target in (ALL, "52:54:00:00:00:55", "01:00:5e:7f:01:02"):
        effects = sent(given, target)
        assert rules(effects) == ["vxlan-flood", "vxlan-flood"]
        lines = [e.why.refs[0].cite.line for e in effects if isinstance(e, Leave)]
        assert lines == sorted(lines, reverse=True), "the first remote is sent to last"


def test_a_whole_table_without_flood_list_drops() -> None:
    given = model(wired(vxlan()) + table(entry(PEER, "10.0.0.3 self")))
    assert rules(sent(given, ALL)) == ["vxlan-no-remote"]


def test_the_default_remote_stands_in_for_a_table_that_nobody_listed() -> None:
    given = model(wired(vxlan(more="remote 10.0.0.9")))
    assert rules(sent(given, ALL)) == ["vxlan-flood"]
    assert rules(sent(model(wired(vxlan())), ALL)) == ["beyond"]


def test_a_table_that_is_not_whole_is_asked_about() -> None:
    given = model(
        wired(vxlan()) + table(entry(ZEROS, "10.0.0.2 self"), command="bridge fdb show dev vx7")
    )
    (asked,) = sent(given, PEER)
    assert isinstance(asked, Ask)
    place, probe = Place(dev("vx7"), "out"), frame(GUEST, PEER)
    assert rules(step(given, {asked.question: "no"}, place, probe)) == ["vxlan-flood"]
    assert isinstance(step(given, {asked.question: "yes"}, place, probe)[0], Blind)


OWN = table(entry(ZEROS, "10.0.0.1 self permanent"))


def test_own_endpoint_brings_the_frame_back() -> None:
    given = model(wired(vxlan()) + OWN + addresses("10.0.0.1/24"))
    effects = sent(given, ALL)
    assert rules(effects) == ["vxlan-learn-new", "vxlan-local"]
    assert isinstance(effects[0], Snoop)
    assert (effects[0].remote, effects[0].before) == ("127.0.0.1", None)
    assert isinstance(effects[1], Cross)
    assert effects[1].dev == dev("vx7")
    assert len(effects[1].why.refs) == 2, "the entry, and whose address it is"


def test_own_endpoint_by_its_own_setting() -> None:
    given = model(wired(vxlan(more="local 10.0.0.1 nolearning")) + OWN)
    assert rules(sent(given, ALL)) == ["vxlan-local"]


def test_the_guest_hears_itself_and_moves() -> None:
    given = model(wired(vxlan()) + OWN + addresses("10.0.0.1/24"))
    journey = trace(given, Place(dev("vnet0"), "in"), frame(GUEST, ALL))[0]
    learnt = [(e.mac, e.port.name) for e in journey.learnt]
    assert learnt[-1] == (parse_mac(GUEST), "vx7")
    places = [(hop.place.dev.name, hop.place.way) for hop in journey.hops]
    assert ("vx7", "in") in places
    assert places[-1] == ("vnet0", "out")
    assert journey.end("cycle") is None


def test_own_endpoint_with_another_vni() -> None:
    other = vxlan("vx8", 8, "02:00:00:00:0f:02")
    text = table(entry(ZEROS, "10.0.0.1 vni 8 self permanent")) + addresses("10.0.0.1/24")
    effects = sent(model(wired(vxlan(), other) + text), ALL)
    assert isinstance(effects[-1], Cross)
    assert effects[-1].dev == dev("vx8")
    assert rules(sent(model(wired(vxlan()) + text), ALL)) == ["vxlan-no-vni"]


def hosts(more: str = "", second: str = "") -> Model:
    return model(
        wired(vxlan(more="local 10.0.0.1"))
        + table(entry(ZEROS, "10.0.0.2 self permanent"))
        + wired(vxlan(mac="02:00:00:00:0f:09", more=f"local 10.0.0.2 {more}"), host="kvm2")
        + (second or table(entry(ZEROS, "10.0.0.1 self permanent"), host="kvm2"))
    )


def test_across_hosts() -> None:
    effects = sent(hosts(), ALL)
    assert rules(effects) == ["vxlan-learn-new", "vxlan-remote"]
    assert isinstance(effects[-1], Cross)
    assert effects[-1].dev == dev("vx7", host="kvm2")
    assert isinstance(effects[0], Snoop)
    assert effects[0].remote == "10.0.0.1"


def test_split_horizon_keeps_it_from_coming_back() -> None:
    journey = trace(hosts(), Place(dev("vnet0"), "in"), frame(GUEST, ALL))[0]
    assert [h.place for h in journey.hops if h.place.dev == dev("vx7")] == [
        Place(dev("vx7"), "out")
    ]
    assert journey.delivered_to(dev("br0", host="kvm2"))


def test_a_vni_that_the_other_host_lacks_is_out_of_sight() -> None:
    other = wired(vxlan("vx8", 8, more="local 10.0.0.2"), host="kvm2")
    given = model(wired(vxlan()) + table(entry(ZEROS, "10.0.0.2 self permanent")) + other)
    assert rules(sent(given, ALL)) == ["vxlan-flood"]


def test_the_receiver_refuses_its_own_address_and_what_is_pinned_elsewhere() -> None:
    assert rules(sent(hosts(), ALL, src="02:00:00:00:0f:09")) == ["vxlan-own-source"]
    pinned = table(
        entry(ZEROS, "10.0.0.1 self permanent"),
        entry(GUEST, "10.0.0.3 self permanent"),
        host="kvm2",
    )
    assert rules(sent(hosts(second=pinned), ALL)) == ["vxlan-pinned"]
    assert rules(sent(hosts("nolearning", pinned), ALL)) == ["vxlan-remote"]


def test_a_group_reaches_all_who_joined_and_who_knows_whom_else() -> None:
    text = "".join(
        wired(vxlan(mac=f"02:00:00:00:0f:0{n}", more="group 239.1.1.1 dev eth0"), host=f"kvm{n}")
        for n in (1, 2, 3)
    )
    effects = sent(model(text), ALL)
    reached = [e.dev.host for e in effects if isinstance(e, Cross)]
    assert reached == ["kvm2", "kvm3"]
    assert isinstance(effects[-1], Leave)


def test_an_address_that_two_hosts_have() -> None:
    text = wired(vxlan()) + table(entry(ZEROS, "10.0.0.2 self permanent"))
    for n in (2, 3):
        text += wired(vxlan(more="local 10.0.0.2"), host=f"kvm{n}")
    (effect,) = sent(model(text), ALL)
    assert isinstance(effect, Blind)


def test_what_the_table_does_not_decide() -> None:
    for words in ("external", "proxy"):
        (effect,) = sent(model(wired(vxlan(more=words)) + OWN), ALL)
        assert isinstance(effect, Blind)
    (effect,) = sent(model(wired(vxlan()) + table(f"{ZEROS} dev vx7 nhid 5 self")), ALL)
    assert isinstance(effect, Blind)


def test_a_device_that_was_moved_out_of_its_namespace() -> None:
    """Whose addresses count is not told, so no remote is the host's own."""
    moved = vxlan(extra=" link-netnsid 0")
    given = model(wired(moved) + OWN + addresses("10.0.0.1/24"))
    assert rules(sent(given, ALL)) == ["vxlan-flood"]


def test_a_tunnel_whose_far_side_returns_what_it_gets() -> None:
    given = model(wired(vxlan()) + TWO)
    world = {uplink_question(dev("vx7")): "returns"}
    effects = step(given, world, Place(dev("vx7"), "out"), frame(GUEST, ALL))
    assert rules(effects) == ["vxlan-flood", "vxlan-flood", "beyond-returns"]


def state(*entries: tuple[str, Entry], learning: bool = True) -> VxlanState:
    return VxlanState(dev("vx7"), {parse_mac(m): e for m, e in entries}, learning=learning)


def test_snooping() -> None:
    known = (GUEST, Entry((Remote("10.0.0.2"), Remote("10.0.0.4"))))
    probe = frame(GUEST, ALL)
    assert snoop(state(learning=False), probe, "10.0.0.2") is None
    assert snoop(state(known), probe, "10.0.0.2") is None
    moved = snoop(state(known), probe, "10.0.0.3")
    assert isinstance(moved, Snoop)
    assert (moved.before, moved.remote) == ("10.0.0.2", "10.0.0.3")
    assert [r.dst for r in learned(known[1], moved).remotes] == ["10.0.0.3", "10.0.0.4"]
    with_vni = Entry((Remote("10.0.0.2", 8),))
    assert learned(with_vni, moved).remotes == (Remote("10.0.0.3", 8),), "the VNI stays"
    assert [r.dst for r in learned(None, moved).remotes] == ["10.0.0.3"]
    bad = snoop(state(), frame("01:00:5e:00:00:01", ALL), "10.0.0.3")
    assert isinstance(bad, Drop)


def test_loopback_of_the_family_that_the_device_uses() -> None:
    given = VxlanState(dev("vx7"), {parse_mac(ZEROS): Entry((Remote("::1"),))}, v6=True)
    effects = transmit(Vxlans({given.id: given}), given, {}, frame(GUEST, ALL))
    assert isinstance(effects[0], Snoop)
    assert effects[0].remote == "::1"
    assert effects[1] == Cross(given.id, frame(GUEST, ALL), Why("vxlan-local"))
