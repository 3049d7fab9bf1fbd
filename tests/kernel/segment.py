"""An Ethernet segment between taps: a learning switch in this process, which notes what passes.

Nothing circulates in it but what we carry, so a storm is as long as we let it be: after
``frames_max`` frames the segment is cut, and it is gone when the process ends.
"""

import os
import select
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple

from hopback.frames.mac import is_group, mac_from_bytes
from tests.kernel.tap import drain

_QUIET_SECONDS = 0.05


class Passed(NamedTuple):
    """A frame on the wire: when (ns since 1970), and the tap that it came from."""

    at: int
    sender: str
    frame: bytes


class Segment:
    """``taps``: descriptors by name."""

    def __init__(self, taps: Mapping[str, int], frames_max: int) -> None:
        self._taps = taps
        self._left = frames_max
        self._table: dict[int, str] = {}
        self._passed: list[Passed] = []

    @property
    def cut(self) -> bool:
        """Whether so many frames have passed that none passes any more."""
        return self._left <= 0

    def take(self) -> list[Passed]:
        """The frames that have passed since it was last asked."""
        taken, self._passed = self._passed, []
        return taken

    def send(self, name: str, frame: bytes) -> None:
        """What somebody behind ``name`` would send: it passes like any other."""
        self._pass(name, frame)

    def settle(self) -> None:
        """Carry frames until all is silent, or the segment is cut.

        What a host takes out of a tunnel it looks at a moment later (net/core/gro_cells.c).
        """
        while sum(self._carry(name) for name in self._taps) or self._hears(_QUIET_SECONDS):
            pass

    def serve(self, until: threading.Event) -> None:
        """Carry frames as they come, until the event is set."""
        names = {tap: name for name, tap in self._taps.items()}
        while not until.is_set():
            for tap in select.select(list(names), [], [], 0.05)[0]:
                self._carry(names[tap])

    def _hears(self, seconds: float) -> bool:
        """Whether a frame comes in that time."""
        return bool(select.select(list(self._taps.values()), [], [], seconds)[0])

    def _carry(self, name: str) -> int:
        """How many frames came from there."""
        frames = drain(self._taps[name])
        for frame in frames:
            self._pass(name, frame)
        return len(frames)

    def _pass(self, sender: str, frame: bytes) -> None:
        if self.cut:
            return
        self._left -= 1
        self._passed.append(Passed(time.time_ns(), sender, frame))
        target, source = (mac_from_bytes(frame[i : i + 6]) for i in (0, 6))
        self._table[source] = sender
        known = None if is_group(target) else self._table.get(target)
        for name in [known] if known else self._taps:
            if name != sender:
                os.write(self._taps[name], frame)
