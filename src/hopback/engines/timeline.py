"""Virtual time: what happens when, in an order that only the plan decides."""

from heapq import heappop, heappush
from typing import Generic, Literal, TypeVar

from msgspec import Struct

from hopback.datapath.effects import Why
from hopback.network.facts import DevId

E = TypeVar("E")

Ended = Literal["quiet", "time", "events"]
"""quiet: nothing was left to happen but ageing; time, events: a bound was reached."""

Kind = Literal[
    "sent", "moved", "heard", "left", "lost", "learned", "aged", "address", "lease", "log", "blind"
]


class Entry(Struct, frozen=True):
    """Something that happened, ``at`` so many ns of virtual time, on a device."""

    at: int
    dev: DevId
    kind: Kind
    what: str
    why: Why

    def line(self) -> str:
        """As text: seconds with nine digits, the device, what happened, and the rule."""
        dev = "/".join(part for part in self.dev if part)
        seconds, rest = divmod(self.at, 1_000_000_000)
        return f"{seconds}.{rest:09} {dev}: {self.kind}: {self.what} ({self.why.rule})"


class Timeline(Generic[E]):
    """Events by time, those of one moment in the order of their planning; bounded in both."""

    def __init__(self, until: int, most: int) -> None:
        self.now = 0
        self.beyond = False
        self._until = until
        self._left = most
        self._count = 0
        self._heap: list[tuple[int, int, E]] = []

    def plan(self, delay: int, event: E, *, idle: bool = False) -> None:
        """Let ``event`` happen ``delay`` ns from now. ``idle``: nobody waits for it to happen."""
        at = self.now + delay
        if at > self._until:
            self.beyond = self.beyond or not idle
            return
        self._count += 1
        heappush(self._heap, (at, self._count, event))

    def next(self) -> E | Ended:
        """The next event, its time being now; or how it ended."""
        if not self._heap:
            return "time" if self.beyond else "quiet"
        if not self._left:
            return "events"
        self._left -= 1
        self.now, _, event = heappop(self._heap)
        return event
