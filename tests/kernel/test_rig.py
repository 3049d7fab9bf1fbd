"""The rig leaves nothing behind, however its owner ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hopback.lab.netns.namespace import OWN, Namespace
from tests.kernel.rig import CommandFailed, Rig, wait_until

pytestmark = pytest.mark.kernel("sleep")

NAMED = Path("/run/netns")
ROOT = Path(__file__).parents[2]

OWNER = """
import time
from tests.kernel.rig import Rig
with Rig(seconds_max={seconds}) as rig:
    rig.namespace("only")
    rig.ip("only", "link add lloop0 type veth peer name lloop1")
    print(rig.name("only"), rig.start("only", "sleep", "60").pid, flush=True)
    time.sleep(60)
"""


class Owner:
    """A process that holds a rig open: the name of its namespace, and a child inside."""

    def __init__(self, seconds: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWNER.format(seconds=seconds)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        name, child = self.process.stdout.readline().split()
        self.space = NAMED / name
        self._child = Path("/proc") / child / "stat"

    def child_runs(self) -> bool:
        """Whether the child is alive: a zombie that nobody collects is not."""
        try:
            state = self._child.read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        return state != "Z"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def test_everything_is_gone_after_the_with() -> None:
    with Rig() as rig:
        rig.namespace("one")
        sleeper = rig.start("one", "sleep", "60")
        named = NAMED / rig.name("one")
        assert named.exists()
    assert not named.exists()
    assert sleeper.returncode == -signal.SIGKILL


def test_everything_is_gone_after_an_owner_was_killed() -> None:
    owner = Owner(seconds=60)
    assert owner.space.exists()
    assert owner.child_runs()
    owner.kill()
    wait_until(lambda: not owner.space.exists(), "namespace removed", seconds=20)
    wait_until(lambda: not owner.child_runs(), "child killed", seconds=20)


def test_time_limit_cuts_the_links_of_an_owner_that_lives_on() -> None:
    owner = Owner(seconds=0.2)
    try:
        wait_until(lambda: not owner.space.exists(), "namespace removed", seconds=20)
        assert owner.process.poll() is None
    finally:
        owner.kill()


def test_failed_command_tells_all_it_said() -> None:
    with Rig() as rig:
        rig.namespace("one")
        with pytest.raises(CommandFailed, match=r"link set nowhere up[\s\S]*nowhere"):
            rig.ip("one", "link set nowhere up")


def test_namespace_is_silent_and_left_again() -> None:
    before = OWN.stat().st_ino
    space = Namespace.anonymous()
    with space:
        assert OWN.stat().st_ino != before
        switch = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")
        assert not switch.exists() or switch.read_text() == "1\n"
    assert OWN.stat().st_ino == before
    space.close()
