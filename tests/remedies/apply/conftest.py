"""Records whose commands change nothing, and a place to keep them."""

import shutil
from pathlib import Path

import pytest

from hopback.remedies.apply.record import Part, Record
from hopback.remedies.apply.store import ENVIRONMENT, Store

DO, UNDO, FAIL = "ip -V", "bridge -V", "ip frobnicate"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A place of the test's own, ready to be written; the keepers that it starts use it too."""
    if shutil.which("ip") is None or shutil.which("bridge") is None:
        pytest.skip("not installed: iproute2")
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / ("long" * 30)))
    made = Store()
    made.prepare()
    return made


def record(*parts: Part, within: float = 60.0, name: str = "0a") -> Record:
    """A fix that is ready to be applied."""
    return Record(
        id=name,
        state="ready",
        at=1,
        host="h",
        boot_id="b",
        uid=0,
        user="root",
        check="uplink-echo",
        subject="eth0",
        fix="sticky_entry",
        parts=parts or (Part((DO,), (UNDO,)),),
        within=within,
    )


def lines(given: Record) -> list[tuple[str, bool, int | None]]:
    """What was run: the command, whether it undid, and its exit code."""
    return [(r.line, r.undo, r.code) for r in given.ran]
