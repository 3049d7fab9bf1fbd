"""The first process inside: mounts, loads modules, runs the job, says how it ended, and halts.

usage (as the kernel's init): python -m hopback.lab.uml.init FOLDER

FOLDER/job.json says what to do, FOLDER/given is its input; FOLDER/code gets the exit code, or
FOLDER/failed the reason for which there is none, and FOLDER/over appears after all. The job's
output and errors leave by the two serial lines. It speaks into pipes, not into the lines
themselves, lest it think itself at a terminal.

Only the standard library is imported: every import is paid for at every boot.
"""

import ctypes
import json
import os
import signal
import stat
import subprocess
import sys
import termios
import threading
import traceback
import tty
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from hopback.lab.uml.modules import Modules, NoSuchModule

_POWER_OFF = 0x4321_FEDC
_NOT_FOUND = 127  # as a shell has it
_OUTPUT, _ERRORS = 0, 1  # serial lines
_ALWAYS = ("ipv6", "configs")
"""Loaded by the way, ipv6 would be missing where a namespace is made silent, and speak up later.
By /proc/config.gz, which is configs, ``sources.live`` tells what is absent from what is unknown."""

_libc = ctypes.CDLL(None, use_errno=True)


def _mount(kind: str, target: str, source: str = "none", option: str = "") -> None:
    words = [word.encode() for word in (source, target, kind)]
    if _libc.mount(*words, 0, option.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {kind} on {target}: {os.strerror(number)}")


def _mount_all(folder: Path, writable: str | None) -> None:
    _mount("proc", "/proc")
    _mount("sysfs", "/sys")
    _mount("tmpfs", "/run")
    for path in ("/dev/pts", "/dev/shm", "/run/tmp"):  # noqa: S108
        Path(path).mkdir(exist_ok=True)
    _mount("devpts", "/dev/pts")
    _mount("tmpfs", "/dev/shm")  # noqa: S108
    for path in filter(None, (str(folder), writable)):
        _mount("hostfs", path, option=path)


def _make_nodes(modules_folder: Path) -> None:
    """Device nodes whose opening loads the module (/dev/net/tun), which elsewhere udev makes."""
    for line in (modules_folder / "modules.devname").read_text().splitlines():
        if line.startswith("#"):
            continue
        _, name, device = line.split()
        node = Path("/dev", name)
        node.parent.mkdir(parents=True, exist_ok=True)
        if not node.exists():
            kind = stat.S_IFCHR if device[0] == "c" else stat.S_IFBLK
            major, minor = device[1:].split(":")
            os.mknod(node, kind | 0o600, os.makedev(int(major), int(minor)))


def _load_modules(folder: Path, names: list[str]) -> None:
    """Load what was asked for, and let the kernel load the rest when it misses it."""
    helper = Path("/run/modprobe")
    helper.write_text(
        f"#!/bin/sh\nPYTHONPATH={folder}/lib exec {folder}/python -S"
        f' -m hopback.lab.uml.modules {folder}/modules "$@"\n'
    )
    helper.chmod(0o755)
    Path("/proc/sys/kernel/modprobe").write_text(str(helper))
    modules = Modules(folder / "modules")
    for name in (*_ALWAYS, *names):
        modules.load(name)


def _open_line(number: int) -> BinaryIO:
    descriptor = os.open(f"/dev/ttyS{number}", os.O_RDWR | os.O_NOCTTY)
    tty.setraw(descriptor)
    return os.fdopen(descriptor, "wb", buffering=0)


def _copy(source: BinaryIO, line: int) -> None:
    with source, _open_line(line) as target:
        while data := os.read(source.fileno(), 1 << 16):
            while data:
                data = data[target.write(data) :]
        termios.tcdrain(target)


def _run(job: dict[str, Any], given: BinaryIO) -> int:
    """Run the job, and collect every orphan meanwhile; what outlives the job is killed."""
    try:
        process = subprocess.Popen(
            job["argv"],
            cwd=job["cwd"],
            env=job["env"],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        _copy(_spoken(f"{error.filename}: {error.strerror}"), _ERRORS)
        return _NOT_FOUND
    copiers = [
        threading.Thread(target=_copy, args=pipe)
        for pipe in ((process.stdout, _OUTPUT), (process.stderr, _ERRORS))
    ]
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


def _spoken(text: str) -> BinaryIO:
    reader, writer = os.pipe()
    os.write(writer, text.encode() + b"\n")
    os.close(writer)
    return os.fdopen(reader, "rb")


def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text())
    _mount_all(folder, job["writable"])
    _make_nodes(folder / "modules")
    try:
        _load_modules(folder, job["modules"])
        with (folder / "given").open("rb") as given:
            code = _run(job, given)
        (folder / "code").write_text(str(code))
    except (NoSuchModule, OSError) as error:
        (folder / "failed").write_text(str(error))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except Exception:
        # The kernel would panic if its first process ended; this is on the console, at least.
        traceback.print_exc()
    with suppress(OSError):  # where the folder could not be mounted
        Path(sys.argv[1], "over").touch()
    _libc.reboot(_POWER_OFF)
