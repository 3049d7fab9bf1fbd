"""``hopback check``: what it prints, and the code it ends with."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from hopback.cli.output import WIDTH
from hopback.render.json_v1 import CheckV1
from tests.cli.conftest import Run
from tests.reconstructions import PASTE, RECONSTRUCTIONS, RING, healthy_ring

MAC = "fa:16:3e:56:ea:fa"


def document(stdout: str) -> CheckV1:
    """Exactly one document, with no field that version 1 does not have."""
    decoded = msgspec.json.decode(stdout, type=CheckV1)
    assert msgspec.json.decode(msgspec.json.encode(decoded)) == msgspec.json.decode(stdout)
    return decoded


def test_the_sentence_comes_first(run: Run) -> None:
    result = run("check", PASTE)
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert lines[0].split() == ["COMES", "BACK", "cmp12"]
    assert lines[1].startswith("What leaves brq5dddda71-76 by bond0.2222 comes in again")
    assert "\x1b" not in result.stdout


def test_symptoms_stand_under_their_cause(run: Run) -> None:
    lines = run("check", PASTE).stdout.splitlines()
    indents = {
        name: len(line) - len(line.lstrip())
        for line in lines
        for name in ("uplink-echo", "fdb-misplaced", "own-source")
        if line.lstrip().startswith(f"{name}: ")
    }
    assert indents["uplink-echo"] < indents["fdb-misplaced"] == indents["own-source"]


@pytest.mark.parametrize("source", RECONSTRUCTIONS, ids=lambda p: p.stem)
def test_fits_eighty_columns(run: Run, source: Path) -> None:
    lines = run("check", source).stdout.splitlines()
    assert lines
    wide = [line for line in lines if len(line) > WIDTH]
    assert [line for line in wide if not line.lstrip().startswith("$ ")] == []


def test_json_is_one_document_of_version_one(run: Run) -> None:
    result = run("check", "-j", PASTE)
    report = document(result.stdout)
    assert (result.exit_code, report.verdict, report.hosts) == (1, "comes-back", ("cmp12",))
    (misplaced,) = (f for f in report.findings if f.check == "fdb-misplaced")
    assert misplaced.subject == MAC
    assert misplaced.details["actual_port"] == "bond0.2222"
    assert misplaced.details["expected_port"] == "tap0b5f208b-76"


def test_every_cited_line_stands_in_the_paste(run: Run) -> None:
    paste = PASTE.read_text().splitlines()
    report = document(run("check", "-j", PASTE).stdout)
    cited = [b for f in report.findings for b in f.because]
    assert cited
    for row in cited:
        assert row.text
        assert paste[row.line - 1].endswith(row.text)
        assert row.host == "cmp12"


def test_whole_healthy_tables_are_clear(run: Run) -> None:
    result = run("check", "-", stdin=healthy_ring())
    assert (result.exit_code, result.stdout.split()[0]) == (0, "CLEAR")
    assert document(run("check", "-j", "-", stdin=healthy_ring()).stdout).verdict == "clear"


def test_fail_on_never(run: Run) -> None:
    assert run("check", PASTE, "--fail-on", "never").exit_code == 0
    assert run("check", PASTE, "--fail-on", "error").exit_code == 1


def test_several_sources_are_several_hosts(run: Run) -> None:
    assert document(run("check", "-j", PASTE, RING, PASTE).stdout).hosts == (
        "cmp12",
        "kvm1",
        "cmp12#2",
    )


def test_what_cannot_be_read_is_said_and_the_rest_used(run: Run, tmp_path: Path) -> None:
    result = run("check", "-j", tmp_path / "absent", PASTE)
    report = document(result.stdout)
    assert (result.exit_code, report.verdict) == (3, "comes-back")
    assert "absent: No such file or directory" in result.stderr
    assert report.problems[0].message == "No such file or directory"


def test_nothing_readable_prints_no_report(run: Run, tmp_path: Path) -> None:
    result = run("check", tmp_path / "absent")
    assert (result.exit_code, result.stdout) == (3, "")
    assert document(run("check", "-j", tmp_path / "absent").stdout).verdict == "undecided"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ip-j-link.json", b'[{"ifname": "br0", "link'),
        ("noise.bin", bytes(range(256)) * 8),
    ],
)
def test_what_is_not_understood_at_all_counts_as_unread(
    run: Run, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    result = run("check", tmp_path / name)
    assert result.exit_code == 3
    assert result.stderr.startswith(f"hopback: {name}")


def test_an_input_cannot_drive_the_terminal(run: Run) -> None:
    evil = PASTE.read_text().replace("8.17", "8.17\x1b]0;owned\x07\x1b[2J")
    result = run("check", "-", stdin=evil)
    assert "\x1b" not in result.output
    assert "\x07" not in result.output


def test_an_empty_name_is_no_directory(run: Run) -> None:
    assert run("check", "").exit_code == 2


def test_netns_goes_with_live_only(run: Run) -> None:
    result = run("check", PASTE, "--netns", "blue")
    assert result.exit_code == 2
    assert "live" in result.stderr


UNPRIVILEGED = """
import os, sys
from hopback.cli.main import main

def code(path):
    try:
        main(["check", path])
    except SystemExit as end:
        return end.code

code(sys.argv[1])  # all modules are imported while they can be read
print("---")
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
sys.exit(code(sys.argv[2]))
"""


def test_without_privilege_seventy_seven(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_bytes(PASTE.read_bytes())
    secret.chmod(0)
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, PASTE, secret],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 77
    assert done.stdout.rpartition("---\n")[2] == ""
    assert "Permission denied" in done.stderr
