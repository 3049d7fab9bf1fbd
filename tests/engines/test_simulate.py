"""Virtual time: duplicate detection, learning and ageing, leases; bounds; the same log twice."""

from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hopback.datapath.effects import Place, Question
from hopback.datapath.model import Model
from hopback.datapath.path import nic_of, uplink_question
from hopback.engines.lease import SECOND
from hopback.engines.simulate import (
    Lease,
    Router,
    Run,
    Say,
    Story,
    Up,
    everybody_up,
    simulate,
)
from hopback.frames.build import arp_reply, arp_request, dad_ns, link_local
from hopback.frames.mac import Mac, parse_mac
from hopback.frames.nd import Prefix
from hopback.network.model import Station
from tests.build import (
    BRIDGE,
    GUEST0,
    RING,
    TUN,
    TWIN0,
    dev,
    domiflist,
    fdb,
    link,
    links,
    model,
)

MAC = parse_mac(GUEST0)
HOURS = 3600 * SECOND
STRANGER = Mac(0x0200_0000_0099)
ANN, BOB = IPv4Address("192.0.2.50"), IPv4Address("192.0.2.1")
BROADCAST = arp_request(MAC, ANN, BOB)
TO_THE_HOST = arp_reply(MAC, ANN, parse_mac("0c:c4:7a:00:00:01"), BOB)
ROUTER = Mac(0x0200_0000_00FE)
PREFIX = Prefix(IPv6Address("2001:db8::"), 64, 0xC0, 3600, 1800)


def guest(hairpin: str = "off", more: str = "") -> Model:
    """One guest, of whose inside nothing is known, on a bridge with a way out."""
    listed = links(
        link(2, "eth0", "0c:c4:7a:00:00:01", master="br0", port=""),
        link(3, "br0", "0c:c4:7a:00:00:01", f"{BRIDGE} mcast_snooping 0"),
        link(4, "vnet0", TWIN0, TUN, master="br0", port=f"hairpin {hairpin}"),
    )
    own = (f"{TWIN0} dev vnet0 master br0 permanent",)
    return model(listed + domiflist(f"vnet0 br0 {GUEST0}") + fdb(*own) + more)


def station(built: Model) -> Station:
    (found,) = built.network.stations
    return found


def phases(run: Run, built: Model) -> dict[str, str]:
    return {str(own.address): own.phase for own in run.addresses[nic_of(station(built))]}


def place_of(run: Run) -> str | None:
    """The port on which the guest's entry is at the end, where that is not as before."""
    ports = [after for slot, (_, after) in run.entries.items() if slot.key[0] == MAC]
    return ports[0].name if ports and ports[0] else None


LINK_LOCAL = str(link_local(MAC))


def test_without_hairpin_the_address_is_valid_a_second_after_the_probe() -> None:
    built = guest()
    (run,) = simulate(built, everybody_up(built))
    assert phases(run, built) == {LINK_LOCAL: "preferred"}
    assert run.ended == "quiet"
    sent = next(e.at for e in run.log if e.kind == "sent" and e.why.rule == "dad-probe")
    valid = next(e.at for e in run.log if e.why.rule == "dad-valid")
    assert valid - sent == SECOND


def test_with_hairpin_it_depends_on_the_nonce_which_nothing_tells() -> None:
    built = guest("on")
    runs = simulate(built, everybody_up(built))
    assert [phases(run, built)[LINK_LOCAL] for run in runs] == ["preferred", "dadfailed"]
    assert [list(run.world.values()) for run in runs] == [["yes"], ["no"]]
    (logged,) = (e.what for e in runs[1].log if e.kind == "log")
    assert logged.endswith(f"duplicate address {LINK_LOCAL} used by {GUEST0} detected!")


def test_an_uplink_that_returns_frames_fails_it_too() -> None:
    built = guest()
    world = {uplink_question(dev("eth0")): "returns"}
    runs = simulate(built, everybody_up(built), world=world)
    assert [phases(run, built)[LINK_LOCAL] for run in runs] == ["preferred", "dadfailed"]


def test_a_stranger_with_the_address_fails_it_whatever_the_kernel() -> None:
    built = guest()
    probe = Say(Place(dev("eth0"), "in"), dad_ns(STRANGER, link_local(MAC)), at=SECOND)
    runs = simulate(built, Story((Up(station(built)), probe)))
    assert [phases(run, built)[LINK_LOCAL] for run in runs] == ["dadfailed"]
    late = Say(Place(dev("eth0"), "in"), probe.frame, at=3 * SECOND)
    (run,) = simulate(built, Story((Up(station(built)), late)))
    assert phases(run, built)[LINK_LOCAL] == "preferred"
    assert any(e.kind == "sent" and e.why.rule == "nd-answered" for e in run.log)


def test_two_stations_with_one_mac_cannot_be_told_apart() -> None:
    text = links(
        link(3, "br0", "0c:c4:7a:00:00:01", f"{BRIDGE} mcast_snooping 0"),
        link(4, "vnet0", TWIN0, TUN, master="br0", port=""),
        link(5, "vnet1", "fe:54:00:00:00:02", TUN, master="br0", port=""),
    )
    built = model(text + domiflist(f"vnet0 br0 {GUEST0}", f"vnet1 br0 {GUEST0}"))
    (run,) = simulate(built, Story())
    assert [e.kind for e in run.log] == ["blind"]


