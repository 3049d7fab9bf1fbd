"""What a runner saw, as data that can come back from another process or kernel as JSON."""

from typing import Literal, Protocol

import msgspec
from msgspec import Struct

from hopback.frames.mac import Mac
from hopback.lab.steps import Plan

Way = Literal["in", "out"]


class Sight(Struct, frozen=True, gc=False):
    """A frame of a scene at a spot: ``at`` ns since the scene began; ``message`` is its name."""

    spot: str
    way: Way
    message: str
    at: int


class Learned(Struct, frozen=True, gc=False):
    """An entry of a bridge's table that is not one of its own addresses."""

    space: str
    bridge: str
    mac: Mac
    device: str
    sticky: bool = False
    vlan: int = 0


AddressPhase = Literal["preferred", "tentative", "dadfailed", "gone"]


class Detected(Struct, frozen=True):
    """How the duplicate detection ended whose probes are called ``message``."""

    message: str
    phase: AddressPhase


class Pinged(Struct, frozen=True):
    """Who answered the ping whose request is called ``message``, None for nobody."""

    message: str
    answered_by: str | None


def answer_to(message: str) -> str:
    """What the answer to the ping ``message`` is called."""
    return f"{message} answered"


class SceneSeen(Struct, frozen=True):
    """What became of a scene.

    ``deaf`` names the spots whose observer missed a canary, ``lost`` counts the frames that
    observers had no room for: where either is not empty, not having seen a frame proves nothing.
    ``log`` is what the kernel logged, None where it is shared and was not read. ``strangers``
    counts frames that no scene sent, ``uncounted`` copies past the plan's bound.
    """

    name: str
    sights: tuple[Sight, ...]
    before: tuple[Learned, ...]
    after: tuple[Learned, ...]
    deaf: tuple[str, ...] = ()
    lost: int = 0
    strangers: int = 0
    uncounted: int = 0
    log: tuple[str, ...] | None = None
    detected: tuple[Detected, ...] = ()
    pinged: tuple[Pinged, ...] = ()


class Observed(Struct, frozen=True):
    """All scenes, the kernel they were played on, and how long building took (s)."""

    kernel: str
    scenes: tuple[SceneSeen, ...]
    built_in: float = 0.0
    refused: str | None = None
    denied: bool = False

    def scene(self, name: str) -> SceneSeen | None:
        """The scene of that name."""
        return next((s for s in self.scenes if s.name == name), None)


class Runner(Protocol):
    """Builds and plays a plan somewhere. Raises ``steps.Refused`` where it cannot."""

    def run(self, plan: Plan) -> Observed:
        """Play ``plan`` and leave nothing behind."""
        ...


def encode_observed(observed: Observed) -> bytes:
    """The observation as JSON."""
    return msgspec.json.encode(observed)


def decode_observed(data: bytes) -> Observed:
    """The observation in ``data``; msgspec.DecodeError if it is none."""
    return msgspec.json.decode(data, type=Observed)
