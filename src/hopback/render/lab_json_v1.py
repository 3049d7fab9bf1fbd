"""The JSON of ``lab``, version 1: types of its own, under the promise of ``json_v1``."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from hopback.frames.mac import format_mac
from hopback.lab.compare import Played, Result
from hopback.lab.detected import DetectionSeen
from hopback.lab.duplicates import Detection
from hopback.lab.floating import Reach
from hopback.lab.observed import Learned, Observed
from hopback.lab.plan import Design
from hopback.lab.predict import Expected
from hopback.lab.reached import ReachSeen
from hopback.lab.scenes import FIXED, LIVE
from hopback.render.json_v1 import ProblemV1, encode, problem_v1
from hopback.snapshot.table import Problem

SCHEMA: Literal["hopback.lab/1"] = "hopback.lab/1"

SceneName = Literal["recorded", "probes", "live", "fixed-probes", "fixed"]
"""Of the probes a message arrives when it comes back to the guest that sent it."""


class AssumedV1(Struct, frozen=True):
    """What was taken to lie beyond a way out."""

    device: str
    neighbour: Literal["silent", "switch", "reflector", "two-link-loop", "lag", "no-lag"]
    why: str


class PassingV1(Struct, frozen=True):
    """A frame passes a device; ``at`` in nanoseconds since the scene began, null if foretold."""

    device: str
    direction: Literal["in", "out"]
    why: str
    at: int | None


class MessageV1(Struct, frozen=True):
    """One message. ``lost_at`` is null when it arrives; ``sure`` false where it is a race.

    ``dropped_by`` is the rule of a packet filter that is foretold to drop it.
    """

    message: str
    sent: bool
    arrives: bool
    lost_at: str | None
    hops: tuple[PassingV1, ...]
    sure: bool
    dropped_by: str | None = None


class EntryV1(Struct, frozen=True):
    """An entry of the bridge's table."""

    mac: str
    device: str
    sticky: bool
    vlan: int


class SceneV1(Struct, frozen=True):
    """A scene; the tables are null in what is foretold."""

    scene: SceneName
    messages: tuple[MessageV1, ...]
    table_before: tuple[EntryV1, ...] | None
    table_after: tuple[EntryV1, ...] | None


class LeftV1(Struct, frozen=True):
    """What is left: the ports that have the guest, or the log; ``observed`` null if not looked at.

    ``entry`` is the guest's entry after the story, ``own-address`` what the kernel logs when the
    host has spoken and hears itself.
    """

    what: Literal["entry", "own-address"]
    predicted: tuple[str, ...]
    observed: tuple[str, ...] | None


class DetectionV1(Struct, frozen=True):
    """The guest's duplicate detection for one address; the phase is null if it was not played.

    ``heard`` is false if it asks and nobody gets the question: then ``preferred`` means nothing.
    ``dropped_by`` is the rule of a packet filter that is foretold to keep the probe from the guest.
    """

    address: str
    phase: Literal["preferred", "tentative", "dadfailed", "gone"] | None
    returned: bool
    heard: bool
    hops: tuple[PassingV1, ...]
    dropped_by: str | None = None


class DetectionsV1(Struct, frozen=True):
    """How the guest's stack takes its addresses; ``fixed`` and ``fixed_observed`` with the remedy.

    ``nonce`` tells whether its probes carry one (RFC 7527), ``why`` whence that is known.
    """

    nonce: bool
    why: str
    predicted: tuple[DetectionV1, ...]
    observed: tuple[DetectionV1, ...]
    fixed_predicted: tuple[DetectionV1, ...] | None
    fixed_observed: tuple[DetectionV1, ...] | None


class ReachV1(Struct, frozen=True):
    """The guest pings an address that NAT leads back to it; ``end`` is null if it was not played.

    ``hops`` are the request's. ``lost_at`` is where that was seen last, null if the guest took it.
    """

    target: str
    end: Literal["answered", "another-address", "request-lost", "reply-lost", "out-of-sight"] | None
    lost_at: str | None
    hops: tuple[PassingV1, ...]


class ReachesV1(Struct, frozen=True):
    """The pings, foretold and played; ``fixed_…`` with the remedy, null without one."""

    predicted: tuple[ReachV1, ...]
    observed: tuple[ReachV1, ...]
    fixed_predicted: tuple[ReachV1, ...] | None
    fixed_observed: tuple[ReachV1, ...] | None


class LabFixV1(Struct, frozen=True):
    """The remedy that was tried."""

    name: str
    commands: tuple[str, ...]
    foretold: bool
    mended: bool


class LabV1(Struct, frozen=True):
    """The document; ``runner`` is where it ran, ``gaps`` how the lab differs from the host.

    ``notes`` say how something was rebuilt. ``duplicate_detection`` is null where the lab's kernel
    has no IPv6, ``floating_address`` where no address leads back to the guest.
    """

    schema: Literal["hopback.lab/1"]
    outcome: Literal["reproduced", "not-reproduced", "deaf"]
    why: str
    assuming: tuple[AssumedV1, ...]
    runner: Literal["netns", "uml"]
    kernel: str
    mac: str
    name: str
    predicted: tuple[SceneV1, ...]
    observed: tuple[SceneV1, ...]
    duplicate_detection: DetectionsV1 | None
    floating_address: ReachesV1 | None
    left: tuple[LeftV1, ...]
    fix: LabFixV1 | None
    differences: tuple[str, ...]
    deaf: tuple[str, ...]
    gaps: tuple[str, ...]
    notes: tuple[str, ...]
    problems: tuple[ProblemV1, ...]


