"""Whether this machine can run kernel tests."""

import contextlib
import functools
import os
import subprocess


@functools.cache
def refusal() -> str | None:
    """Why this machine cannot run kernel tests; None if it can."""
    if os.geteuid() != 0:
        return "needs root"
    probe = f"hopback-probe-{os.getpid()}"
    trial = ["ip", "-n", probe, "link", "add", "type"]
    try:
        return (
            _complaint("ip", "netns", "add", probe)
            or _complaint(*trial, "bridge")
            or _complaint(*trial, "veth")
        )
    except FileNotFoundError:
        return None  # a missing program is not the kernel's refusal
    finally:
        with contextlib.suppress(FileNotFoundError):
            _complaint("ip", "netns", "delete", probe)


def _complaint(*argv: str) -> str | None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return f"{' '.join(argv)}: {done.stderr.strip()}" if done.returncode else None
