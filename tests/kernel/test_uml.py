"""User-mode Linux runs a command as it was asked to, and leaves nothing behind, however it ends."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hopback.lab.uml import boot
from hopback.lab.uml.boot import TimeUp, run, run_python
from hopback.lab.uml.find import FOLDER, UmlError, UmlMissing, find
from tests.kernel.rig import wait_until
from tests.kernel.uml import needs_uml

ROOT = Path(__file__).parents[2]
NOBODY = 65534
SPIN = ["sh", "-c", "sleep 60 & while :; do :; done"]

OWNER = """
import sys
from pathlib import Path
from hopback.lab.uml.boot import run
run(["sh", "-c", "touch $0/up; sleep 60 & while :; do :; done", sys.argv[1]],
    writable=Path(sys.argv[1]))
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the machines of the test keep their files: it tells them from all others."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def processes(place: Path) -> list[int]:
    """Everything that was started with a file of ``place``: the keeper, the kernel, its helpers."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if f"{place}/hopback-uml-".encode() in words:
            found.append(int(entry.name))
    return found


def machines(place: Path) -> list[Path]:
    return list(place.glob("hopback-uml-*"))


@needs_uml
def test_it_is_another_kernel_and_finds_its_modules() -> None:
    script = """
        set -e
        uname -r
        grep -c '^ip_vs ' /proc/modules
        ip link add bond7 type bond
        ip link add br0 type bridge vlan_filtering 1
        ip link add link br0 name br0.7 type vlan id 7
        ip link add vx0 type vxlan id 7 dstport 4789 local 192.0.2.1
        ip -br link | cut -d' ' -f1
        test -c /dev/net/tun -a -d /proc/sys/net/ipv6 -a -e /proc/config.gz
    """
    finished = run(["sh", "-c", script], modules=["ip_vs"])
    assert (finished.code, finished.errors) == (0, b"")
    release, loaded, *links = finished.output.decode().split()
    assert (release, loaded) == (find().release, "1")
    # Neither a default bond nor a network to the outside.
    assert links == ["lo", "bond7", "br0", "br0.7@br0", "vx0"]


@needs_uml
@pytest.mark.parametrize(
    ("argv", "code", "errors"),
    [
        (["sh", "-c", "exit 7"], 7, b""),
        (["sh", "-c", "kill -9 $$"], -signal.SIGKILL, b""),
        # What the command leaves running ends with it.
        (["sh", "-c", "sleep 60 & exit 3"], 3, b""),
        (["no-such-program"], 127, b"no-such-program: No such file or directory\n"),
    ],
)
def test_exit_code_is_passed_on(argv: list[str], code: int, errors: bytes) -> None:
    finished = run(argv)
    assert (finished.code, finished.output, finished.errors) == (code, b"", errors)


@needs_uml
def test_a_megabyte_of_any_bytes_arrives_whole() -> None:
    script = "import os, sys; d = bytes(range(256)) * 4096; os.write(2, d[:9]); os.writev(1, [d])"
    finished = run([sys.executable, "-S", "-c", script])
    assert finished.output == bytes(range(256)) * 4096
    assert finished.errors == bytes(range(9))


@needs_uml
def test_it_sees_the_working_directory_and_writes_only_where_it_may(place: Path) -> None:
    script = "pwd; echo said > $0/said; touch $1/forbidden 2>/dev/null || echo read-only"
    finished = run(["sh", "-c", script, str(place), str(ROOT)], writable=place)
    assert finished.output.decode().splitlines() == [str(Path.cwd()), "read-only"]
    assert (place / "said").read_text() == "said\n"
    assert not machines(place)


@needs_uml
def test_time_limit_ends_everything(place: Path) -> None:
    with pytest.raises(TimeUp, match="not done after 3 s"):
        run(SPIN, seconds=3)
    assert not processes(place)
    assert not machines(place)


class Caller:
    """A process that runs a machine which would not end by itself."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.process = subprocess.Popen([sys.executable, "-c", OWNER, str(place)])
        wait_until((place / "up").exists, "the command runs", seconds=30)

    def keeper(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text())

    def assert_all_gone(self) -> None:
        wait_until(lambda: not processes(self._place), "all processes ended", seconds=20)
        wait_until(lambda: not machines(self._place), "its folder removed", seconds=20)


@needs_uml
def test_everything_is_gone_after_its_caller_was_killed(place: Path) -> None:
    caller = Caller(place)
    # The keeper, the kernel, and a process for each address space inside.
    assert len(processes(place)) > 3
    caller.process.kill()
    caller.process.wait()
    caller.assert_all_gone()


