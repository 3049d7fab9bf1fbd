"""Exit codes. When several apply, the worst wins."""

from collections.abc import Iterable

CLEAR = 0
FOUND = 1  # findings, or undecided
USAGE = 2
UNREAD = 3  # some source could not be read
INTERNAL = 4
STUCK = 5  # a fix could not be undone: this host is not as it was
DENIED = 77  # nothing could be read for lack of privilege
INTERRUPTED = 130  # as a shell tells of SIGINT

_WORST_FIRST = (INTERNAL, STUCK, USAGE, DENIED, UNREAD, FOUND, CLEAR)


def worst(codes: Iterable[int]) -> int:
    """The worst of ``codes``; 0 if there are none."""
    return min(codes, key=_WORST_FIRST.index, default=CLEAR)
