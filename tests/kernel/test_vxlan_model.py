"""VXLAN against the running kernel, frame for frame: a share of ``make fidelity``."""

import time
from random import Random

import pytest

from hopback.frames.mac import BROADCAST, ZERO, Mac, mac_to_bytes
from hopback.lab.netns.observer import PacketType
from tests.fidelity.areas.vxlan import AREA, VxlanCase
from tests.fidelity.run import assert_agree, run
from tests.kernel.bridge_rig import TEST_ETHERTYPE
from tests.kernel.vxlan_rig import (
    ADDRESSES,
    DEAF_VNI,
    LEARNING_VNI,
    Destination,
    EntryConfig,
    KernelVxlans,
    device_name,
)

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(AREA.refusal() is not None, reason=str(AREA.refusal())),
]

CASES = 200
ANNA, BERT = Mac(0x0200_0000_0501), Mac(0x0200_0000_0502)
OWN, OWN_TOO = ADDRESSES["a"]


def broadcast(source: Mac) -> bytes:
    ethertype = TEST_ETHERTYPE.to_bytes(2, "big")
    return mac_to_bytes(BROADCAST) + mac_to_bytes(source) + ethertype + bytes(46)


def flooding(*addresses: str) -> EntryConfig:
    return EntryConfig("a", LEARNING_VNI, ZERO, tuple(map(Destination, addresses)))


def test_random_tables_agree_and_every_mutant_is_caught() -> None:
    tally = run(AREA, Random(1), lambda tally: tally.cases >= CASES)
    assert tally.mismatches == 0, "make fidelity AREA=vxlan SEED=1 shows the smallest case"
    assert tally.caught == AREA.rules


@pytest.mark.parametrize("own", [OWN, OWN_TOO])
def test_own_endpoint_returns_the_frame_and_is_learned(own: str) -> None:
    with KernelVxlans() as rig:
        rig.configure([flooding(own)])
        reached = rig.play([("a", LEARNING_VNI, broadcast(ANNA))])
    (seen,) = reached.local[device_name("a", LEARNING_VNI)]
    assert seen.type is PacketType.HOST, "a frame that was not encapsulated, whatever it is for"
    assert [row.dst for row in reached.table if row.mac == ANNA] == ["127.0.0.1"]


def test_an_entry_that_moves_keeps_its_vni() -> None:
    entry = EntryConfig("a", LEARNING_VNI, ANNA, (Destination(OWN_TOO, DEAF_VNI),), permanent=False)
    case = VxlanCase((flooding(OWN), entry), (("a", LEARNING_VNI, broadcast(ANNA)),))
    assert_agree(AREA, case)


def test_an_entry_that_moves_goes_on_by_its_old_route() -> None:
    """Away from the host itself, yet the frame still comes back: the route was remembered.

    What is remembered is in no table, so the model has the frame go where the table says.
    """
    anna = EntryConfig("a", LEARNING_VNI, ANNA, (Destination(OWN),), permanent=False)
    back = EntryConfig("b", LEARNING_VNI, ZERO, (Destination(OWN),))
    to_anna = mac_to_bytes(ANNA) + broadcast(BERT)[6:]
    frames = [
        ("a", LEARNING_VNI, to_anna),
        ("b", LEARNING_VNI, broadcast(ANNA)),
        ("a", LEARNING_VNI, to_anna),
    ]
    with KernelVxlans() as rig:
        for forget, copies in ((True, 1), (False, 2)):
            rig.configure([anna, back])
            time.sleep(0.05)  # nothing is remembered in the clock tick in which the entry was made
            reached = rig.play(frames, forget_routes=forget)
            mine = reached.local[device_name("a", LEARNING_VNI)]
            assert sum(seen.frame == to_anna for seen in mine) == copies
            moved = [row.dst for row in reached.table if row.mac == ANNA]
            assert moved[0] == ADDRESSES["b"][0]


def test_two_own_addresses_are_two_copies() -> None:
    case = VxlanCase((flooding(OWN, OWN_TOO),), (("a", LEARNING_VNI, broadcast(ANNA)),))
    assert_agree(AREA, case)
