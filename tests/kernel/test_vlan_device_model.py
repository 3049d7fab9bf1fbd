"""VLAN devices on a bridge port against the running kernel: a share of ``make fidelity``."""

from random import Random

import pytest

from hopback.frames.mac import BROADCAST, Mac, mac_to_bytes
from tests.fidelity.areas.vlan_device import AREA, VlanDeviceCase
from tests.fidelity.report import told
from tests.fidelity.run import assert_agree, run
from tests.kernel.bridge_rig import TEST_ETHERTYPE, port_mac
from tests.kernel.tap import TUN

pytestmark = [
    pytest.mark.kernel(TUN),
    pytest.mark.skipif(AREA.refusal() is not None, reason=str(AREA.refusal())),
]

CASES = 300
ANN = Mac(0x0200_0000_0100)
VLAN_7 = bytes.fromhex("81000007")


def frame(target: Mac) -> bytes:
    head = mac_to_bytes(target) + mac_to_bytes(ANN) + VLAN_7
    return head + TEST_ETHERTYPE.to_bytes(2, "big") + bytes(46)


def test_random_frames_agree_and_every_mutant_is_caught() -> None:
    tally = run(AREA, Random(1), lambda tally: tally.cases >= CASES)
    assert tally.first is None, told(AREA.name, tally.first, 1)
    assert tally.caught == AREA.rules


@pytest.mark.parametrize("target", [BROADCAST, port_mac(0)], ids=["group", "the-port-below"])
def test_the_bridge_does_not_see_what_a_vlan_device_of_its_port_takes(target: Mac) -> None:
    assert_agree(AREA, VlanDeviceCase((("lp0", frame(target)), ("lp1", frame(target)))))
