"""VRFs of one router that send a prefix to each other: on a kernel, and in its live tables."""

import json
from typing import Any

import pytest

from hopback.lab.uml.boot import run_python
from tests.kernel.uml import needs_in_uml
from tests.kernel.vrf_rings import IPV4, IPV6, SETUPS

pytestmark = needs_in_uml("sysctl")

QUIET = {"told by": None, "dead loops": 0}


@pytest.fixture(scope="module")
def played() -> dict[tuple[str, int], dict[str, Any]]:
    done = run_python("tests.kernel.vrf_rings", modules=("vrf", "veth", "af_packet"), seconds=100)
    assert done.code == 0, done.errors.decode()
    lines = map(json.loads, done.output.splitlines())
    return {(line["setup"], line["family"]): line for line in lines}


def test_all_were_played(played: dict[tuple[str, int], dict[str, Any]]) -> None:
    assert list(played) == [(setup, family) for setup in SETUPS for family in (4, 6)]


@pytest.mark.parametrize(("family", "names"), [(4, IPV4), (6, IPV6)])
def test_by_each_others_devices_it_is_dropped_at_once(
    played: dict[tuple[str, int], dict[str, Any]], family: int, names: dict[str, str]
) -> None:
    line = played["leaked", family]
    assert line["sent"] == {"told by": None, "dead loops": 1}
    assert line["finding"] == found(names["pool"], None)
    assert (line["verdict"], line["others"]) == ("comes-back", [])
    assert (line["fix"], line["sent after"]) == ("blackhole_route", QUIET)


@pytest.mark.parametrize(("family", "names"), [(4, IPV4), (6, IPV6)])
def test_by_a_veth_each_takes_one_from_the_ttl(
    played: dict[tuple[str, int], dict[str, Any]], family: int, names: dict[str, str]
) -> None:
    """It comes in with ten, and the last one is taken at the end that is in the other VRF."""
    line = played["joined", family]
    assert line["sent"] == {"told by": names["vb"], "dead loops": 0}
    assert line["finding"] == found(names["pool"], 64)
    assert (line["verdict"], line["others"]) == ("comes-back", [])
    assert (line["fix"], line["sent after"]) == ("blackhole_route", QUIET)


def found(prefix: str, frames: int | None) -> dict[str, Any]:
    return {
        "confidence": "certain",
        "subject": prefix,
        "ring": ["VRF red", "VRF blue"],
        "frames": frames,
        "endless": False,
    }
