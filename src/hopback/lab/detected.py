"""Holds the guest's duplicate detection on a kernel against what the model says of it."""

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from hopback.lab.duplicates import Detection
from hopback.lab.observed import AddressPhase, SceneSeen, Sight
from hopback.lab.predict import Passing
from hopback.lab.segment import Segment
from hopback.lab.staging import GUEST_SPOT

ENDS: dict[AddressPhase | None, str] = {
    "preferred": "ok",
    "tentative": "never ends",
    "dadfailed": "fails (dadfailed)",
    "gone": "fails, and the address is taken away",
    None: "was not played",
}
"""How a detection ends, in words."""


class DetectionSeen(Struct, frozen=True):
    """One address, foretold and seen; ``phase`` is None if it was not played."""

    expected: Detection
    phase: AddressPhase | None
    returned: bool
    heard: bool
    seen: tuple[Sight, ...]
    differences: tuple[str, ...] = ()

    @property
    def vacuous(self) -> bool:
        """Whether the address is taken as free although nobody was asked."""
        return self.phase == "preferred" and not self.heard


def first_missing(path: Sequence[Passing], seen: Sequence[Sight]) -> Passing | None:
    """The first hop of ``path`` that was not seen after the ones before it."""
    left = iter(seen)
    for passing in path:
        if not any((s.spot, s.way) == (passing.spot, passing.way) for s in left):
            return passing
    return None


def seen_detections(
    segment: Segment, expected: Sequence[Detection], scene: SceneSeen
) -> tuple[DetectionSeen, ...]:
    """Each address as ``scene`` shows it."""
    return tuple(_seen(segment, one, scene) for one in expected)


def _seen(segment: Segment, expected: Detection, scene: SceneSeen) -> DetectionSeen:
    at_home = {(segment.home.name, "in"), (segment.home.name, "out")}
    own = {(GUEST_SPOT, "in"), (GUEST_SPOT, "out")}
    sights = tuple(s for s in scene.sights if s.message == expected.message)
    phases = {told.message: told.phase for told in scene.detected}
    seen = DetectionSeen(
        expected=expected,
        phase=phases.get(expected.message),
        returned=any((s.spot, s.way) == (GUEST_SPOT, "in") for s in sights),
        heard=not sights or any((s.spot, s.way) not in at_home | own for s in sights),
        seen=tuple(s for s in sights if (s.spot, s.way) != (GUEST_SPOT, "out")),
    )
    if not expected.sure:
        return seen
    found = (f"{scene.name}: {expected.address} {what}" for what in _missteps(seen))
    return replace(seen, differences=tuple(found))


def _missteps(seen: DetectionSeen) -> Iterator[str]:
    expected = seen.expected
    if expected.phase != seen.phase:
        yield f"should end “{ENDS[expected.phase]}”, and ends “{ENDS[seen.phase]}”"
    elif expected.returned != seen.returned:
        yield "is probed, and the probe " + _otherwise(expected.returned, "returns to the guest")
    elif expected.heard != seen.heard:
        yield "is probed, and the probe " + _otherwise(expected.heard, "is heard by others")
    elif missing := first_missing(expected.path, seen.seen):
        way = "in by" if missing.way == "in" else "out of"
        yield f"is probed, and the probe was not seen {way} {missing.spot}"


def _otherwise(foretold: bool, what: str) -> str:
    return f"never {what}, as it should" if foretold else f"{what}, as it should not"
