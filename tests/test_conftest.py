"""When a kernel test is skipped, and when that counts as a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REQUIRED

pytestmark = pytest.mark.kernel()

ROOT = Path(__file__).parents[1]


def outcome(folder: Path, need: str, required: bool) -> str:
    """What pytest says of a test that passes, if only it is run."""
    planted = folder / "test_planted.py"
    planted.write_text(f"import pytest\n\n@pytest.mark.kernel({need!r})\ndef test_it(): pass\n")
    environment = {name: value for name, value in os.environ.items() if name != REQUIRED}
    if required:
        environment[REQUIRED] = "1"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", "pyproject.toml", planted],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize("required", [False, True])
def test_test_with_all_it_needs_runs(tmp_path: Path, required: bool) -> None:
    assert "1 passed" in outcome(tmp_path, "ip", required)


def test_absent_program_is_named_by_the_skip(tmp_path: Path) -> None:
    said = outcome(tmp_path, "no-such-program", required=False)
    assert "1 skipped" in said
    assert "kernel test: not installed: no-such-program" in said


def test_absent_program_is_a_failure_where_the_kernel_tests_are_required(tmp_path: Path) -> None:
    said = outcome(tmp_path, "no-such-program", required=True)
    assert "1 error" in said or "1 failed" in said
    assert "not installed: no-such-program" in said


def test_absent_device_is_a_skip_all_the_same(tmp_path: Path) -> None:
    said = outcome(tmp_path, "/dev/no-such-device", required=True)
    assert "1 skipped" in said
    assert "no access to /dev/no-such-device" in said
