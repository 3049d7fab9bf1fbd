"""Programs that list what has no simpler interface; they run in the calling thread's namespace.

A child inherits the network namespace of the thread that starts it. Which program may be run, and
when, is decided by the callers: some load modules or create tables by being asked.
"""

import os
import shutil
import subprocess
import threading
from pathlib import Path

BYTES_MAX = 64 << 20
SECONDS_MAX = 30.0

_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
_COMPLAINT_MAX = 200


class Failed(Exception):
    """A program is not there or did not list; the message says so in a few words."""


def find(name: str) -> str | None:
    """Where a program is; also in the directories that only root's PATH has."""
    return shutil.which(name, path=_PATH)


def is_for_nft(path: str) -> bool:
    """Whether a program that exists for two backends is the one for nf_tables."""
    return "nft" in Path(path).resolve().name


def output(path: str, *words: str) -> str:
    """What a program lists; raises Failed. It gets no input, and ends for sure."""
    with os.fdopen(os.memfd_create("complaints"), "rb") as complaints:
        try:
            process = subprocess.Popen(
                [path, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env={"PATH": _PATH, "LC_ALL": "C"},
            )
        except OSError as error:
            raise Failed(f"{Path(path).name}: {error.strerror}") from None
        listed = _read(process)
        complaints.seek(0)
        complaint = complaints.read(_COMPLAINT_MAX).decode(errors="replace").strip()
    if len(listed) > BYTES_MAX:
        raise Failed(f"{Path(path).name} lists more than {BYTES_MAX >> 20} MiB")
    if process.returncode != 0:
        said = complaint.splitlines()[0] if complaint else f"it ended with {process.returncode}"
        raise Failed(f"{Path(path).name}: {said}")
    return listed.decode(errors="replace")


def _read(process: "subprocess.Popen[bytes]") -> bytes:
    """All that it prints, up to one byte too many."""
    timer = threading.Timer(SECONDS_MAX, process.kill)
    timer.start()
    try:
        with process:
            listed = process.stdout.read(BYTES_MAX + 1) if process.stdout else b""
            if len(listed) > BYTES_MAX:
                process.kill()
    finally:
        timer.cancel()
    return listed
