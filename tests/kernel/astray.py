"""A host whose bridge has its guest on the uplink, and hopback to mend it there.

guest            host                       outside
eth0 ---- TAP   fxbr0   UPLINK ---- eth0    (silent: nothing moves but by the test's hand)
"""

import json
import os
import pty
import secrets
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hopback.remedies.apply.store import ENVIRONMENT
from tests.kernel.opened import Opened
from tests.kernel.rig import Rig, wait_until

HOPBACK = str(Path(sys.executable).with_name("hopback"))
GUEST = "52:54:00:00:00:11"
BRIDGE, TAP = "fxbr0", "fxtap0"


class Astray(Opened):
    """The host; what hopback notes of it is kept in ``state``."""

    def __init__(self, state: Path) -> None:
        self._rig = Rig(seconds_max=60)
        self._state = state
        # A name that no other test on this machine uses: whole hosts are read too.
        self.uplink = f"fxup{secrets.token_hex(2)}"
        self.finding = f"uplink-echo:{self.uplink}"

    def _enter(self, undo: ExitStack) -> None:
        undo.enter_context(self._rig)
        self._build()

    @property
    def space(self) -> str:
        """The host's namespace, by the name that commands give it."""
        return self._rig.name("host")

    @property
    def netns(self) -> tuple[str, ...]:
        """The options by which hopback reads this host alone."""
        return tuple(w for role in ("host", "guest") for w in ("--netns", self._rig.name(role)))

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {ENVIRONMENT: str(self._state), "NO_COLOR": "1"}

    def entry(self) -> tuple[str, bool] | None:
        """The port on which the bridge has the guest, and whether it is pinned there."""
        for found in self._rig.show("host", "bridge", "fdb", "show", "br", BRIDGE):
            if found["mac"] == GUEST and found.get("master") == BRIDGE:
                return found["ifname"], "sticky" in found["flags"]
        return None

    def is_pinned(self) -> bool:
        return self.entry() == (TAP, True)

    def bridge(self, line: str) -> None:
        """A line for ``bridge`` on the host."""
        self._rig.bridge("host", line)

    def lead_astray(self) -> None:
        """What a returned frame does."""
        self.bridge(f"fdb replace {GUEST} dev {self.uplink} master dynamic")

    def fix(self, *words: str) -> tuple[int, str, str]:
        """``hopback fix`` without a terminal: exit code, output, errors."""
        done = subprocess.run(
            [HOPBACK, "fix", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=self.environment,
        )
        return done.returncode, done.stdout, done.stderr

    def apply(self, *words: str, within: str = "50s") -> tuple[int, str, str]:
        """``hopback fix --apply`` of this host's finding, without a terminal."""
        return self.fix(
            "live",
            self.finding,
            "--apply",
            "--yes",
            "--confirm-within",
            within,
            *words,
            *self.netns,
        )

    def records(self) -> list[dict[str, Any]]:
        """What ``--list`` tells, the latest last."""
        listed: list[dict[str, Any]] = json.loads(self.fix("--list", "-j")[1])["records"]
        return listed

    def wait_for(self, state: str) -> dict[str, Any]:
        """The latest record, once it is in this state."""
        wait_until(lambda: [r["state"] for r in self.records()[-1:]] == [state], state, 20.0)
        return self.records()[-1]

    def _build(self) -> None:
        for role in ("host", "guest", "outside"):
            self._rig.namespace(role)
        name = self._rig.name
        self._rig.ip(
            "host",
            f"link add {BRIDGE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
            f"link add {TAP} address fe:54:00:00:00:11 type veth"
            f" peer name eth0 address {GUEST} netns {name('guest')}",
            f"link add {self.uplink} type veth peer name eth0 netns {name('outside')}",
            f"link set {TAP} master {BRIDGE} up",
            f"link set {self.uplink} master {BRIDGE} up",
            f"link set {BRIDGE} up",
        )
        for role in ("guest", "outside"):
            self._rig.ip(role, "link set eth0 up")
        self._rig.wait_for_forwarding("host")
        self.lead_astray()


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, argv: Sequence[str], environment: dict[str, str]) -> None:
        self.pid, self._ours = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], list(argv), environment)
        self.shown = ""

    def expect(self, text: str) -> None:
        """Read until ``text`` was shown; AssertionError if the program ends before."""
        while text not in self.shown:
            try:
                data = os.read(self._ours, 4096)
            except OSError:
                data = b""
            assert data, f"{text!r} was not shown:\n{self.shown}"
            self.shown += data.decode()

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def hang_up(self) -> None:
        """The connection is lost."""
        os.close(self._ours)

    def child(self) -> int:
        """The first process that the program has started."""
        return int(Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()[0])

    def code(self) -> int:
        """How it ended; what it still had to say is read first."""
        while True:
            try:
                data = os.read(self._ours, 4096)
            except OSError:
                break
            self.shown += data.decode()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
