"""Tables that know what they lack, and citations that say where a row was read.

A table is either ``Rows`` or ``Missing``: what nobody looked at is never an empty table. ``Rows``
carry extents: one for every listing they came from, each saying how much of the table that listing
covered and whether it was whole (a listing read through ``| grep`` is not).
"""

from typing import Generic, NamedTuple, TypeVar

from msgspec import Struct

R = TypeVar("R", covariant=True)


class Cite(NamedTuple):
    """Where a row was read: the number of a source in ``Snapshot.sources``, and a line.

    ``line`` counts from 1 in the file, paste or dump that the source was cut from; ``item`` tells
    apart the objects of JSON, which often stand on one line (0 for text).
    """

    source: int
    line: int
    item: int = 0


class Problem(Struct, frozen=True, gc=False):
    """Something in the input that could not be used. ``line`` is 0 when it concerns all of it."""

    source: str
    line: int
    message: str


class Source(Struct, frozen=True):
    """One listing: the output of one command, one file, one netlink dump.

    ``name`` is the command as a person would type it (or the file's name); ``origin`` the file,
    paste or host it was found in; ``first_line`` the number of the first line of ``text`` in the
    origin. ``text`` is None where the rows never were text (live netlink).
    """

    name: str
    origin: str = ""
    first_line: int = 1
    text: str | None = None


class Extent(Struct, frozen=True, gc=False):
    """What one listing covered: all devices of a namespace, or (``dev``) those of one bridge.

    ``complete`` is False when a filter, a cut mark or an unreadable line took something away: what
    is not in the rows is then unknown, not absent.
    """

    source: int
    netns: str = ""
    dev: str = ""
    complete: bool = True


class Rows(Struct, Generic[R], frozen=True, tag="rows"):
    """The rows of a table, in the order in which they were read."""

    rows: tuple[R, ...]
    extents: tuple[Extent, ...] = ()

    def complete(self, netns: str = "", dev: str = "") -> bool:
        """Whether some listing showed all of ``netns`` (or at least all of device ``dev``)."""
        return any(e.complete and e.netns == netns and e.dev in ("", dev) for e in self.extents)


class Missing(Struct, frozen=True, tag="missing"):
    """A table nobody looked at: why, and the command that would fill it."""

    reason: str
    command: str

    @property
    def rows(self) -> tuple[()]:
        """No rows, so that callers that only iterate need not ask."""
        return ()

    @property
    def extents(self) -> tuple[()]:
        """Nothing was covered."""
        return ()

    def complete(self, netns: str = "", dev: str = "") -> bool:
        """Never."""
        return False
