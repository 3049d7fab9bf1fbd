"""What every dump of one namespace needs: where rows go, how they cite, what devices are called."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from hopback.snapshot.model import Builder
from hopback.snapshot.rows import Row
from hopback.snapshot.table import Cite, Extent, Missing, Problem, Source
from hopback.sources.live.netlink import Dump, Netlink


class Names(dict[int, str]):
    """Device names by index. A device that came after RTM_GETLINK is ``ifN``, as iproute2 says."""

    def __missing__(self, index: int) -> str:
        return f"if{index}"


class Origin(NamedTuple):
    """Where the rows of one dump come from. The n-th message is line n of its source."""

    source: int
    netns: str
    names: Names

    def cite(self, line: int) -> Cite:
        """The citation of message ``line`` (from 1)."""
        return Cite(self.source, line)


Decoder = Callable[[Origin, Iterable[bytes]], Iterable[Row]]


class Reading:
    """One namespace being read into a builder by the thread that is inside it."""

    def __init__(self, builder: Builder, host: str, netns: str) -> None:
        self.builder = builder
        self.host = host
        self.netns = netns
        self.names = Names()
        self.devices_whole = False

    def open(self, name: str, text: str | None = None) -> Origin:
        """A new source with its command's ``name``, for rows of this namespace."""
        origin = f"{self.host}, network namespace {self.netns}" if self.netns else self.host
        return Origin(self.builder.open(Source(name, origin, text=text)), self.netns, self.names)

    def extent(self, origin: Origin, whole: bool = True) -> Extent:
        """An extent that covers this namespace."""
        return Extent(origin.source, self.netns, complete=whole)

    def problem(self, name: str, message: str) -> None:
        """Report what could not be read."""
        where = f"{name} in network namespace {self.netns}" if self.netns else name
        self.builder.problems.append(Problem(where, 0, message))

    def dump(self, link: Netlink, name: str, kind: int, body: bytes) -> tuple[Origin, Dump]:
        """Ask the kernel; an interrupted dump is used and said to be not whole."""
        origin = self.open(name)
        found = link.dump(kind, body)
        if not found.whole:
            self.problem(name, "the table kept changing while it was read: it may lack rows")
        return origin, found

    def take(
        self,
        link: Netlink,
        kind: int,
        requests: Sequence[tuple[str, bytes]],
        decode: Decoder,
        fills: type[Row],
    ) -> None:
        """Dump and decode one table, in as many requests (name, body) as the kernel wants.

        The namespace's part of the table is whole only if every request was answered wholly.
        """
        answered: list[tuple[Origin, bool]] = []
        for name, body in requests:
            try:
                origin, found = self.dump(link, name, kind, body)
            except OSError as error:
                self.refuse(fills, name, error)
                continue
            self.builder.add(decode(origin, found.messages))
            answered.append((origin, found.whole))
        if answered:
            whole = len(answered) == len(requests) and all(steady for _, steady in answered)
            self.builder.add((), fills=(fills,), extent=self.extent(answered[-1][0], whole))

    def refuse(self, fills: type[Row], name: str, error: OSError) -> None:
        """Say that a table could not be read, and what a person would type instead."""
        privilege = isinstance(error, PermissionError)
        reason = "needs CAP_NET_ADMIN" if privilege else error.strerror or str(error)
        command = name.partition("(")[2].rstrip(")") or name
        command = f"sudo {command}" if privilege else command
        self.problem(name, f"{reason}: {command}")
        self.builder.miss(fills, Missing(f"{name}: {reason}", command))
