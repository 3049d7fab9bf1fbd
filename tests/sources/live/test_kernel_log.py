"""/dev/kmsg, in the form in which dmesg prints it."""

import re
import subprocess
from pathlib import Path

import pytest

from hopback.snapshot.model import Builder
from hopback.sources.live import kernel_log
from hopback.sources.live.reading import Reading

pytestmark = pytest.mark.kernel


def lines() -> list[str]:
    try:
        return kernel_log.records()
    except OSError as error:
        pytest.skip(f"/dev/kmsg: {error.strerror}")


@pytest.mark.kernel("dmesg")
def test_the_lines_are_those_of_dmesg() -> None:
    """Time and text, oldest first (dmesg decodes what the kernel escaped, and wraps no lines)."""
    read = lines()
    done = subprocess.run(["dmesg"], capture_output=True, text=True, check=False, timeout=20)
    if done.returncode:
        pytest.skip("dmesg is refused")
    said = {line for line in done.stdout.splitlines() if line.startswith("[")}
    plain = [line for line in read[-200:] if "\\x" not in line]
    assert plain
    assert [line for line in plain if line not in said] == []
    assert read == sorted(read, key=lambda line: float(line[1:].partition("]")[0]))


def test_it_is_bounded_and_cited() -> None:
    """Rows cite lines of the source's text; the table is never called whole."""
    assert len(lines()) <= 20_000
    builder = Builder("h")
    kernel_log.read(Reading(builder, "h", ""))
    found = builder.build()
    (source,) = found.sources
    text = (source.text or "").splitlines()
    for row in found.port_events.rows[:50]:
        assert re.search(rf"{re.escape(row.bridge)}: port {row.number}", text[row.cite.line - 1])
    assert not found.log.complete("")


def test_a_refusal_names_what_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A log that cannot be opened is missing, not empty."""
    monkeypatch.setattr(kernel_log, "_DEVICE", str(tmp_path / "none"))
    builder = Builder("h")
    kernel_log.read(Reading(builder, "h", ""))
    found = builder.build()
    assert found.log.complete() is False
    assert getattr(found.log, "command", None) == "sudo dmesg"
    assert found.problems[0].source == "dmesg"
