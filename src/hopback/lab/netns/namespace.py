"""Network namespaces, entered by a thread for a moment.

A child process inherits the namespace of the thread that starts it, a socket the one it was opened
in: whatever is started or opened inside ``with namespace:`` stays there.
"""

import ctypes
import os
from pathlib import Path
from types import TracebackType

CLONE_NEWNET = 0x4000_0000
OWN = Path("/proc/thread-self/ns/net")

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: int) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


class Namespace:
    """A network namespace held by a file descriptor; entered with ``with``, once at a time."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._back = -1

    @classmethod
    def anonymous(cls) -> "Namespace":
        """A new namespace without a name: the kernel forgets it with its last user."""
        back = os.open(OWN, os.O_RDONLY)
        try:
            _call("unshare", CLONE_NEWNET)
            try:
                made = cls(os.open(OWN, os.O_RDONLY))
                made._silence()
            finally:
                _call("setns", back, CLONE_NEWNET)
        finally:
            os.close(back)
        return made

    @classmethod
    def named(cls, name: str) -> "Namespace":
        """The namespace that ``ip netns add`` made."""
        made = cls(os.open(Path("/run/netns") / name, os.O_RDONLY))
        with made:
            made._silence()
        return made

    def _silence(self) -> None:
        # Else every port speaks by itself: router solicitations, DAD, MLD reports.
        for scope in ("all", "default"):
            switch = Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6")
            if switch.exists():
                switch.write_text("1")

    def __enter__(self) -> None:
        self._back = os.open(OWN, os.O_RDONLY)
        _call("setns", self._fd, CLONE_NEWNET)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _call("setns", self._back, CLONE_NEWNET)
        os.close(self._back)

    def fileno(self) -> int:
        """The descriptor that holds it."""
        return self._fd

    def close(self) -> None:
        os.close(self._fd)
