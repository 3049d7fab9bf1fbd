"""The model of stations against the running kernel: a share of ``make fidelity``."""

from random import Random

import pytest

from tests.fidelity.areas.dad import AREA
from tests.fidelity.areas.dad_cells import DadCase
from tests.fidelity.report import told
from tests.fidelity.run import assert_agree, run
from tests.kernel.dad_config import Heard, StationConfig
from tests.kernel.tap import TUN

pytestmark = [
    pytest.mark.kernel(TUN),
    pytest.mark.skipif(AREA.refusal() is not None, reason=str(AREA.refusal())),
]

ROUTER = Heard("ra", src="fe80::fe", prefix="2001:db8:1::")
CASES = len(AREA.enumerated) + 20


def test_every_cell_agrees_and_every_mutant_is_caught() -> None:
    tally = run(AREA, Random(1), lambda tally: tally.cases >= CASES)
    assert tally.first is None, told(AREA.name, tally.first, 1)
    assert tally.caught == AREA.rules


def test_a_stable_address_that_failed_is_formed_again_at_the_next_advertisement() -> None:
    station = StationConfig(mode=3, heard=(ROUTER, Heard(), ROUTER))
    assert_agree(AREA, DadCase(stations=(station,)))


def test_of_two_addresses_the_one_added_last_answers_for_another() -> None:
    station = StationConfig(
        settings=(("accept_dad", 0), ("accept_ra", 2), ("forwarding", 1), ("proxy_ndp", 1)),
        given="2001:db8::1",
        proxied=("fe80::77",),
        heard=(Heard("ra", src="fe80::fe"), Heard(target="fe80::77")),
    )
    assert_agree(AREA, DadCase(stations=(station,)))
