"""A case is printed as the Python that makes it."""

from random import Random

import pytest

from hopback.frames.mac import Mac
from tests.fidelity.areas.bridge_cases import BridgeCase, random_case, smaller_case
from tests.fidelity.source import source
from tests.kernel.bridge_rig import PortConfig, Settings, StaticEntry

NAMES = {kind.__name__: kind for kind in (BridgeCase, Mac, PortConfig, Settings, StaticEntry)}


@pytest.mark.parametrize("seed", range(20))
def test_what_is_printed_makes_the_case(seed: int) -> None:
    case = random_case(Random(seed))
    assert eval(source(case), dict(NAMES)) == case


@pytest.mark.parametrize("seed", range(5))
def test_smaller_cases_are_cases_too(seed: int) -> None:
    case = random_case(Random(seed))
    for smaller in smaller_case(case):
        assert smaller != case
        ports = range(len(smaller.ports))
        assert all(at is None or at in ports for at, _ in smaller.frames)
        assert all(entry.port in ports for entry in smaller.entries)


def test_defaults_are_left_out() -> None:
    assert source(PortConfig()) == "PortConfig()"
    assert source((PortConfig(hairpin=True),)) == "(PortConfig(hairpin=True),)"
    assert source((1, b"\x01\xff")) == '(1, bytes.fromhex("01ff"))'
    assert source(StaticEntry(Mac(0x0200_0000_0101), 1, local=True)) == (
        "StaticEntry(mac=Mac(0x020000000101), port=1, local=True)"
    )
