"""Runs plans in namespaces, from a process that stays on the host."""

import subprocess
import sys

from msgspec.structs import replace

from hopback.lab.observed import Observed, decode_observed
from hopback.lab.steps import Plan, Refused, encode_plan

KEEP_SECONDS = 3600.0


class NetnsRunner:
    """Plays plans in a child process that leaves the host's namespaces; it dies with its parent.

    ``keep``: a shell inside follows on the terminal, for an hour at most; ``linger`` waits for it.
    """

    def __init__(self, keep: bool = False) -> None:
        self._keep = keep
        self._child: subprocess.Popen[bytes] | None = None

    def run(self, plan: Plan) -> Observed:
        """Play ``plan``. Refused where namespaces cannot be had, or building it fails."""
        if self._keep:
            plan = replace(plan, seconds=KEEP_SECONDS)
        argv = [sys.executable, "-m", "hopback.lab.netns", *(["--keep"] if self._keep else [])]
        # An interrupt at the terminal is ours: a shell alone has to be in the foreground with us.
        self._child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=not self._keep,
        )
        try:
            told = self._talk(self._child, encode_plan(plan))
        except BaseException:
            self._child.kill()
            self._child.wait()
            raise
        if not told:
            raise Refused("the lab ended before it told anything")
        observed = decode_observed(told)
        if observed.refused is not None:
            raise Refused(observed.refused, denied=observed.denied)
        return observed

    def linger(self) -> None:
        """Wait until the shell inside is left."""
        if self._child is not None:
            self._child.wait()

    def _talk(self, child: "subprocess.Popen[bytes]", plan: bytes) -> bytes:
        if child.stdin is None or child.stdout is None:
            raise AssertionError("both are pipes")
        child.stdin.write(plan)
        child.stdin.close()
        told = child.stdout.read()
        if not self._keep:
            child.wait()
        return told
