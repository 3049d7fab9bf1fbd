"""The kernel log: /dev/kmsg (``Documentation/ABI/testing/dev-kmsg``), as dmesg prints it."""

import errno
import os
from collections import deque

from hopback.snapshot.table import Missing, Problem
from hopback.sources.live.reading import Reading
from hopback.sources.parse import registry
from hopback.sources.parse.base import Text

_DEVICE = "/dev/kmsg"
_RECORD = 8192  # CONSOLE_EXT_LOG_MAX: a shorter buffer is refused
_LINES = 20_000
_READS = 1_000_000
_COMMAND = "sudo dmesg"


def read(reading: Reading) -> None:
    """Add what the log tells of bridges, DAD and devices.

    The log is the host's: its lines name devices without their namespace, so it is read with the
    namespace that hopback itself runs in.
    """
    log = registry.parser("kernel_log")
    try:
        lines = records()
    except OSError as error:
        refused = isinstance(error, PermissionError)
        reason = (
            "reading the kernel log needs CAP_SYSLOG" if refused else f"{_DEVICE}: {error.strerror}"
        )
        for kind in log.FILLS:
            reading.builder.miss(kind, Missing(reason, _COMMAND))
        reading.builder.problems.append(Problem("dmesg", 0, f"{reason} ({_COMMAND})"))
        return
    origin = reading.open("dmesg", "\n".join(lines))
    listing = Text(origin.source, "dmesg", lines, command=("dmesg",), netns=reading.netns)
    rows, problems, _ = log.parse(listing)
    # the ring forgets, and only its newest lines are read
    extent = reading.extent(origin, whole=False)
    reading.builder.add(rows, problems, log.FILLS, extent)


def records() -> list[str]:
    """The newest lines of the log, oldest first, in the form ``[   12.345678] text``."""
    lines: deque[str] = deque(maxlen=_LINES)
    handle = os.open(_DEVICE, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        for _ in range(_READS):  # a kernel that logs faster than we read must not keep us
            try:
                lines.append(_line(os.read(handle, _RECORD)))
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.EPIPE:  # overwritten meanwhile: the next read goes on
                    raise
    finally:
        os.close(handle)
    return list(lines)


def _line(record: bytes) -> str:
    """``6,1234,12345678,-;text`` and, on further lines, a dictionary nobody asked for."""
    prefix, _, message = record.decode(errors="replace").partition(";")
    micros = int(prefix.split(",")[2])
    return f"[{micros // 1_000_000:5}.{micros % 1_000_000:06}] {message.partition(chr(10))[0]}"
