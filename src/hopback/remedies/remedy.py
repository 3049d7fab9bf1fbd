"""What a remedy is: commands for a host, and the same change of a snapshot, to be tried first."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from hopback.findings import Fix
from hopback.remedies.target import Target
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Edit, patch
from hopback.snapshot.table import Source

About = TypeVar("About")
"""What a remedy is for: a port, a ring."""


class Remedy(Struct, frozen=True):
    """``plan`` gives the commands, None where it does not apply; ``edits`` what they change.

    Whoever runs the commands on a host and reads its tables finds them as ``edits`` leaves them, as
    far as it matters to a frame. ``filters``: it is a packet filter.
    """

    name: str
    plan: Callable[[Target], Fix | None]
    edits: Callable[[Snapshot, Target], tuple[Edit, ...]]
    filters: bool = False


def with_fix(
    snapshot: Snapshot, fix: Fix, edits: Callable[[Snapshot, About], Iterable[Edit]], about: About
) -> Snapshot:
    """The snapshot as ``fix`` leaves its host; the new rows cite its commands."""
    if snapshot.host != fix.host:
        return snapshot
    source = Source(fix.commands[-1], origin=fix.name)
    return replace(patch(snapshot, edits(snapshot, about)), sources=(*snapshot.sources, source))
