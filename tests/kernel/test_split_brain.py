"""keepalived's split brain in user-mode Linux, made and healed, and what hopback says of it.

With HOPBACK_ARTEFACTS set to a folder, what both directors listed in each phase is left there.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from hopback.checks.diagnose import diagnose
from hopback.findings import Report
from hopback.lab.uml.boot import run_python
from hopback.sources.open import open_source
from tests.kernel.directors_rig import MODULES
from tests.kernel.split_brain import PHASES
from tests.kernel.uml import needs_in_uml

ARTEFACTS = "HOPBACK_ARTEFACTS"
RECORDED = Path(__file__).parents[1] / "fixtures" / "directors"


def reported(phase: Path) -> Report:
    """What ``hopback check`` says of both directors' listings."""
    return diagnose(
        [snapshot for role in "ab" for snapshot in open_source(str(phase / role)).snapshots]
    )


def said(report: Report) -> Mapping[str, str]:
    """The checks that found something about the directors, and how bad it is."""
    about = ("ipvs-loop", "ipvs-split-brain")
    return {f.check: f.severity for f in report.findings if f.check in about}


EXPECTED: Mapping[str, Mapping[str, str]] = {
    "before": {"ipvs-loop": "warning"},
    "split": {"ipvs-loop": "error", "ipvs-split-brain": "error"},
    "healed": {"ipvs-loop": "error", "ipvs-split-brain": "warning"},
}
"""Before, it could go round; afterwards the counters and the logs tell that it has."""


@pytest.mark.parametrize("phase", PHASES)
def test_what_was_recorded(phase: str) -> None:
    assert said(reported(RECORDED / phase)) == EXPECTED[phase]


@needs_in_uml("keepalived", "ipvsadm", "iptables-legacy", "tcpdump", "nstat", "sysctl")
@pytest.mark.timeout(300)
def test_made_and_healed(tmp_path: Path) -> None:
    done = run_python(
        "tests.kernel.split_brain", [str(tmp_path)], modules=MODULES, writable=tmp_path, seconds=240
    )
    if os.environ.get(ARTEFACTS):
        shutil.copytree(tmp_path, os.environ[ARTEFACTS], dirs_exist_ok=True)
    assert done.code == 0, (done.output + done.errors).decode()
    assert done.output.decode().splitlines() == [
        "before 2 packets",
        "split 64 packets, time exceeded",
        "healed 2 packets",
    ]
    assert {phase: said(reported(tmp_path / phase)) for phase in PHASES} == EXPECTED
