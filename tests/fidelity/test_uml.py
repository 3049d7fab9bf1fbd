"""The user-mode kernel's share of the comparison: every area that it has."""

import pytest

from hopback.lab.uml.boot import run_python
from tests.fidelity.areas import areas
from tests.kernel.uml import needs_uml

FRAMES = 1_900  # with fewer a mutant may get by

HOST_ALONE = frozenset({"ip", "macvlan", "netfilter", "xtables"})
"""They need br_netfilter with nf_tables, or macvlans of newer kernels."""


@needs_uml
@pytest.mark.timeout(300)
@pytest.mark.parametrize("area", sorted(areas().keys() - HOST_ALONE))
def test_the_user_mode_kernel_agrees(area: str) -> None:
    words = ["--kernel=uml", f"--area={area}", f"--frames={FRAMES}", "--seed=1"]
    done = run_python("tests.fidelity", words, seconds=280)
    assert done.code == 0, (done.output + done.errors).decode()
    assert b" mismatches=0 " in done.output.splitlines()[-1]
