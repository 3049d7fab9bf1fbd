"""Listings that contradict one another about a setting: said, never resolved in silence."""

from collections.abc import Iterator

from hopback.network.members import PORT_FLAGS
from hopback.snapshot.model import Snapshot
from hopback.snapshot.table import Cite, Problem


def conflicts_of(snapshot: Snapshot) -> Iterator[Problem]:
    """A problem for each port flag of which two listings of ``snapshot`` say the opposite."""
    seen: dict[tuple[str, str, str], tuple[bool, Cite]] = {}
    for row in snapshot.ports.rows:
        for flag in PORT_FLAGS:
            value = getattr(row, flag)
            if value is None:
                continue
            key = (row.netns, row.name, flag)
            before = seen.get(key)
            seen[key] = (value, row.cite)
            if before is not None and before[0] != value:
                yield _problem(snapshot, row.name, flag, before[1], row.cite, value)


def _problem(
    snapshot: Snapshot, port: str, flag: str, before: Cite, now: Cite, value: bool
) -> Problem:
    first = snapshot.sources[before.source].name
    return Problem(
        snapshot.sources[now.source].name,
        now.line,
        f"{flag} of {port} is {'on' if value else 'off'} here but was {'off' if value else 'on'}"
        f" in {first}, line {before.line}; the later is taken",
    )
