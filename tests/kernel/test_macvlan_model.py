"""macvlans against the running kernel, frame for frame: a share of ``make fidelity``."""

from random import Random

import pytest

from hopback.frames.mac import BROADCAST, Mac, format_mac, mac_to_bytes, parse_mac
from hopback.lab.netns.observer import Observer, PacketType, Seen
from tests.fidelity.areas.macvlan import AREA, MacvlanCase
from tests.fidelity.run import assert_agree, run
from tests.kernel.bridge_rig import TEST_ETHERTYPE
from tests.kernel.macvlan_rig import (
    LOWER,
    LOWER_MAC,
    ChildConfig,
    KernelMacvlans,
    child_mac,
    child_name,
)
from tests.kernel.rig import Rig, wait_until
from tests.kernel.tap import TUN

pytestmark = [
    pytest.mark.kernel(TUN),
    pytest.mark.skipif(AREA.refusal() is not None, reason=str(AREA.refusal())),
]

CASES = 500
STRANGER = parse_mac("02:00:00:00:03:01")


def frame(source: Mac, target: Mac) -> bytes:
    ethertype = TEST_ETHERTYPE.to_bytes(2, "big")
    return mac_to_bytes(target) + mac_to_bytes(source) + ethertype + bytes(46)


def test_random_children_agree_and_every_mutant_is_caught() -> None:
    tally = run(AREA, Random(1), lambda tally: tally.cases >= CASES)
    assert tally.mismatches == 0, "make fidelity AREA=macvlan SEED=1 shows the smallest case"
    assert tally.caught == AREA.rules


@pytest.mark.parametrize(
    ("mode", "heard"),
    [
        ("private", {child_name(0)}),
        ("vepa", {LOWER, child_name(1)}),
        ("bridge", {LOWER}),
    ],
)
def test_own_broadcast_that_comes_back(mode: str, heard: set[str]) -> None:
    children = [ChildConfig(mode), ChildConfig("bridge")]
    with KernelMacvlans(children) as rig:
        assert set(rig.play([(None, frame(child_mac(0), BROADCAST))]).local) == heard


def test_a_child_in_passthru_has_the_lower_device_s_address() -> None:
    """So a frame from that address is the child's own, and comes back to it alone."""
    children = (ChildConfig("passthru"),)
    for sender in (LOWER_MAC, child_mac(0)):
        assert_agree(AREA, MacvlanCase(children, ((None, frame(sender, BROADCAST)),)))


def test_a_socket_below_is_shown_what_goes_to_a_child() -> None:
    """The kernel asks the sockets of the device that a frame came in by, whoever took it.

    They name the child as its device: without that, the lower device would seem to take it too.
    """
    with KernelMacvlans([ChildConfig()]) as rig:
        heard = rig.play([(None, frame(STRANGER, child_mac(0)))])
    assert set(heard.local) == {child_name(0)}
    assert [seen.type for seen in heard.local[child_name(0)]] == [PacketType.HOST]


def test_children_make_a_bridge_promiscuous() -> None:
    """The bridge does not know a child's address, yet the child gets what is flooded for it."""
    with Rig() as rig:
        space = rig.namespace("host")
        rig.ip(
            "host",
            "link add lmb type bridge mcast_snooping 0 forward_delay 0",
            "link add lmp type veth peer name lmw",
            "link set lmp master lmb",
            *(f"link set {name} up" for name in ("lmp", "lmw", "lmb")),
            f"link add lmc address {format_mac(child_mac(0))} link lmb type macvlan mode bridge",
            "link set lmc up",
        )
        rig.wait_for_forwarding("host")
        wire = Observer(space, "lmw")
        child = Observer(space, "lmc", outgoing=False, protocol=TEST_ETHERTYPE)
        try:
            wire.send(frame(STRANGER, child_mac(1)))
            wire.send(frame(STRANGER, child_mac(0)))
            heard: list[Seen] = []

            def has_heard() -> bool:
                heard.extend(child.take())
                return bool(heard)

            wait_until(has_heard, "the child's frame")
        finally:
            wire.close()
            child.close()
    assert heard == [Seen(PacketType.HOST, frame(STRANGER, child_mac(0)))]
