"""What the kernel logs, by syslog(2), which needs no device node."""

import ctypes
import os
import re

_READ_ALL, _CLEAR = 3, 5
_SIZE = 1 << 18
_HEAD = re.compile(r"<\d+>(?:\[ *[\d.]+\] )?")  # a kernel may be told to leave out the time

_libc = ctypes.CDLL(None, use_errno=True)


class KernelLog:
    """The log since it was last cleared. Both need CAP_SYSLOG, and a kernel of one's own."""

    def clear(self) -> None:
        """Forget what is there."""
        _ask(_CLEAR, None, 0)

    def lines(self) -> tuple[str, ...]:
        """The lines since then, without level and time."""
        buffer = ctypes.create_string_buffer(_SIZE)
        size = _ask(_READ_ALL, buffer, _SIZE)
        text = buffer.raw[:size].decode(errors="replace")
        return tuple(_HEAD.sub("", line) for line in text.splitlines())


def _ask(action: int, buffer: "ctypes.Array[ctypes.c_char] | None", size: int) -> int:
    told = int(_libc.klogctl(action, buffer, size))
    if told < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"kernel log: {os.strerror(number)}")
    return told
