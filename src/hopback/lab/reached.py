"""Holds what the guest reaches on a kernel against what the model says of it."""

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from hopback.engines.flow import FlowEnd
from hopback.lab.detected import first_missing
from hopback.lab.floating import Reach
from hopback.lab.observed import SceneSeen, Sight, answer_to
from hopback.lab.staging import GUEST_SPOT

ENDS: dict[FlowEnd | None, str] = {
    "answered": "is answered",
    "another-address": "is answered by another address, for which nobody waits",
    "request-lost": "is lost on its way",
    "reply-lost": "arrives, and its answer is lost",
    "out-of-sight": "goes out of sight",
    None: "was not played",
}
"""How a ping ends, in words."""


class ReachSeen(Struct, frozen=True):
    """One ping, foretold and seen; ``seen`` are the request's sights, ``end`` None if not played.

    ``lost_at`` is where the request was seen last, "" if the guest took it.
    """

    expected: Reach
    end: FlowEnd | None
    lost_at: str
    seen: tuple[Sight, ...]
    differences: tuple[str, ...] = ()


def seen_reaches(expected: Sequence[Reach], scene: SceneSeen) -> tuple[ReachSeen, ...]:
    """Each ping as ``scene`` shows it."""
    return tuple(_seen(one, scene) for one in expected)


def _seen(expected: Reach, scene: SceneSeen) -> ReachSeen:
    answers = {told.message: told.answered_by for told in scene.pinged}
    every = [s for s in scene.sights if s.message == expected.message]
    sights = tuple(s for s in every if (s.spot, s.way) != (GUEST_SPOT, "out"))
    answered = any(
        (s.spot, s.way, s.message) == (GUEST_SPOT, "out", answer_to(expected.message))
        for s in scene.sights
    )
    end: FlowEnd | None = None
    if expected.message in answers:
        by = answers[expected.message]
        if by is not None:
            end = "answered" if by == str(expected.target) else "another-address"
        else:
            end = "reply-lost" if answered else "request-lost"
    lost_at = sights[-1].spot if sights and end == "request-lost" else ""
    seen = ReachSeen(expected, end, lost_at, sights)
    if expected.end == "out-of-sight":
        return seen
    return replace(seen, differences=tuple(f"{scene.name}: {d}" for d in _missteps(seen)))


def _missteps(seen: ReachSeen) -> Iterator[str]:
    expected = seen.expected
    ping = f"the guest's ping of {expected.target}"
    if expected.end != seen.end:
        yield f"{ping} should end “{ENDS[expected.end]}”, and ends “{ENDS[seen.end]}”"
    elif expected.lost_at != seen.lost_at:
        yield f"{ping} should be lost at {expected.lost_at}, and is at {seen.lost_at}"
    elif missing := first_missing(expected.path, seen.seen):
        way = "in by" if missing.way == "in" else "out of"
        yield f"{ping} was not seen {way} {missing.spot}"
