"""What the areas have to offer, all together."""

import os
import subprocess
import sys

import pytest

from hopback.datapath.kernel import CURRENT, behaviour_of
from hopback.datapath.rules import RULES
from tests.fidelity.areas import areas

NO_FRAMES = ("assumed", "time", "underlay", "vrf", "wireguard")
"""What no frame asks a kernel about: time, the underlay and VRFs within each other are in
tests/kernel (test_time.py, test_tunnel_routes.py, test_vrf_rings.py), and no kernel at hand has
WireGuard."""


@pytest.mark.skipif(
    behaviour_of(os.uname().release) != CURRENT, reason="the kernel lacks what some rule is about"
)
def test_every_rule_is_compared_with_a_kernel() -> None:
    """A rule that decides and that no area answers for would be a rule without a mutant."""
    compared = {rule for area in areas().values() for rule in area.rules}
    assert compared == {name for name, rule in RULES.items() if rule.area not in NO_FRAMES}


def test_a_seed_gives_the_same_cases_in_every_process() -> None:
    """Else a mismatch could not be seen again: sets of text have another order in each process."""
    one, other = (_cases(hash_seed) for hash_seed in ("1", "2"))
    assert set(one) == {name for name, area in areas().items() if not area.refusal()}
    assert one == other


def _cases(hash_seed: str) -> dict[str, str]:
    """A digest of random cases by area, from a process of its own."""
    script = (
        "from hashlib import sha256; from random import Random\n"
        "from tests.fidelity.areas import areas\n"
        "for name, area in areas().items():\n"
        "    if area.refusal():\n"
        "        continue  # to make a case may need the kernel already\n"
        "    cases = [area.generate(Random(seed)) for seed in range(20)]\n"
        "    print(name, sha256(repr(cases).encode()).hexdigest())\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    told = subprocess.check_output([sys.executable, "-c", script], env=environment, text=True)
    return dict(line.split() for line in told.splitlines())
