"""``hopback collect``: a file that check reads anywhere."""

import shutil
import subprocess
from pathlib import Path

import pytest

from hopback.snapshot.codec import load
from tests.cli.conftest import Run


def test_the_file_is_whole_private_and_read_again(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "here.hopback"
    path.write_text("old")
    result = run("collect", "-o", path)
    assert (result.exit_code, result.stdout) == (0, "")
    assert str(path) in result.stderr
    (snapshot,) = load(path.read_bytes())
    assert any(link.name == "lo" for link in snapshot.links.rows)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o077 == 0
    assert run("check", "-j", path).exit_code in (0, 1)


def test_a_pipe_gets_the_same(run: Run) -> None:
    assert len(load(run("collect", "-o", "-").stdout_bytes)) == 1


@pytest.mark.parametrize("words", [[], ["--script", "-o", "x"], ["--script", "--netns", "blue"]])
def test_usage(run: Run, words: list[str]) -> None:
    assert run("collect", *words).exit_code == 2


def test_where_it_cannot_be_written(run: Run, tmp_path: Path) -> None:
    result = run("collect", "-o", tmp_path / "absent" / "file")
    assert result.exit_code == 2
    assert "No such file or directory" in result.stderr


def test_the_script_is_a_script(run: Run) -> None:
    script = run("collect", "--script").stdout
    shells = [name for name in ("dash", "bash") if shutil.which(name)] or ["sh"]
    for name in shells:
        subprocess.run([name, "-n"], input=script, text=True, check=True)
