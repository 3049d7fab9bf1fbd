"""Which namespaces are found, what they are called, and what is said of those out of reach."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hopback.snapshot.rows import Link
from hopback.sources.live import namespaces, read
from tests.sources.live.conftest import Lab

pytestmark = pytest.mark.kernel


def inode() -> int:
    return Path("/proc/thread-self/ns/net").stat().st_ino


@pytest.fixture
def sleeper() -> Iterator[int]:
    """A process in a namespace that has no name."""
    child = subprocess.Popen(
        ["unshare", "-n", "sh", "-c", "echo in; exec sleep 60"], stdout=subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
    finally:
        child.kill()
        child.wait()


def test_own_is_first_and_nameless(lab: Lab) -> None:
    """The named ones follow, each under its own inode."""
    found = namespaces.find().namespaces
    assert (found[0].name, found[0].inode) == ("", inode())
    known = {netns.name: netns.inode for netns in found}
    for name in lab:
        assert known[name] == Path("/run/netns", name).stat().st_ino
    assert len({netns.inode for netns in found}) == len(found)


def test_a_namespace_without_a_name_is_called_after_its_process(sleeper: int) -> None:
    """And can be asked for by that."""
    assert f"pid:{sleeper}" in [netns.name for netns in namespaces.find().namespaces]
    found = read((f"pid:{sleeper}",))
    assert next((row.netns, row.name) for row in found.links.rows) == (f"pid:{sleeper}", "lo")
    assert {row.netns for row in found.links.rows} == {f"pid:{sleeper}"}


def test_the_caller_never_moves(lab: Lab) -> None:
    """The thread that enters is another one, and it is gone afterwards."""
    before, threads = inode(), threading.active_count()
    netns = next(n for n in namespaces.find().namespaces if n.name == lab.host)
    assert namespaces.within(netns, inode) == netns.inode
    assert inode() == before
    assert threading.active_count() == threads


def test_what_the_job_raises_comes_back(lab: Lab) -> None:
    """A failure in the worker is not lost with it."""
    netns = next(n for n in namespaces.find().namespaces if n.name == lab.host)

    def fail() -> None:
        raise ValueError("from inside")

    with pytest.raises(ValueError, match="from inside"):
        namespaces.within(netns, fail)


def test_names_narrow_to_themselves(lab: Lab) -> None:
    """Own is then not read; every table is of the named namespace."""
    told: list[str] = []
    found = read((lab.guest,), told.append)
    assert told == [lab.guest]
    assert {row.netns for row in found.links.rows} == {lab.guest}
    assert not found.links.complete("")
    peer = next(row for row in found.links.rows if isinstance(row, Link) and row.name == "e0")
    assert (peer.peer_netns, peer.lower) == (lab.host, None)  # known where, not read there


def test_an_unknown_name_is_told_with_those_that_are_known(lab: Lab) -> None:
    """The others are still read."""
    found = read(("hb-nowhere", lab.guest))
    (problem,) = (p for p in found.problems if "hb-nowhere" in p.source)
    assert lab.host in problem.message
    assert lab.guest in problem.message
    assert {row.netns for row in found.links.rows} == {lab.guest}


def test_a_name_left_over_is_told() -> None:
    """What stays in /run/netns when the mount is gone is a plain file."""
    path = Path("/run/netns", f"hb-{os.getpid()}-stale")
    path.parent.mkdir(exist_ok=True)
    path.touch()
    try:
        assert path.name in namespaces.find().stale
        told = [p for p in read().problems if path.name in p.source]
        assert "left over" in told[0].message
    finally:
        path.unlink()


UNPRIVILEGED = """
import sys, json
from hopback.sources.live import read
found = read()
print(json.dumps({
    "links": len(found.links.rows),
    "routes": found.routes.complete(""),
    "fdb": found.fdb.complete(""),
    "netns": sorted({row.netns for row in found.links.rows}),
    "blinds": found.blinds.complete(""),
    "filters": type(found.filters).__name__,
    "log": type(found.log).__name__,
    "log_command": getattr(found.log, "command", ""),
    "problems": [f"{p.source}: {p.message}" for p in found.problems],
}))
"""


def unprivileged(script: str) -> str:
    """What Python prints as uid 65534 without a capability; skips where that cannot be."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root, to give it up with setpriv")
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
    path = os.pathsep.join(str(Path(p).resolve()) for p in sys.path if p)

    def run(code: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*words, "--bounding-set=-all", sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd="/",
            env={"PYTHONPATH": path},
        )

    if run("import hopback.sources.live").returncode != 0:
        pytest.skip("this checkout or its interpreter is not readable by other users")
    done = run(script)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_privilege_it_reads_its_own_and_says_what_was_hidden(lab: Lab) -> None:
    """As uid 65534 without a capability: what sudo would add is named."""
    said = json.loads(unprivileged(UNPRIVILEGED))
    assert said["links"] >= 1
    assert said["netns"] == [""]
    assert said["routes"]
    assert said["fdb"]
    problems = "\n".join(said["problems"])
    assert f"network namespace {lab.host}: could not be entered: needs CAP_SYS_ADMIN" in problems
    assert "needs CAP_NET_ADMIN" in problems
    assert said["filters"] == "Missing"
    assert said["blinds"] is ("BPF_PROG_QUERY" not in problems)
    if Path("/proc/sys/kernel/dmesg_restrict").read_text().strip() == "1":
        assert (said["log"], said["log_command"]) == ("Missing", "sudo dmesg")
        assert "CAP_SYSLOG" in problems
