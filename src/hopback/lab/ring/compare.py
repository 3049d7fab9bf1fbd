"""What a real kernel did with a ring's packet, beside what the model says."""

from collections.abc import Iterator

from msgspec import Struct

from hopback.lab.observed import Observed, SceneSeen
from hopback.lab.ring.hosts import CLIENT
from hopback.lab.ring.plan import FIXED, RECORDED, Expected, RingDesign
from hopback.lab.steps import Refused


class RingSeen(Struct, frozen=True):
    """One packet: how often it was seen to arrive at a host, and whether the client was told.

    ``endless``: more often than its hops allow.
    """

    frames: int
    endless: bool
    told: bool
    expected: Expected

    @property
    def differences(self) -> tuple[str, ...]:
        """What the model says otherwise, a sentence each."""
        return tuple(self._differences())

    def _differences(self) -> Iterator[str]:
        wanted = self.expected.frames
        if self.endless != (wanted is None):
            said = "without end" if wanted is None else f"{wanted} frames"
            seen = "without end" if self.endless else f"{self.frames} frames"
            yield f"the model says {said}, the kernel {seen}"
        elif wanted is not None and wanted != self.frames:
            yield f"the model says {wanted} frames, the kernel {self.frames}"
        if self.told != (self.expected.told_by is not None):
            yield (
                f"the model says that {self.expected.told_by} tells the client, the kernel does not"
                if self.expected.told_by
                else "the kernel tells the client something, the model says nothing"
            )


class RingResult(Struct, frozen=True):
    """Both scenes. ``went_round``: as in the incident; ``mended``: with the fix it does not."""

    kernel: str
    recorded: RingSeen
    fixed: RingSeen | None
    deaf: tuple[str, ...]

    @property
    def went_round(self) -> bool:
        """Whether one packet made more frames than there are hosts."""
        return self.recorded.endless or self.recorded.frames > _FEW

    @property
    def mended(self) -> bool:
        """Whether it no longer does with the fix."""
        seen = self.fixed
        return seen is not None and not seen.endless and seen.frames <= _FEW

    @property
    def differences(self) -> tuple[str, ...]:
        """All that the model says otherwise."""
        fixed = self.fixed.differences if self.fixed else ()
        return (*self.recorded.differences, *(f"with the fix {text}" for text in fixed))


_FEW = 8
"""Frames of a packet that goes through a ring's hosts and ends."""


def compare_ring(design: RingDesign, observed: Observed) -> RingResult:
    """What came of the design's scenes. Raises Refused where one is missing."""
    first = observed.scene(RECORDED)
    if first is None:
        raise Refused("the lab did not play the scene")
    second = observed.scene(FIXED)
    fixed = None
    if second is not None and design.fixed is not None:
        fixed = _seen(design, second, design.fixed)
    deaf = (*first.deaf, *(second.deaf if second else ()))
    return RingResult(observed.kernel, _seen(design, first, design.recorded), fixed, deaf)


def _seen(design: RingDesign, scene: SceneSeen, expected: Expected) -> RingSeen:
    arrived = [s for s in scene.sights if s.way == "in" and s.message == design.message]
    at_hosts = [sight for sight in arrived if sight.spot != CLIENT]
    heard = any(s.spot == CLIENT and s.message == f"{design.message} told" for s in scene.sights)
    endless = scene.uncounted > 0 or len(at_hosts) > _HOPS_MAX
    return RingSeen(len(at_hosts), endless, heard, expected)


_HOPS_MAX = 255