@needs_uml
def test_everything_is_gone_after_its_keeper_was_killed(place: Path) -> None:
    enclosed = subprocess.run(["unshare", "--user", "--pid", "--fork", "true"], check=False)
    if enclosed.returncode:
        pytest.skip("no process namespaces for this user")
    caller = Caller(place)
    os.kill(caller.keeper(), signal.SIGKILL)
    assert caller.process.wait() == 1
    caller.assert_all_gone()


def keeper(place: Path, *kernel: str) -> "subprocess.Popen[bytes]":
    """A keeper of something that stands for the kernel, in the folder ``place``/hopback-uml-x."""
    folder = place / "hopback-uml-x"
    folder.mkdir()
    words = [sys.executable, "-S", "-m", "hopback.lab.uml.keeper", str(folder), "60", "1", "2"]
    return subprocess.Popen(
        [*words, "--", *kernel],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_nothing_begins_for_who_was_interrupted_before_it_knew_of_the_keeper(place: Path) -> None:
    with keeper(place, "touch", str(place / "begun")) as process:
        assert process.communicate() == (b"", b"")
    assert process.returncode == 0
    assert list(place.iterdir()) == []


def test_a_kernel_that_stays_when_all_is_over_is_ended(place: Path) -> None:
    folder = place / "hopback-uml-x"
    with keeper(place, "sh", "-c", f"touch {folder}/over; exec sleep 1000") as process:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        wait_until((folder / "ended").exists, "the kernel ended", seconds=30)
        assert (folder / "ended").read_text() == "halt"
        assert process.communicate() == (b"", b"")
    assert list(place.iterdir()) == []


@needs_uml
def test_what_is_given_is_its_standard_input() -> None:
    given = bytes(range(256)) * 4096
    assert run(["cat"], given=given).output == given
    assert run(["wc", "-c"]).output == b"0\n"


@needs_uml
def test_a_flood_of_output_is_ended(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "OUTPUT_MAX", 1 << 20)
    with pytest.raises(UmlError, match="more than 1048576 bytes"):
        run(["yes"])
    assert not processes(place)


@needs_uml
@pytest.mark.parametrize(
    ("memory_mib", "modules", "complaint"),
    [(512, ["nonsuch"], "^no kernel module nonsuch$"), (16, [], "^a machine of 16 MiB")],
)
def test_what_cannot_come_up_says_why(memory_mib: int, modules: list[str], complaint: str) -> None:
    with pytest.raises(UmlError, match=complaint):
        run(["true"], memory_mib=memory_mib, modules=modules)


def run_as_nobody(*argv: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: os.environ[name] for name in ("PATH", FOLDER) if name in os.environ}
    return subprocess.run(
        argv,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        env={**kept, "PYTHONPATH": str(ROOT / "src")},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


@needs_uml
@pytest.mark.skipif(os.geteuid() != 0, reason="all the other tests are unprivileged already")
def test_an_ordinary_user_is_root_inside() -> None:
    # The environment's own interpreter may be in a folder that is closed to others.
    python = "/usr/bin/python3"
    probe = "import hopback, sys; sys.exit(sys.version_info < (3, 11))"
    if run_as_nobody(python, "-c", probe).returncode:
        pytest.skip("no Python 3.11 or no checkout that every user may read")
    command = "id -u; ip link add type bond && ip -br link show bond0 | cut -c1-5"
    done = run_as_nobody(python, "-m", "hopback.lab.uml", "--", "sh", "-c", command)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\nbond0\n", "")


@pytest.mark.parametrize(
    ("folder", "complaint"),
    [("", "linux.uml) is not installed"), ("/nonexistent", "no usr/bin/linux.uml there")],
)
def test_missing_kernel_is_one_line_that_helps(folder: str, complaint: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hopback.lab.uml", "true"],
        env={"PATH": "/nonexistent", FOLDER: folder},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (125, "")
    (line,) = done.stderr.splitlines()
    assert complaint in line
    assert "apt-get install user-mode-linux" in line
    assert "dpkg -x" in line


def test_folder_without_modules_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "usr/bin/linux.uml"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho 6.1.0\n")
    program.chmod(0o755)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with pytest.raises(UmlMissing, match=r"no modules in .*/usr/lib/uml/modules/6\.1\.0"):
        find()


@needs_uml
@pytest.mark.timeout(300)
def test_the_bridge_of_the_user_mode_kernel_gives_the_known_answers() -> None:
    """What holds on the host's kernel holds on this one: the same tests, skips not allowed."""
    files = ("test_bridge_rig.py", "test_bridge_model.py")
    finished = run_python(
        "pytest",
        ["-q", "-p", "no:cacheprovider", *(str(ROOT / "tests/kernel" / name) for name in files)],
        seconds=280,
    )
    said = finished.output.decode()
    assert finished.code == 0, said
    assert "skipped" not in said, said