def lab_json(
    design: Design,
    observed: Observed,
    result: Result,
    runner: Literal["netns", "uml"],
    problems: Sequence[Problem] = (),
) -> bytes:
    """The result as one JSON document, indented, with a line end."""
    station = design.segment.station
    return encode(
        LabV1(
            schema=SCHEMA,
            outcome=result.outcome,
            why=result.why,
            assuming=tuple(AssumedV1(a.device, a.kind, a.why) for a in design.assumed),
            runner=runner,
            kernel=result.kernel,
            mac=format_mac(station.mac),
            name=station.name,
            predicted=_predicted(design),
            observed=_observed(observed, result),
            duplicate_detection=_detections(design, result),
            floating_address=_reaches(design, result) if design.reaches else None,
            left=tuple(LeftV1(c.what, c.foretold, c.seen) for c in result.left),
            fix=_fix(design, result),
            differences=result.differences,
            deaf=result.deaf,
            gaps=design.segment.gaps,
            notes=design.notes,
            problems=tuple(problem_v1(p) for p in problems),
        )
    )


def _predicted(design: Design) -> tuple[SceneV1, ...]:
    scenes: list[tuple[SceneName, tuple[Expected, ...]]] = [
        ("recorded", design.recorded),
        ("probes", design.probes),
        ("live", design.live),
    ]
    if design.fixed is not None:
        scenes += [("fixed-probes", design.fixed.probes), ("fixed", design.fixed.live)]
    return tuple(
        SceneV1(name, tuple(_foretold(e) for e in expected), None, None)
        for name, expected in scenes
    )


def _foretold(expected: Expected) -> MessageV1:
    hops = tuple(PassingV1(p.spot, p.way, p.why, None) for p in expected.path)
    lost_at = expected.lost_at or None
    return MessageV1(
        expected.message,
        True,
        expected.arrives,
        lost_at,
        hops,
        expected.sure,
        expected.filter or None,
    )


def _observed(observed: Observed, result: Result) -> tuple[SceneV1, ...]:
    scenes = [
        SceneV1("recorded", tuple(_seen(p) for p in result.recorded), None, None),
        SceneV1("probes", tuple(_seen(p) for p in result.probes), None, None),
        _played(observed, "live", LIVE, result.live),
    ]
    if result.fixed is not None:
        probes = tuple(_seen(p) for p in result.fixed_probes)
        scenes.append(SceneV1("fixed-probes", probes, None, None))
        scenes.append(_played(observed, "fixed", FIXED, result.fixed))
    return tuple(scenes)


def _played(observed: Observed, label: SceneName, name: str, played: tuple[Played, ...]) -> SceneV1:
    seen = observed.scene(name)
    return SceneV1(
        label,
        tuple(_seen(p) for p in played),
        _table(seen.before) if seen else None,
        _table(seen.after) if seen else None,
    )


def _seen(played: Played) -> MessageV1:
    hops = tuple(PassingV1(s.spot, s.way, "", s.at) for s in played.seen)
    lost_at = played.lost_at or None
    return MessageV1(played.expected.message, played.sent, played.arrived, lost_at, hops, sure=True)


def _table(entries: tuple[Learned, ...]) -> tuple[EntryV1, ...]:
    return tuple(EntryV1(format_mac(e.mac), e.device, e.sticky, e.vlan) for e in entries)


def _detections(design: Design, result: Result) -> DetectionsV1 | None:
    if design.guest is None:
        return None
    mended = design.fixed
    return DetectionsV1(
        nonce=design.guest.nonce,
        why=design.guest.why,
        predicted=tuple(_foretold_detection(d) for d in design.detections),
        observed=tuple(_seen_detection(d) for d in result.detections),
        fixed_predicted=tuple(map(_foretold_detection, mended.detections)) if mended else None,
        fixed_observed=tuple(map(_seen_detection, result.fixed_detections)) if mended else None,
    )


def _foretold_detection(told: Detection) -> DetectionV1:
    hops = tuple(PassingV1(p.spot, p.way, p.why, None) for p in told.path)
    address, rule = str(told.address), told.filter or None
    return DetectionV1(address, told.phase, told.returned, told.heard, hops, rule)


def _seen_detection(seen: DetectionSeen) -> DetectionV1:
    hops = tuple(PassingV1(s.spot, s.way, "", s.at) for s in seen.seen)
    address = str(seen.expected.address)
    return DetectionV1(address, seen.phase, seen.returned, seen.heard, hops)


def _reaches(design: Design, result: Result) -> ReachesV1:
    mended = design.fixed
    return ReachesV1(
        predicted=tuple(map(_foretold_reach, design.reaches)),
        observed=tuple(map(_seen_reach, result.reaches)),
        fixed_predicted=tuple(map(_foretold_reach, mended.reaches)) if mended else None,
        fixed_observed=tuple(map(_seen_reach, result.fixed_reaches)) if mended else None,
    )


def _foretold_reach(told: Reach) -> ReachV1:
    hops = tuple(PassingV1(p.spot, p.way, p.why, None) for p in told.path)
    return ReachV1(str(told.target), told.end, told.lost_at or None, hops)


def _seen_reach(seen: ReachSeen) -> ReachV1:
    hops = tuple(PassingV1(s.spot, s.way, "", s.at) for s in seen.seen)
    return ReachV1(str(seen.expected.target), seen.end, seen.lost_at or None, hops)


def _fix(design: Design, result: Result) -> LabFixV1 | None:
    fixed = design.fixed
    if fixed is None or result.mended is None:
        return None
    return LabFixV1(fixed.name, fixed.commands, fixed.well, result.mended)
