"""Anything that may be named as a source."""

import io
import os
import shutil
import sys
import tarfile
import threading
from pathlib import Path

import pytest

from hopback.snapshot.codec import dump
from hopback.snapshot.model import Snapshot
from hopback.sources import open as open_module
from hopback.sources.open import open_source, tell_apart

FIXTURES = Path(__file__).parents[1] / "fixtures"
BOND = FIXTURES / "vm61-bond"


def test_directory() -> None:
    opened = open_source(str(BOND))
    assert [snapshot.host for snapshot in opened.snapshots] == ["vm61-bond"]
    assert (opened.unreadable, opened.denied) == (None, False)


def test_single_listing_is_read_by_its_name() -> None:
    (snapshot,) = open_source(str(BOND / "brctl-show.txt")).snapshots
    assert snapshot.ports.complete()
    assert snapshot.sources[0].name == "brctl show"


def test_paste(tmp_path: Path) -> None:
    (tmp_path / "ticket.txt").write_text("h1# brctl show\n" + (BOND / "brctl-show.txt").read_text())
    (snapshot,) = open_source(str(tmp_path / "ticket.txt")).snapshots
    assert (snapshot.host, len(snapshot.ports.rows)) == ("h1", 2)


def test_paste_in_a_file_named_for_a_command(tmp_path: Path) -> None:
    (tmp_path / "brctl-show.txt").write_text(
        "h1# brctl show\n" + (BOND / "brctl-show.txt").read_text()
    )
    (snapshot,) = open_source(str(tmp_path / "brctl-show.txt")).snapshots
    assert snapshot.host == "h1"


@pytest.mark.parametrize("name", ["host.hopback", "dmesg.txt"])
def test_snapshot_file_is_known_by_what_it_holds(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(dump([Snapshot("h1"), Snapshot("h2")]))
    opened = open_source(str(tmp_path / name))
    assert [snapshot.host for snapshot in opened.snapshots] == ["h1", "h2"]


def test_damaged_snapshot_is_unreadable(tmp_path: Path) -> None:
    data = dump([Snapshot("h1", at=n) for n in range(200)])
    (tmp_path / "x").write_bytes(data[:-20])
    opened = open_source(str(tmp_path / "x"))
    assert opened.snapshots == ()
    assert opened.unreadable is not None
    assert "damaged" in opened.unreadable


def test_archive(tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "h1"), "gztar", BOND)
    (snapshot,) = open_source(archive).snapshots
    assert snapshot.host == "h1"
    assert snapshot.fdb.complete()


def test_archive_without_listings_is_unreadable(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tmp_path, "h1", recursive=False)
    (tmp_path / "x.gz").write_bytes(b"\x1f\x8b" + bytes(40))
    assert "x.tar" in (open_source(str(tmp_path / "x.tar")).unreadable or "")
    assert "damaged" in (open_source(str(tmp_path / "x.gz")).unreadable or "")


def test_missing_path() -> None:
    opened = open_source("/nonexistent/x")
    assert opened.unreadable == "/nonexistent/x: No such file or directory"
    assert not opened.denied


def test_denied(tmp_path: Path) -> None:
    """Asked by a process that is not root, as root may read anything."""
    tmp_path.chmod(0o755)
    (tmp_path / "x").touch(mode=0)
    child = os.fork()
    if child == 0:
        os.chdir(tmp_path)  # the folders above it may be root's own
        if os.geteuid() == 0:
            os.setuid(65534)
        os._exit(not open_source("x").denied)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_ssh_is_not_supported_yet() -> None:
    assert "ssh is not supported yet" in (open_source("ssh://h1").unreadable or "")


def test_device_is_refused() -> None:
    assert open_source("/dev/null").unreadable == "/dev/null: neither a file nor a directory"


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BytesIO((BOND / "brctl-show.txt").read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))
    (snapshot,) = open_source("-").snapshots
    assert snapshot.sources[0].origin == "standard input"
    assert len(snapshot.ports.rows) == 2


def test_standard_input_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_module, "INPUT_MAX", 1 << 20)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bytes(2 << 20))))
    assert open_source("-").unreadable == "standard input: larger than 256 MiB, the most I read"


def test_large_paste_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_module, "INPUT_MAX", 1 << 20)
    (tmp_path / "x").write_text("prose\n" * (1 << 18))
    assert open_source(str(tmp_path / "x")).unreadable == "x: larger than 256 MiB, the most I read"


def test_pipe_of_a_shell(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(
        target=pipe.write_bytes, args=[(BOND / "brctl-show.txt").read_bytes()]
    )
    writer.start()
    (snapshot,) = open_source(str(pipe)).snapshots
    writer.join()
    assert len(snapshot.ports.rows) == 2


def test_equal_labels_are_told_apart() -> None:
    labelled = tell_apart([Snapshot("web"), Snapshot("db"), Snapshot("web"), Snapshot("web")])
    assert [snapshot.host for snapshot in labelled] == ["web", "db", "web#2", "web#3"]
    labelled = tell_apart([Snapshot("web"), Snapshot("web#2"), Snapshot("web")])
    assert [snapshot.host for snapshot in labelled] == ["web", "web#2", "web#3"]
