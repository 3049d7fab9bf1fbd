"""The installed program as a shell runs it: pipes, terminals, completion."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reconstructions import PASTE

HOPBACK = Path(sys.executable).with_name("hopback")

pytestmark = pytest.mark.skipif(not HOPBACK.exists(), reason="hopback is not installed")


def shell(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script, "bash", HOPBACK, PASTE],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def on_terminal(*words: str | Path, **environment: str) -> str:
    """What the program writes to a terminal."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.Popen(
            [HOPBACK, *words],
            stdout=theirs,
            stderr=subprocess.STDOUT,
            env={k: v for k, v in os.environ.items() if k != "NO_COLOR"}
            | {"TERM": "xterm"}
            | environment,
        )
        os.close(theirs)
        written = b""
        while chunk := _read(ours):
            written += chunk
        done.wait(60)
    finally:
        os.close(ours)
    return written.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how a terminal tells that its other side has gone
        return b""


def test_exit_code_and_streams() -> None:
    done = shell('"$1" check "$2"')
    assert done.returncode == 1
    assert done.stdout.startswith("COMES BACK")
    assert done.stderr == ""


@pytest.mark.parametrize("verb", ['check "$2"', 'check -j "$2"', "collect --script"])
def test_a_reader_that_goes_is_no_error(verb: str) -> None:
    done = shell(f'"$1" {verb} | head -c 1 >/dev/null; echo "${{PIPESTATUS[0]}}"')
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "1")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_is_as_good_as_null(closed: str) -> None:
    done = shell(f'"$1" check "$2" "$2.absent" {closed}')
    assert done.returncode == 3


def test_an_interrupt_is_quiet(tmp_path: Path) -> None:
    fifo = tmp_path / "slow"
    os.mkfifo(fifo)
    done = subprocess.Popen([HOPBACK, "check", fifo], stderr=subprocess.PIPE, text=True)
    with fifo.open("wb"):  # opens when hopback has begun to read
        done.send_signal(signal.SIGINT)
        _, said = done.communicate(timeout=60)
    assert (done.returncode, said.strip()) == (130, "")


def test_names_that_are_not_utf8() -> None:
    done = shell('"$1" check -j "$2" "$(printf "/absent/\\377")"')
    assert done.returncode == 3
    assert json.loads(done.stdout)["problems"][0]["source"] == "/absent/?"


def test_an_output_that_is_full_is_an_error() -> None:
    done = shell('"$1" check "$2" >/dev/full')
    assert done.returncode == 4
    assert "No space left" in done.stderr
    assert "fault of hopback" not in done.stderr


def test_colour_is_for_terminals() -> None:
    assert "\x1b[" in on_terminal("check", PASTE)
    assert "\x1b[" not in on_terminal("check", PASTE, NO_COLOR="1")
    assert "\x1b[" not in on_terminal("check", PASTE, TERM="dumb")
    assert "\x1b[" not in on_terminal("check", PASTE, "--color", "never")
    assert "\x1b[" not in shell('"$1" check "$2"').stdout
    assert "\x1b[" in shell('"$1" check --color always "$2"', TERM="dumb").stdout


def test_colour_changes_no_text() -> None:
    plain = shell('"$1" check "$2"').stdout
    coloured = shell('"$1" check --color always "$2" | sed "s/\\x1b\\[[0-9;]*m//g"').stdout
    assert [line.rstrip() for line in coloured.splitlines()] == plain.splitlines()


def test_an_output_that_is_not_utf8() -> None:
    done = shell('"$1" trace "$2" --to tap0b5f208b-76 --dhcp', PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert done.stdout.isascii()


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_scripts(name: str) -> None:
    done = shell(f'"$1" completion {name}')
    assert done.returncode == 0
    assert "_HOPBACK_COMPLETE" in done.stdout


def test_bash_completes_verbs() -> None:
    done = shell('"$1"', _HOPBACK_COMPLETE="bash_complete", COMP_WORDS="hopback tr", COMP_CWORD="1")
    assert done.stdout.split() == ["plain,trace"]
    script = shell('"$1" completion bash > /dev/null && bash -n <("$1" completion bash)')
    assert (script.returncode, script.stderr) == (0, "")


def test_a_snapshot_does_not_go_to_a_terminal() -> None:
    assert "file or a pipe" in on_terminal("collect", "-o", "-")
