"""The first process inside: mounts, loads modules, runs the job, says how it ended, and halts.

usage (as the kernel's init): python -m hopback.lab.uml.init FOLDER

FOLDER/job.json says what to do (``boot.Job``); FOLDER/code gets the exit code. The job's output and
errors leave by the two serial lines. It speaks into pipes, not into the lines themselves, lest it
think itself at a terminal.

Only the standard library is imported: every import is paid for at every boot.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import termios
import threading
import tty
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from hopback.lab.uml.modules import Modules

_POWER_OFF = 0x4321_FEDC
_NOT_FOUND = 127
_libc = ctypes.CDLL(None, use_errno=True)


def _mount(kind: str, target: str, source: str = "none", option: str = "") -> None:
    words = [word.encode() for word in (source, target, kind)]
    if _libc.mount(*words, 0, option.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {kind} on {target}: {os.strerror(number)}")


def _mount_all(folder: str, writable: str | None) -> None:
    _mount("proc", "/proc")
    _mount("sysfs", "/sys")
    _mount("tmpfs", "/run")
    for path in ("/dev/pts", "/dev/shm", "/run/tmp"):  # noqa: S108
        Path(path).mkdir(exist_ok=True)
    _mount("devpts", "/dev/pts")
    _mount("tmpfs", "/dev/shm")  # noqa: S108
    for path in filter(None, (folder, writable)):
        _mount("hostfs", path, option=path)


def _load_modules(folder: str, modules_folder: str, names: list[str]) -> None:
    """Load what was asked for, and let the kernel load the rest when it misses it."""
    helper = Path("/run/modprobe")
    helper.write_text(
        f"#!/bin/sh\nPYTHONPATH={folder}/lib exec {folder}/python -S"
        f" -m hopback.lab.uml.modules {folder}/modules \"$@\"\n"
    )
    helper.chmod(0o755)
    Path("/proc/sys/kernel/modprobe").write_text(str(helper))
    modules = Modules(Path(modules_folder))
    for name in names:
        modules.load(name)


def _copy(source: BinaryIO, line: str) -> None:
    descriptor = os.open(line, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(descriptor)
    with open(descriptor, "wb", buffering=0) as target:
        while data := os.read(source.fileno(), 1 << 16):
            while data:
                data = data[target.write(data) :]
        termios.tcdrain(target)


def _run(job: dict[str, Any]) -> int:
    """Run the job, and collect every orphan meanwhile; what outlives the job is killed."""
    try:
        process = subprocess.Popen(
            job["argv"],
            cwd=job["cwd"],
            env=job["env"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        _say(f"{job['argv'][0]}: {error.strerror}")
        return _NOT_FOUND
    pipes = zip((process.stdout, process.stderr), ("/dev/ttyS0", "/dev/ttyS1"), strict=True)
    copiers = [threading.Thread(target=_copy, args=pipe) for pipe in pipes]
    for copier in copiers:
        copier.start()
    ended, status = 0, 0
    while ended != process.pid:
        ended, status = os.wait()
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    for copier in copiers:
        copier.join()
    return os.waitstatus_to_exitcode(status)


def main(folder: str) -> None:
    job = json.loads((Path(folder) / "job.json").read_text())
    _mount_all(folder, job["writable"])
    _load_modules(folder, job["modules_folder"], job["modules"])
    (Path(folder) / "code").write_text(str(_run(job)))


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    finally:
        # On failure the traceback is on the console, and no code is written.
        sys.excepthook(*sys.exc_info()) if sys.exc_info()[0] else None
        _libc.reboot(_POWER_OFF)