def test_a_router_s_prefix_becomes_an_address() -> None:
    built = guest()
    router = Router(Place(dev("eth0"), "in"), ROUTER, (PREFIX,))
    (run,) = simulate(built, Story(everybody_up(built).acts, (router,)))
    assert phases(run, built) == {
        LINK_LOCAL: "preferred",
        "2001:db8::5054:ff:fe00:1": "preferred",
    }


def test_a_reflector_takes_the_entry_away_and_time_brings_it_back() -> None:
    """Poisoned by the returned broadcast, forgotten after 300 s, learned anew by the next frame."""
    built = guest()
    home, out = Place(dev("vnet0"), "in"), uplink_question(dev("eth0"))
    once = Story((Say(home, BROADCAST),))
    (poisoned,) = simulate(built, once, world={out: "returns"}, until=HOURS)
    moves = [e for e in poisoned.log if e.kind == "learned"]
    assert [e.why.rule for e in moves] == ["learn-new", "learn-move"]
    (aged,) = (e for e in poisoned.log if e.kind == "aged")
    assert aged.at == moves[1].at + 300 * SECOND
    assert place_of(poisoned) is None
    (before,) = simulate(built, once, world={out: "returns"}, until=299 * SECOND)
    assert place_of(before) == "eth0"
    again = Story((Say(home, BROADCAST), Say(home, TO_THE_HOST, at=400 * SECOND)))
    (healed,) = simulate(built, again, world={out: "returns"}, until=401 * SECOND)
    assert place_of(healed) == "vnet0"


def test_traffic_keeps_an_entry_alive() -> None:
    built = guest()
    home = Place(dev("vnet0"), "in")
    acts = tuple(Say(home, TO_THE_HOST, at=at * SECOND) for at in (0, 200, 400))
    (run,) = simulate(built, Story(acts), until=HOURS)
    (aged,) = (e for e in run.log if e.kind == "aged")
    assert aged.at // SECOND == 700


@pytest.mark.parametrize(("kind", "forgotten"), [("", 1), ("static", 0), ("extern_learn", 0)])
def test_what_does_not_age_stays(kind: str, forgotten: int) -> None:
    built = guest(
        more=fdb(f"{TWIN0} dev vnet0 master br0 permanent", f"{GUEST0} dev vnet0 {kind} master br0")
    )
    (run,) = simulate(built, Story(), until=HOURS)
    assert sum(e.kind == "aged" for e in run.log) == forgotten


def test_a_recorded_age_counts() -> None:
    built = guest(more=fdb(f"{GUEST0} dev vnet0 used 100/100 master br0"))
    (run,) = simulate(built, Story(), until=HOURS)
    (aged,) = (e for e in run.log if e.kind == "aged")
    assert aged.at == 200 * SECOND


def test_a_lease_and_what_becomes_of_it_behind_a_reflector() -> None:
    built = guest()
    story = Story((Lease(station(built)),))
    (run,) = simulate(built, story, until=60 * SECOND)
    assert list(run.leases.values()) == ["bound"]
    world = {uplink_question(dev("eth0")): "returns"}
    (lost,) = simulate(built, story, world=world, until=60 * SECOND)
    assert list(lost.leases.values()) == ["selecting"]
    repeats = [e.at // SECOND for e in lost.log if e.kind == "sent" and "DISCOVER" in e.what]
    waits = [later - earlier for earlier, later in pairwise(repeats)]
    assert 3 <= waits[0] <= 5
    assert 7 <= waits[1] <= 9


def test_a_storm_reaches_the_bound_and_says_so() -> None:
    built = model(links(*RING))
    story = Story((Say(Place(dev("br0"), "out"), arp_request(STRANGER, ANN, BOB)),))
    (run,) = simulate(built, story, most=500)
    assert run.ended == "events"
    (late,) = simulate(built, story, until=50_000)
    assert late.ended == "time"


def test_every_open_question_is_a_run_of_its_own() -> None:
    built = guest("on")
    runs = simulate(built, everybody_up(built))
    asked: list[Question] = list(runs[0].world)
    assert len(runs) == 2 ** len(asked)
    assert simulate(built, everybody_up(built), world=runs[1].world) == (runs[1],)


@given(st.integers(0, 2**32), st.sampled_from(["on", "off"]), st.integers(0, 3 * SECOND))
@settings(max_examples=30, deadline=None)
def test_the_same_seed_gives_the_same_log(seed: int, hairpin: str, at: int) -> None:
    story = Story((Up(station(guest()), at), Lease(station(guest()), at)))
    first, second = (simulate(guest(hairpin), story, seed=seed) for _ in range(2))
    assert [run.text() for run in first] == [run.text() for run in second]
    assert first == second
    times = [entry.at for entry in first[0].log]
    assert times == sorted(times)


def test_another_seed_draws_another_delay() -> None:
    built = guest()
    texts = {simulate(built, everybody_up(built), seed=seed)[0].text() for seed in range(5)}
    assert len(texts) == 5


def test_a_hundred_guests_come_up() -> None:
    taps = [
        link(10 + i, f"vnet{i}", f"fe:54:00:00:01:{i:02x}", TUN, master="br0", port="")
        for i in range(100)
    ]
    nics = domiflist(*(f"vnet{i} br0 52:54:00:00:01:{i:02x}" for i in range(100)))
    built = model(
        links(link(3, "br0", "0c:c4:7a:00:00:01", f"{BRIDGE} mcast_snooping 0"), *taps) + nics
    )
    (run,) = simulate(built, everybody_up(built), most=100_000)
    assert run.ended == "quiet"
    assert {own.phase for owns in run.addresses.values() for own in owns} == {"preferred"}
