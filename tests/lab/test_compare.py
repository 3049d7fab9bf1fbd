"""The verdict: each way in which a kernel can differ is seen, and none is invented."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from hopback.lab.compare import Result, compare
from hopback.lab.observed import Learned, Observed, SceneSeen, Sight
from hopback.lab.plan import Design, design
from hopback.lab.predict import Expected, Passing
from hopback.lab.scenes import FIXED, HOST_SPEAKS, LIVE, fixed_name, recorded_name
from tests.build import case
from tests.reconstructions import PASTE

TAP, UPLINK = "tap0b5f208b-76", "bond0.2222"

Change = Callable[[SceneSeen], SceneSeen]


@pytest.fixture(scope="module")
def made() -> Design:
    given = case(PASTE.read_text())
    return design(given.model, given.network.stations[0], fix="sticky_entry")


def sights(expected: Expected, hops: tuple[Passing, ...]) -> list[Sight]:
    return [Sight(p.spot, p.way, expected.message, at) for at, p in enumerate(hops)]


def told(name: str, story: tuple[Expected, ...]) -> SceneSeen:
    """A story that went as foretold, up to the first message that is lost."""
    seen: list[Sight] = []
    for expected in story:
        seen += sights(expected, expected.path)
        if not expected.arrives:
            break
    return SceneSeen(name, tuple(seen), (), ())


def obedient(made: Design) -> dict[str, SceneSeen]:
    """What a kernel shows that does all that the model says."""
    singles = [
        SceneSeen(recorded_name(e.message), tuple(sights(e, e.everywhere or ())), (), ())
        for e in (*made.recorded, *made.probes)
    ]
    assert made.fixed is not None
    live = replace(told(LIVE, made.live), after=(entry(made, made.after or ""),))
    spoken = SceneSeen(HOST_SPEAKS, (), (), (), log=("br1: link up", *made.own_address))
    fixed = [
        SceneSeen(fixed_name(e.message), tuple(sights(e, e.everywhere or ())), (), ())
        for e in made.fixed.probes
    ]
    scenes = [*singles, spoken, live, *fixed, told(FIXED, made.fixed.live)]
    return {scene.name: scene for scene in scenes}


def entry(made: Design, device: str) -> Learned:
    return Learned("host", made.segment.name, made.segment.station.mac, device)


def judged(made: Design, name: str = "", change: Change = lambda scene: scene) -> Result:
    scenes = obedient(made)
    if name:
        scenes[name] = change(scenes[name])
    return compare(made, Observed("6.1", tuple(scenes.values())))


def without(spot: str, message: str) -> Change:
    return lambda scene: replace(
        scene, sights=tuple(s for s in scene.sights if (s.spot, s.message) != (spot, message))
    )


def adding(*extra: Sight) -> Change:
    return lambda scene: replace(scene, sights=(*scene.sights, *extra))


def test_obedient_kernel_reproduces_it(made: Design) -> None:
    result = judged(made)
    assert (result.outcome, result.differences) == ("reproduced", ())
    assert result.why == f"the OFFER is lost at {UPLINK}, as the model says"
    assert (result.mended, result.returned) == (True, ())


def test_missing_copy_is_a_difference(made: Design) -> None:
    name = recorded_name("DISCOVER")
    result = judged(made, name, without("tap0e6de0ae-f1", "DISCOVER"))
    assert result.outcome == "not-reproduced"
    assert result.differences == (
        "DISCOVER against the recorded tables: once foretold out of tap0e6de0ae-f1, none seen",
    )


def test_surplus_copy_is_a_difference(made: Design) -> None:
    surplus = Sight(TAP, "out", "DISCOVER", 99)
    result = judged(made, recorded_name("DISCOVER"), adding(surplus))
    assert result.differences == (
        f"DISCOVER against the recorded tables: none foretold out of {TAP}, once seen",
    )


def test_probe_that_comes_back_unforetold_is_a_difference(made: Design) -> None:
    result = judged(made, recorded_name("ARP"), adding(Sight("the guest", "in", "ARP", 99)))
    assert result.returned == ("ARP",)
    assert result.outcome == "not-reproduced"


def test_what_the_guest_itself_sends_is_no_hop(made: Design) -> None:
    sent = Sight("the guest", "out", "DISCOVER", 0)
    assert judged(made, recorded_name("DISCOVER"), adding(sent)).differences == ()


def test_reply_that_arrives_after_all_is_a_difference(made: Design) -> None:
    arrives = adding(Sight(TAP, "out", "OFFER", 98), Sight("the guest", "in", "OFFER", 99))
    result = judged(made, LIVE, arrives)
    assert result.differences == (
        f"live: the OFFER should be lost at {UPLINK}, and arrives",
        *result.differences[1:],
    )
    assert result.outcome == "not-reproduced"


def test_remedy_that_fails_is_a_difference_and_does_not_mend(made: Design) -> None:
    result = judged(made, FIXED, without("the guest", "OFFER"))
    assert result.mended is False
    assert result.differences[0] == f"fixed: the OFFER should arrive, and is lost at {TAP}"


def test_hop_out_of_order_is_a_difference(made: Design) -> None:
    def turned(scene: SceneSeen) -> SceneSeen:
        return replace(scene, sights=tuple(reversed(scene.sights)))

    assert judged(made, FIXED, turned).differences


def test_entry_on_another_port_is_a_difference(made: Design) -> None:
    result = judged(made, LIVE, lambda s: replace(s, after=(entry(made, TAP),)))
    assert result.differences == (
        f"after the story the guest should be on {UPLINK}, and is on {TAP}",
    )


def test_message_that_the_model_does_not_foretell_is_a_difference(made: Design) -> None:
    own = f"{made.segment.name}: received packet on {UPLINK} with own address as source address"
    others = f"br9: received packet on {UPLINK} with own address as source address"
    result = judged(made, HOST_SPEAKS, lambda s: replace(s, log=(others, own, own)))
    assert result.differences == (f"the kernel should log nothing, and logs {own!r}",)


def test_log_that_nobody_read_is_no_difference(made: Design) -> None:
    result = judged(made, HOST_SPEAKS, lambda s: replace(s, log=None))
    assert result.differences == ()
    assert [c.seen for c in result.left] == [(UPLINK,), None]


def test_deaf_observer_outranks_everything(made: Design) -> None:
    result = judged(made, LIVE, lambda s: replace(s, deaf=(UPLINK,), sights=()))
    assert (result.outcome, result.deaf) == ("deaf", (UPLINK,))


def test_frames_that_were_dropped_prove_no_loss(made: Design) -> None:
    assert judged(made, LIVE, lambda s: replace(s, lost=3)).outcome == "deaf"


def test_scene_that_was_not_played_is_no_success(made: Design) -> None:
    scenes = obedient(made)
    del scenes[LIVE]
    result = compare(made, Observed("6.1", tuple(scenes.values())))
    assert result.outcome == "not-reproduced"
