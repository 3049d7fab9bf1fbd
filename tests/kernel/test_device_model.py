"""veth pairs against the running kernel, frame for frame: a share of ``make fidelity``."""

from random import Random

import pytest

from hopback.frames.mac import BROADCAST, mac_to_bytes
from tests.fidelity.areas.device import AREA, VethCase
from tests.fidelity.report import told
from tests.fidelity.run import assert_agree, run
from tests.kernel.bridge_rig import TEST_ETHERTYPE
from tests.kernel.veth_rig import EndConfig, end_mac

pytestmark = pytest.mark.kernel

CASES = 1000


def test_random_pairs_agree_and_every_mutant_is_caught() -> None:
    tally = run(AREA, Random(1), lambda tally: tally.cases >= CASES)
    assert tally.first is None, told(AREA.name, tally.first, 1)
    assert tally.caught == AREA.rules


def test_the_largest_frame_that_the_far_end_takes() -> None:
    head = mac_to_bytes(BROADCAST) + mac_to_bytes(end_mac(0)) + TEST_ETHERTYPE.to_bytes(2, "big")
    frames = tuple((0, head + bytes(size)) for size in (200, 204, 205, 1500))
    assert_agree(AREA, VethCase((EndConfig(), EndConfig(200)), frames))
