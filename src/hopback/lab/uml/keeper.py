"""Sees to it that nothing of a user-mode kernel is left, whatever becomes of who asked for it.

usage: python -m hopback.lab.uml.keeper FOLDER SECONDS OUT ERR -- LINUX [OPTION ...]

User-mode Linux is a handful of processes: the kernel, its helpers, and one for each address space
inside. When the kernel is killed the others stay behind, and what they ran inside may run on
outside. So they get a process namespace, where that is allowed: it ends with the kernel. And they
keep to one process group: the keeper ends that whole group when the kernel halts or FOLDER/over is
there, when SECONDS have passed, and when the keeper's standard input ends, because the caller
closed it or died. Only then is FOLDER removed. Nothing is begun before the first byte of that
input: without one the caller was interrupted before it knew of its keeper.

OUT and ERR are the descriptors that carry the serial lines; they end when all is over, and
FOLDER/ended then says why: "halt", "time" or "gone", the caller.

Only the standard library is imported: this stands between the caller and the boot.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_CLONE_NEWPID, _CLONE_NEWUSER = 0x2000_0000, 0x1000_0000
_GLANCE_SECONDS = 0.05
_libc = ctypes.CDLL(None)


def _enclose() -> None:
    """Give the kernel a process namespace of its own, if we may: what is in it ends with the first.

    An ordinary user may at most within a user namespace, where he keeps the number that he has.
    """
    user, group = os.getuid(), os.getgid()
    if _libc.unshare(_CLONE_NEWPID) == 0:
        return
    if _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWPID) != 0:
        return
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        Path("/proc/self", name).write_text(line)


def _die_with_keeper() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _await(kernel: "subprocess.Popen[bytes]", over: Path, seconds: float) -> str:
    halted = os.pidfd_open(kernel.pid)
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        ready, _, _ = select.select([halted, 0], [], [], min(left, _GLANCE_SECONDS))
        # Now and then 6.1 says that it halted, and stays.
        if halted in ready or over.exists():
            return "halt"
        if ready:
            return "gone"
    return "time"


def _end_all(group: int) -> None:
    # Its leader has not been waited for, so the number is still its own.
    os.killpg(group, signal.SIGKILL)
    # The orphans are ours to collect, too: we asked for them below.
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass


def main(folder: Path, seconds: float, lines: Sequence[int], argv: Sequence[str]) -> None:
    if not os.read(0, 1):
        shutil.rmtree(folder, ignore_errors=True)
        return
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _enclose()
    with (folder / "console").open("wb") as console:
        kernel = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            pass_fds=lines,
            start_new_session=True,
            preexec_fn=_die_with_keeper,
        )
    ended = _await(kernel, folder / "over", seconds)
    _end_all(kernel.pid)
    (folder / "ended").write_text(ended)
    for line in lines:
        os.close(line)
    sys.stdin.read()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), [int(fd) for fd in sys.argv[3:5]], sys.argv[6:])
