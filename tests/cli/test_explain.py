"""``hopback explain``: a page for each check."""

import pytest

from hopback.checks.policy import POLICY
from tests.cli.conftest import Run


def test_the_list_has_every_check(run: Run) -> None:
    lines = run("explain").stdout.splitlines()
    assert {line.split()[0] for line in lines if not line.startswith(" ")} == set(POLICY)


@pytest.mark.parametrize("check", POLICY)
def test_every_check_is_explained(run: Run, check: str) -> None:
    result = run("explain", check)
    assert result.exit_code == 0
    assert check in result.stdout


def test_a_misspelt_check_is_recognised(run: Run) -> None:
    result = run("explain", "fdb-misplace")
    assert result.exit_code == 2
    assert "did you mean fdb-misplaced" in result.stderr
