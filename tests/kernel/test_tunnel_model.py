"""Tunnels against a kernel that has them, packet for packet."""

from random import Random

import pytest

from tests.fidelity.areas.tunnel import AREA
from tests.fidelity.report import told
from tests.fidelity.run import run
from tests.kernel.tap import TUN

pytestmark = [
    pytest.mark.kernel(TUN),
    pytest.mark.skipif(AREA.refusal() is not None, reason=str(AREA.refusal())),
]

CASES = 200


def test_random_tunnels_agree_and_every_mutant_is_caught() -> None:
    tally = run(AREA, Random(1), lambda tally: tally.cases >= CASES)
    assert tally.first is None, told(AREA.name, tally.first, 1)
    assert tally.caught >= AREA.rules
