"""Whether this machine can run kernel tests."""

import contextlib
import functools
import os
import subprocess
from contextlib import closing

from hopback.lab.netns.namespace import Namespace


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


def device_refusal(*kind: str) -> str | None:
    """Why this machine cannot make a device of this ``ip link`` type; None if it can."""
    return command_refusal("ip", "link", "add", "probe0", "type", *kind)


@functools.cache
def command_refusal(*argv: str) -> str | None:
    """Why this machine cannot run a command in a namespace of its own; None if it can."""
    missing = refusal()
    if missing is not None:
        return missing
    with closing(Namespace.anonymous()) as space, space:
        try:
            return _complaint(*argv)
        except FileNotFoundError:
            return f"needs {argv[0]}"


def _complaint(*argv: str) -> str | None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return f"{' '.join(argv)}: {done.stderr.strip()}" if done.returncode else None
