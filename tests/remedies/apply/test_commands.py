"""Commands as they are shown are run to the letter, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopback.remedies.apply import commands
from hopback.remedies.apply.commands import Unfit, argv_of

WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]) | st.sampled_from(":.-_@/ {}"))


@given(st.lists(WORDS, max_size=6))
def test_words_stay_what_they_are(words: list[str]) -> None:
    quoted = " ".join(["bridge", *(f"'{word}'" for word in words)])
    assert argv_of(quoted) == ["bridge", *words]


@pytest.mark.parametrize(
    "line",
    [
        "bridge fdb show > /tmp/x",
        "ip link; ip addr",
        "ip link && ip addr",
        "nft -f $FILE",
        "nft -f - < file",
        "ip link show `hostname`",
        "bridge link show | head",
        "bridge 'fdb",
        "",
        "rm -rf x",
        "/tmp/bridge fdb show",
        "ip netns exec red rm x",
    ],
)
def test_what_needs_a_shell_or_another_program_is_not_run(line: str) -> None:
    with pytest.raises(Unfit):
        argv_of(line)
    assert commands.run(line).code == 127


def test_an_nft_block_is_one_word() -> None:
    line = "nft add chain bridge t c '{ type filter hook output priority 0; }'"
    assert argv_of(line)[-1] == "{ type filter hook output priority 0; }"


def test_a_program_that_is_not_there_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands, "PATH", "/nowhere")
    with pytest.raises(Unfit, match="nft is not installed: apt-get install nftables") as told:
        commands.check(("nft list ruleset",))
    assert not told.value.denied


def test_what_outlasts_a_reboot_is_not_applied() -> None:
    with pytest.raises(Unfit, match="a reboot would not undo it"):
        commands.check(("virsh update-device web1 nic.xml --live --config",))


def test_what_a_command_said_is_kept_within_reason() -> None:
    outcome = commands.run("ip help")
    assert outcome.code != 0
    assert outcome.output.startswith("Usage: ip")
    assert len(outcome.output) <= 4096


def test_the_path_is_fixed(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commands.run("ip -V").code == 0
