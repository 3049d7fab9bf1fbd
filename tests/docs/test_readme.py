"""README shows what the program prints."""

import re

import pytest

from docs.generate import README, run_session, with_sessions

SESSION = re.compile(r"^```console\n\$ (hopback .*)\n", re.MULTILINE)
COMMANDS = SESSION.findall(README.read_text())


def test_readme_has_sessions() -> None:
    assert [command.split()[1] for command in COMMANDS] == ["check", "trace"]


@pytest.mark.parametrize("command", COMMANDS)
def test_session_is_current(command: str) -> None:
    shown = README.read_text().split(f"```console\n$ {command}\n")[1].split("```\n")[0]
    assert shown == run_session(command), "README is out of date: run `make docs`"


def test_sessions_are_replaced_and_nothing_else() -> None:
    text = (
        "a\n```console\n$ hopback x y\nold\n```\n```sh\nhopback z\n```\n```console\n$ ls\nb\n```\n"
    )
    assert with_sessions(text, lambda command: f"<{command}>\n") == text.replace(
        "old\n", "<hopback x y>\n"
    )
