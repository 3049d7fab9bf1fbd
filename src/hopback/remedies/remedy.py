"""What a remedy is: commands for a host, and the same change of a snapshot, to be tried first."""

from collections.abc import Callable

from msgspec import Struct

from hopback.findings import Fix
from hopback.remedies.target import Target
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Edit


class Remedy(Struct, frozen=True):
    """``plan`` gives the commands, None where it does not apply; ``edits`` what they change.

    Whoever runs the commands on a host and reads its tables finds them as ``edits`` leaves them, as
    far as it matters to a frame. ``filters``: it is a packet filter.
    """

    name: str
    plan: Callable[[Target], Fix | None]
    edits: Callable[[Snapshot, Target], tuple[Edit, ...]]
    filters: bool = False
