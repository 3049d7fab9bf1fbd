"""Runs the command line in this process."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from hopback.cli.main import main

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    """``run("check", "-j", PASTE)``; faults of the program itself are raised, not swallowed."""

    def invoke(*words: object, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(
            main, [str(w) for w in words], input=stdin, prog_name="hopback", catch_exceptions=False
        )

    return invoke
