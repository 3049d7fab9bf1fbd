"""The user-mode kernel's share of the comparison: every area that it has."""

import pytest

from hopback.lab.uml.boot import run_python
from tests.kernel.uml import needs_uml

FRAMES = 32_000


@needs_uml
@pytest.mark.timeout(600)
def test_the_user_mode_kernel_agrees() -> None:
    words = ["--kernel=uml", "--area=all", f"--frames={FRAMES}", "--seed=1"]
    done = run_python("tests.fidelity", words, seconds=570)
    assert done.code == 0, (done.output + done.errors).decode()
    assert b" mismatches=0 " in done.output.splitlines()[-1]
