"""Packet filters on a bridge against the running kernel, frame for frame."""

from random import Random

import pytest

from tests.fidelity.areas.filter import AREA
from tests.fidelity.report import told
from tests.fidelity.run import run
from tests.kernel.tap import TUN

pytestmark = [
    pytest.mark.kernel(TUN),
    pytest.mark.skipif(AREA.refusal() is not None, reason=str(AREA.refusal())),
]

CASES = 150


def test_random_filters_agree_and_every_mutant_is_caught() -> None:
    tally = run(AREA, Random(1), lambda tally: tally.cases >= CASES)
    assert tally.first is None, told(AREA.name, tally.first, 1)
    assert tally.caught == AREA.rules
