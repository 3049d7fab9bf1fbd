"""The group: lazy verbs, one boundary for errors, exit codes."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from hopback import __version__
from hopback.cli import check, exits
from hopback.cli.main import main
from tests.cli.conftest import Run
from tests.reconstructions import PASTE


def modules_after(*words: str) -> set[str]:
    """The modules that a command line imports."""
    code = (
        "import sys; from hopback.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def test_help_imports_no_verb() -> None:
    loaded = modules_after("--help")
    assert not {"rich", "msgspec", "hopback.cli.check", "hopback.sources.open"} & loaded


def test_a_paste_pays_neither_for_colour_nor_for_netlink() -> None:
    loaded = modules_after("check", "-j", str(PASTE))
    assert not {"rich", "hopback.sources.live", "hopback.render.terminal"} & loaded


def test_version_and_help(run: Run) -> None:
    assert run("--version").stdout == f"hopback {__version__}\n"
    for words in (["-h"], *([verb, "-h"] for verb in main.verbs)):
        result = run(*words)
        assert result.exit_code == 0
        assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("words", [["frob"], ["check", "--frob"], ["completion", "tcsh"]])
def test_usage_errors(run: Run, words: list[str]) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")


def test_an_internal_error_is_one_line_and_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("no\nsuch luck")

    monkeypatch.setattr(check, "diagnose", fail)  # what must not happen cannot be had otherwise
    result = CliRunner().invoke(main, ["check", str(PASTE)])
    assert (result.exit_code, result.stdout) == (4, "")
    assert (
        "internal error: ZeroDivisionError: no such luck at tests.cli.test_group"
        in (result.stderr.splitlines()[0])
    )
    assert "HOPBACK_DEBUG=1" in result.stderr
    assert "Traceback" not in result.stderr
    monkeypatch.setenv("HOPBACK_DEBUG", "1")
    assert "Traceback" in CliRunner().invoke(main, ["check", str(PASTE)]).stderr


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "diagnose", interrupt)
    result = CliRunner().invoke(main, ["check", str(PASTE)])
    assert result.exit_code == 130
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("codes", "wins"),
    [((), 0), ((0, 1), 1), ((3, 1), 3), ((77, 3), 77), ((77, 2), 2), ((2, 4), 4)],
)
def test_the_worst_code_wins(codes: tuple[int, ...], wins: int) -> None:
    assert exits.worst(codes) == wins
