"""Directories of command output."""

import os
import shutil
from pathlib import Path

import pytest

from hopback.snapshot.model import Snapshot
from hopback.sources import tree as tree_module
from hopback.sources.directory import read_directory
from hopback.sources.tree import directory_tree

FIXTURES = Path(__file__).parents[1] / "fixtures"
SHOW = "bridge name\tbridge id\t\tSTP enabled\tinterfaces\nbr0\t\t8000.62e9dba090f3\tno\t\teth0\n"


def read(root: Path) -> tuple[Snapshot, ...]:
    return read_directory(directory_tree(root))


def messages(snapshot: Snapshot) -> list[tuple[str, str]]:
    return [(problem.source, problem.message) for problem in snapshot.problems]


def unread(snapshot: Snapshot) -> list[str]:
    return [row.what for row in snapshot.unread.rows]


@pytest.fixture
def bond() -> Snapshot:
    (snapshot,) = read(FIXTURES / "vm61-bond")
    return snapshot


def test_directory_is_one_host(bond: Snapshot) -> None:
    assert bond.host == "vm61-bond"
    assert (unread(bond), bond.problems) == ([], ())


def test_files_are_read_by_their_names(bond: Snapshot) -> None:
    assert {"bond0", "br0", "vnet0"} <= {row.name for row in bond.links.rows}
    assert {row.name for row in bond.bonds.rows} == {"bond0"}
    assert [row.vid for row in bond.vlan_devices.rows][:1] == [10]
    assert len(bond.own_sources.rows) == 4
    assert bond.fdb.complete()
    assert bond.ports.complete()
    assert bond.bonds.complete(dev="bond0")


def test_files_come_in_the_order_of_their_names(bond: Snapshot) -> None:
    origins = [source.origin for source in bond.sources]
    assert origins == sorted(origins)
    assert "proc-net-bonding-bond0.txt" in origins


def test_guest_console_is_a_host_of_its_own() -> None:
    host, *guests = read(FIXTURES / "libvirt")
    assert host.host == "libvirt"
    assert len(host.guests.rows) >= 3
    assert [guest.host for guest in guests] == ["vml-k1"]
    assert len(guests[0].dad_events.rows) == 1


def test_empty_file_says_nothing() -> None:
    host = read(FIXTURES / "libvirt")[0]
    assert not any(source.origin == "iptables-save.txt" for source in host.sources)
    assert not any(problem.source == "iptables-save.txt" for problem in host.problems)


def test_broken_file_is_a_problem_and_unread() -> None:
    host = read(FIXTURES / "libvirt")[0]
    assert [p.source for p in host.problems] == ["bridge-d-j-vlan.json"]
    assert "output of bridge -d -j vlan" in unread(host)
    assert not host.port_vlans.complete()


def test_unknown_names_are_read_by_shape(tmp_path: Path) -> None:
    (tmp_path / "notes-of-tuesday").write_text(SHOW)
    (snapshot,) = read(tmp_path)
    assert [row.name for row in snapshot.ports.rows] == ["eth0"]
    assert not snapshot.ports.complete()


def test_not_understood(tmp_path: Path) -> None:
    (tmp_path / "poem.txt").write_text("no listing at all\n")
    (tmp_path / "blank.txt").write_text("\n\n")
    (tmp_path / "core").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "x.stderr").write_text("permission denied\n")
    (tmp_path / "README.md").write_text("about\n")
    (snapshot,) = read(tmp_path)
    assert unread(snapshot) == ["file poem.txt not understood"]


def test_link_out_of_the_directory_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SHOW)
    root = tmp_path / "bundle"
    root.mkdir()
    (root / "brctl-show.txt").symlink_to(secret)
    (root / "up").symlink_to(tmp_path, target_is_directory=True)
    (root / "dangling").symlink_to("/nonexistent/x")
    (snapshot,) = read(root)
    assert snapshot.ports.rows == ()
    said = "a link out of the directory: not followed"
    assert messages(snapshot) == [("brctl-show.txt", said), ("dangling", said), ("up", said)]


def test_link_within_the_directory_is_not_read_twice(tmp_path: Path) -> None:
    (tmp_path / "brctl-show.txt").write_text(SHOW)
    (tmp_path / "again.txt").symlink_to("brctl-show.txt")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (snapshot,) = read(tmp_path)
    assert (len(snapshot.ports.rows), snapshot.problems) == (1, ())


def test_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "dmesg.txt")
    (snapshot,) = read(tmp_path)
    assert messages(snapshot) == [("dmesg.txt", "not a regular file: not read")]


def test_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_module, "INPUT_MAX", 1 << 20)
    (tmp_path / "brctl-show.txt").write_text(SHOW)
    (tmp_path / "dmesg.txt").write_text("x\n" * (1 << 20))
    (snapshot,) = read(tmp_path)
    assert messages(snapshot) == [("dmesg.txt", "larger than 1 MiB: not read")]
    assert len(snapshot.ports.rows) == 1


def test_number_of_files_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_module, "FILES_MAX", 3)
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text("x\n")
    tree = directory_tree(tmp_path)
    assert (len(tree.files), len(tree.problems)) == (3, 1)


def test_file_that_vanishes_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "brctl-show.txt").write_text(SHOW)
    tree = directory_tree(tmp_path)
    shutil.rmtree(tmp_path)
    (snapshot,) = read_directory(tree)
    assert messages(snapshot) == [("brctl-show.txt", "cannot be read: No such file or directory")]


def test_a_binary_file_is_one_problem_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "core").write_bytes(bytes(range(256)) * 8)
    (tmp_path / "uname").write_text("6.1.0-18-amd64\n")
    (snapshot,) = read_directory(directory_tree(tmp_path))
    assert [p.message for p in snapshot.problems] == ["binary, not text"]
    assert [k.release for k in snapshot.kernels.rows] == ["6.1.0-18-amd64"]
