"""``python -m hopback.lab.netns [--keep] [--log] < plan.json > observed.json``.

With ``--keep`` a shell follows, on the terminal, in which ``ip -n NAME`` reaches every namespace.
``--log`` reads (and clears) the kernel's log: for a kernel that is the lab's own.
"""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

from hopback.lab.netns.build import Lab
from hopback.lab.netns.isolate import isolate
from hopback.lab.netns.kernel_log import KernelLog
from hopback.lab.netns.play import Stage
from hopback.lab.observed import Observed, encode_observed
from hopback.lab.steps import Plan, Refused, decode_plan


def main(words: list[str]) -> None:
    """Read a plan, play it, write what was seen."""
    keep = "--keep" in words
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return  # who asked is gone, interrupted before all was written
    plan = decode_plan(line)
    kernel = os.uname().release
    try:
        isolate(plan)
        started = time.perf_counter()
        with Lab(plan) as lab:
            built_in = time.perf_counter() - started
            stage = Stage(lab, plan, KernelLog() if "--log" in words else None)
            scenes = tuple(stage.play(scene) for scene in plan.scenes)
            _tell(Observed(kernel, scenes, built_in))
            if keep:
                _shell(lab, plan)
    except Refused as refused:
        _tell(Observed(kernel, (), refused=str(refused), denied=refused.denied))


def _tell(observed: Observed) -> None:
    sys.stdout.buffer.write(encode_observed(observed))
    sys.stdout.flush()
    os.close(sys.stdout.fileno())


def _shell(lab: Lab, plan: Plan) -> None:
    """A shell in the first namespace, on the terminal whatever the standard streams are."""
    with Path("/dev/tty").open("r+b", buffering=0) as terminal, lab.spaces[plan.spaces[0]]:
        subprocess.run(
            [os.environ.get("SHELL", "/bin/sh")],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            check=False,
        )


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(sys.argv[1:])
    # The streams may be closed already; there is nothing left to flush.
    os._exit(0)
