"""Network namespaces: which there are, what they are called, and how to be in one.

A namespace is its inode on nsfs. Its name is that under /run/netns (``ip netns``), else ``pid:N``
of the lowest process in it; "" is the one hopback itself runs in.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

Result = TypeVar("Result")

_NAMED = Path("/run/netns")
_CLONE_NEWNET = 0x40000000


class Netns(NamedTuple):
    """A network namespace and a path by which it can be opened while it lives."""

    name: str
    path: str
    inode: int


class Found(NamedTuple):
    """All namespaces that can be seen, own first; ``hidden`` counts processes we may not ask."""

    namespaces: tuple[Netns, ...]
    hidden: int
    stale: tuple[str, ...]  # names under /run/netns that hold no namespace


def find() -> Found:
    """Look in /run/netns and at every process."""
    # by thread id: the same path has to mean the same namespace when another thread opens it
    path = f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net"
    own = Path(path).stat()
    known = {own.st_ino: Netns("", path, own.st_ino)}
    stale: list[str] = []
    for entry in sorted(_NAMED.iterdir()) if _NAMED.is_dir() else ():
        status = entry.stat()
        if status.st_dev != own.st_dev:
            stale.append(entry.name)  # what `ip netns` leaves when its mount is gone
        else:
            known.setdefault(status.st_ino, Netns(entry.name, str(entry), status.st_ino))
    hidden = _add_processes(known)
    return Found(tuple(known.values()), hidden, tuple(stale))


def _add_processes(known: dict[int, Netns]) -> int:
    """Add the namespaces that have no name but a process; how many processes we may not ask."""
    hidden = 0
    for pid in sorted(
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()
    ):
        path = f"/proc/{pid}/ns/net"
        try:
            inode = Path(path).stat().st_ino
        except PermissionError:
            hidden += 1
        except OSError:
            continue  # it has just exited
        else:
            known.setdefault(inode, Netns(f"pid:{pid}", path, inode))
    return hidden


def within(netns: Netns, job: Callable[[], Result]) -> Result:
    """Run ``job`` in a thread inside ``netns`` that ends with it, so that ours never moves.

    Raises OSError if the namespace cannot be entered (EPERM without CAP_SYS_ADMIN), and what
    ``job`` raises.
    """
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            if netns.name:
                _enter(netns.path)
            outcome.append(job())
        except BaseException as error:  # carried over to the caller's thread
            failure.append(error)

    worker = threading.Thread(target=run, name=f"netns {netns.name}", daemon=True)
    worker.start()
    worker.join()
    if failure:
        raise failure[0]
    return outcome[0]


def _enter(path: str) -> None:
    """setns(2) for this thread (os.setns came with Python 3.12)."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(handle, _CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(handle)
