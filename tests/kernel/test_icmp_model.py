"""What a router tells by ICMP against the running kernel, byte for byte."""

from random import Random

import pytest

from tests.fidelity.areas.icmp import AREA
from tests.fidelity.report import told
from tests.fidelity.run import run
from tests.kernel.tap import TUN

pytestmark = [
    pytest.mark.kernel(TUN),
    pytest.mark.skipif(AREA.refusal() is not None, reason=str(AREA.refusal())),
]

CASES = 30


def test_random_packets_agree_and_every_mutant_is_caught() -> None:
    tally = run(AREA, Random(1), lambda tally: tally.cases >= CASES)
    assert tally.first is None, told(AREA.name, tally.first, 1)
    assert tally.caught == AREA.rules
