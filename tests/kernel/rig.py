"""Small networks on the running kernel, in namespaces that are gone afterwards.

Nothing is ever done in the namespace the tests run in: every command names one of the rig's own.
"""

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hopback.lab.netns.namespace import Namespace
from tests.kernel.opened import Opened

GUARD = Path(__file__).with_name("guard.py")


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 5.0) -> None:
    """Ask until ``condition`` holds; TimeoutError that names ``what`` if it never does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.005)


class CommandFailed(Exception):
    """A command of the rig failed; the message holds all that it said."""


class Rig(Opened):
    """Makes namespaces and runs programs in them; on exit all of it is gone, also after kill -9.

    Namespaces are known by their role ("host", "guest"); their real names are random. Nothing
    lives longer than ``seconds_max``.
    """

    def __init__(self, seconds_max: float = 60.0) -> None:
        self._seconds_max = seconds_max
        self._prefix = f"hopback-{secrets.token_hex(4)}-"
        self._spaces: dict[str, Namespace] = {}

    def _enter(self, undo: ExitStack) -> None:
        # A session of its own: an interrupt at the terminal must reach the tests, not the guard.
        guard = subprocess.Popen(
            [sys.executable, str(GUARD), str(self._seconds_max), self._prefix],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        undo.callback(guard.communicate, timeout=30)  # ends its input, and waits

    @property
    def names(self) -> dict[str, str]:
        """Role to name, as in /run/netns."""
        return {role: self.name(role) for role in self._spaces}

    def name(self, role: str) -> str:
        return self._prefix + role

    def defer(self, function: Callable[..., object], *arguments: object) -> None:
        """Call ``function`` on exit, the last deferred first."""
        self._undo.callback(function, *arguments)

    def namespace(self, role: str) -> Namespace:
        """A new namespace, silent (IPv6 is off) and with its loopback up."""
        checked(["ip", "netns", "add", self.name(role)])
        space = Namespace.named(self.name(role))
        self.defer(space.close)
        self._spaces[role] = space
        self.ip(role, "link set lo up")
        return space

    def space(self, role: str) -> Namespace:
        """The namespace made for ``role``."""
        return self._spaces[role]

    def ip(self, role: str, *lines: str) -> None:
        """Lines for ``ip -batch``; the first that fails raises CommandFailed."""
        checked(["ip", "-n", self.name(role), "-batch", "-"], "\n".join(lines))

    def bridge(self, role: str, *lines: str) -> None:
        """Lines for ``bridge -batch``."""
        checked(["bridge", "-n", self.name(role), "-batch", "-"], "\n".join(lines))

    def tc(self, role: str, *lines: str) -> None:
        """Lines for ``tc -batch``."""
        checked(["tc", "-n", self.name(role), "-batch", "-"], "\n".join(lines))

    def show(self, role: str, tool: str, *words: str) -> list[dict[str, Any]]:
        """What ``ip -j`` or ``bridge -j`` lists."""
        listed = checked([tool, "-n", self.name(role), "-j", *words])
        rows: list[dict[str, Any]] = json.loads(listed or "[]")
        return rows

    def run(self, role: str, *argv: str, seconds: float = 15.0) -> subprocess.CompletedProcess[str]:
        """Run a program in a namespace (with its own view of /sys) and wait for it.

        Its exit status is for the caller to judge; TimeoutExpired after ``seconds``.
        """
        return subprocess.run(
            self._inside(role, argv), capture_output=True, text=True, timeout=seconds, check=False
        )

    def start(self, role: str, *argv: str) -> "subprocess.Popen[bytes]":
        """Start a program in a namespace; it ends with the rig, at the latest."""
        process = subprocess.Popen(
            self._inside(role, argv),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.defer(process.wait)
        self.defer(process.kill)
        return process

    def _inside(self, role: str, argv: Iterable[str]) -> list[str]:
        return ["ip", "netns", "exec", self.name(role), *argv]

    def wait_for_forwarding(self, role: str) -> None:
        """Wait until every bridge port forwards: after many link events that may take a second."""

        def all_forward() -> bool:
            return all(p["state"] == "forwarding" for p in self.show(role, "bridge", "link"))

        wait_until(all_forward, f"{role}: all bridge ports forwarding")


def checked(argv: list[str], script: str | None = None) -> str:
    """What a command printed, given ``script`` to read; CommandFailed if it failed."""
    done = subprocess.run(argv, input=script, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = "\n".join(part for part in (script, done.stdout, done.stderr) if part)
        raise CommandFailed(f"{' '.join(argv)}: exit {done.returncode}\n{said}")
    return done.stdout
