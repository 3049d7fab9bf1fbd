"""Holds what a kernel did against what the model says, message by message, hop by hop."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from hopback.lab.detected import DetectionSeen, first_missing, seen_detections
from hopback.lab.duplicates import DETECTION, FIXED_DETECTION
from hopback.lab.floating import FIXED_REACHING, REACHING
from hopback.lab.observed import Observed, SceneSeen, Sight, Way
from hopback.lab.plan import PROBES, Design
from hopback.lab.predict import NEIGHBOUR, Expected
from hopback.lab.reached import ENDS as REACH_ENDS
from hopback.lab.reached import ReachSeen, seen_reaches
from hopback.lab.scenes import FIXED, HOST_SPEAKS, LIVE, fixed_name, recorded_name
from hopback.lab.stacks import keeps
from hopback.lab.staging import GUEST_SPOT

TO_SERVER = ("DISCOVER", "REQUEST")

Outcome = Literal["reproduced", "not-reproduced", "deaf"]


class Played(Struct, frozen=True):
    """One message, foretold and seen. ``sent`` is False for one that nobody had reason to send.

    ``seen`` are its sights in the order of time, those of the host and the guest only.
    """

    expected: Expected
    sent: bool
    arrived: bool
    lost_at: str
    seen: tuple[Sight, ...]
    differences: tuple[str, ...] = ()


class Compared(Struct, frozen=True):
    """Something that is left when the story is over: what the model says, and what was found.

    ``seen`` is None where nobody could look.
    """

    what: Literal["entry", "own-address"]
    foretold: tuple[str, ...]
    seen: tuple[str, ...] | None

    @property
    def differs(self) -> bool:
        """Whether kernel and model disagree."""
        return self.seen is not None and self.seen != self.foretold


class Result(Struct, frozen=True):
    """What the lab showed. ``outcome`` is about what was recorded, ``why`` says it in a sentence.

    ``mended`` tells whether all is well with the remedy in place, None without one: everything
    arrives, no probe comes back, no address fails or is taken without asking anybody, and what was
    reached still is.
    """

    outcome: Outcome
    why: str
    kernel: str
    recorded: tuple[Played, ...]
    probes: tuple[Played, ...]
    detections: tuple[DetectionSeen, ...]
    reaches: tuple[ReachSeen, ...]
    live: tuple[Played, ...]
    fixed: tuple[Played, ...] | None
    fixed_probes: tuple[Played, ...]
    fixed_detections: tuple[DetectionSeen, ...]
    fixed_reaches: tuple[ReachSeen, ...]
    mended: bool | None
    differences: tuple[str, ...]
    deaf: tuple[str, ...]
    left: tuple[Compared, ...] = ()

    @property
    def returned(self) -> tuple[str, ...]:
        """The probes by which the guest hears itself."""
        return tuple(p.expected.message for p in self.probes if p.arrived)

    @property
    def arrives(self) -> bool:
        """Whether in the last scene every message arrived."""
        return _all_arrive(self.live if self.fixed is None else self.fixed)

    @property
    def well(self) -> bool:
        """Whether the kernel did as foretold, and all is well in the end."""
        if self.outcome != "reproduced" or self.mended is not None:
            return self.outcome == "reproduced" and bool(self.mended)
        failed = any(d.phase != "preferred" for d in self.detections)
        lost = any(r.end != "answered" for r in self.reaches)
        return self.arrives and not (self.returned or failed or lost)


def compare(design: Design, observed: Observed) -> Result:
    """The verdict on an observation of ``design.plan``."""

    def against_tables(expected: Expected) -> Played:
        scene = _scene(observed, recorded_name(expected.message))
        return _against_tables(design, expected, scene)

    recorded = tuple(against_tables(e) for e in design.recorded)

    def mended(expected: Expected) -> Played:
        return _against_tables(design, expected, _scene(observed, fixed_name(expected.message)))

    probes = tuple(against_tables(e) for e in design.probes)
    scene = _scene(observed, DETECTION)
    detections = seen_detections(design.segment, design.detections, scene)
    reaches = seen_reaches(design.reaches, _scene(observed, REACHING))
    live = _story(design, design.live, _scene(observed, LIVE))
    fixed = None
    fixed_probes: tuple[Played, ...] = ()
    fixed_detections: tuple[DetectionSeen, ...] = ()
    fixed_reaches: tuple[ReachSeen, ...] = ()
    if design.fixed is not None:
        fixed_probes = tuple(mended(e) for e in design.fixed.probes)
        scene = _scene(observed, FIXED_DETECTION)
        fixed_detections = seen_detections(design.segment, design.fixed.detections, scene)
        fixed_reaches = seen_reaches(design.fixed.reaches, _scene(observed, FIXED_REACHING))
        fixed = _story(design, design.fixed.live, _scene(observed, FIXED))
    told: tuple[Played | DetectionSeen | ReachSeen, ...] = (
        *recorded,
        *probes,
        *detections,
        *reaches,
        *live,
        *fixed_probes,
        *fixed_detections,
        *fixed_reaches,
        *(fixed or ()),
    )
    left = tuple(_left(design, observed))
    differences = (
        *(d for played in told for d in played.differences),
        *(_disagreement(c) for c in left if c.differs),
    )
    deaf = tuple(dict.fromkeys(spot for scene in observed.scenes for spot in scene.deaf))
    outcome, why = _outcome(design, observed, live, differences, deaf)
    return Result(
        outcome=outcome,
        why="; ".join((why, *_of_itself(probes, detections, reaches))),
        kernel=observed.kernel,
        recorded=recorded,
        probes=probes,
        detections=detections,
        reaches=reaches,
        live=live,
        fixed=fixed,
        fixed_probes=fixed_probes,
        fixed_detections=fixed_detections,
        fixed_reaches=fixed_reaches,
        mended=None
        if fixed is None
        else _is_mended(fixed, fixed_probes, fixed_detections)
        and keeps([r.end for r in reaches], [r.end for r in fixed_reaches]),
        differences=differences,
        deaf=deaf,
        left=left,
    )


def _of_itself(
    probes: Sequence[Played], detections: Sequence[DetectionSeen], reaches: Sequence[ReachSeen]
) -> Iterator[str]:
    """What the guest hears of itself, what it makes of that, and how it reaches itself."""
    if heard := " and ".join(p.expected.message for p in probes if p.arrived):
        yield f"the guest hears its own {heard}"
    if failed := [d for d in detections if d.phase in ("dadfailed", "gone")]:
        yield f"its duplicate detection fails for {_addresses(failed)}"
    if unasked := [d for d in detections if d.vacuous]:
        yield f"nobody hears it ask for {_addresses(unasked)}"
    for one in reaches:
        yield f"its ping of its own {one.expected.target} {REACH_ENDS[one.end]}"


def _addresses(detections: Sequence[DetectionSeen]) -> str:
    return " and ".join(str(d.expected.address) for d in detections)


def _is_mended(
    story: Sequence[Played], probes: Sequence[Played], detections: Sequence[DetectionSeen]
) -> bool:
    valid = all(d.phase == "preferred" and not d.vacuous for d in detections)
    return _all_arrive(story) and valid and not any(p.arrived for p in probes)


def _left(design: Design, observed: Observed) -> Iterator[Compared]:
    """The guest's entry after the story, and what the kernel logged when the host had spoken."""
    story = observed.scene(LIVE)
    if design.after is not None and story is not None:
        mac = design.segment.station.mac
        seen = tuple(entry.device for entry in story.after if entry.mac == mac)
        yield Compared("entry", (design.after,) if design.after else (), seen)
    spoken = observed.scene(HOST_SPEAKS)
    if spoken is not None:
        logged = None
        if spoken.log is not None:
            # In a ring it says so again and again, as often as the limit on its rate allows.
            own = (f"{design.segment.name}: ", "own address as source address")
            lines = (line for line in spoken.log if line.startswith(own[0]) and own[1] in line)
            logged = tuple(dict.fromkeys(lines))
        yield Compared("own-address", design.own_address, logged)


def _disagreement(compared: Compared) -> str:
    if compared.what == "entry":
        foretold, seen = (" and ".join(c or ("no port",)) for c in _both(compared))
        return f"after the story the guest should be on {foretold}, and is on {seen}"
    foretold, seen = (" and ".join(map(repr, c)) or "nothing" for c in _both(compared))
    return f"the kernel should log {foretold}, and logs {seen}"


def _both(compared: Compared) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return compared.foretold, compared.seen or ()


def _scene(observed: Observed, name: str) -> SceneSeen:
    return observed.scene(name) or SceneSeen(name, (), (), ())


def _all_arrive(played: Sequence[Played]) -> bool:
    return all(p.arrived for p in played)


def _first_lost(played: Sequence[Played]) -> Played | None:
    return next((p for p in played if not p.arrived), None)


def _outcome(
    design: Design,
    observed: Observed,
    live: Sequence[Played],
    differences: Sequence[str],
    deaf: Sequence[str],
) -> tuple[Outcome, str]:
    if deaf:
        return "deaf", f"the observer on {', '.join(deaf)} missed a frame that was surely sent"
    lost = sum(scene.lost for scene in observed.scenes)
    if lost and (differences or _first_lost(live)):
        return "deaf", f"{lost} frames came faster than they could be written down"
    if differences:
        return "not-reproduced", f"the kernel differs from the model: {differences[0]}"
    told = next((e for e in design.recorded if not e.arrives), None)
    seen = _first_lost(live)
    if told is None:
        return "reproduced", _as_foretold(seen)
    if seen is None:
        return "not-reproduced", f"the {told.message} arrives: nothing beyond returns frames"
    if seen.expected.sure and (told.message, told.lost_at) != (seen.expected.message, seen.lost_at):
        where = f"the {seen.expected.message} is lost at {seen.lost_at}"
        return "not-reproduced", f"{where}, not the {told.message} at {told.lost_at}"
    return "reproduced", _as_foretold(seen)


def _as_foretold(lost: Played | None) -> str:
    if lost is None:
        return "all messages arrive, as the model says"
    if not lost.expected.sure:
        return "the guest gets no lease while its frames go round, as the model says"
    return f"the {lost.expected.message} is lost at {lost.lost_at}, as the model says"


def _against_tables(design: Design, expected: Expected, scene: SceneSeen) -> Played:
    """One message against the recorded tables: every copy counts."""
    played = _played(design, expected, scene, design.segment.legs().values())
    foretold = Counter((p.spot, p.way) for p in expected.everywhere or ())
    seen = Counter((s.spot, s.way) for s in played.seen)
    found = [
        f"{expected.message} against the recorded tables: {_count(foretold[key])} foretold"
        f" {_way(key[1])} {key[0]}, {_count(seen[key])} seen"
        for key in dict.fromkeys((*foretold, *seen))
        if min(foretold[key], design.plan.copies) != seen[key]
    ]
    return Played(expected, played.sent, played.arrived, played.lost_at, played.seen, tuple(found))


def _count(number: int) -> str:
    return "none" if number == 0 else "once" if number == 1 else f"{number} times"


def _way(way: Way) -> str:
    return "in by" if way == "in" else "out of"


def _story(design: Design, expected: Sequence[Expected], scene: SceneSeen) -> tuple[Played, ...]:
    """The messages of a story; what follows a lost one is not sent, and not compared."""
    told = []
    for one in expected:
        played = _played(design, one, scene)
        found = tuple(_missteps(scene.name, played)) if one.sure else ()
        told.append(Played(one, played.sent, played.arrived, played.lost_at, played.seen, found))
        if not (one.arrives and played.arrived):
            break
    if not all(e.sure for e in expected) and _all_arrive(told):
        last = told[-1]
        surprise = f"{scene.name}: every message arrives, though the ring should mislead one"
        told[-1] = Played(
            last.expected, last.sent, last.arrived, last.lost_at, last.seen, (surprise,)
        )
    return tuple(told)


def _missteps(scene: str, played: Played) -> Iterator[str]:
    expected = played.expected
    message = f"{scene}: the {expected.message}"
    if expected.arrives != played.arrived:
        foretold = "arrive" if expected.arrives else f"be lost at {expected.lost_at}"
        seen = "arrives" if played.arrived else f"is lost at {played.lost_at}"
        yield f"{message} should {foretold}, and {seen}"
    elif not expected.arrives and expected.lost_at != played.lost_at:
        yield f"{message} should be lost at {expected.lost_at}, and is at {played.lost_at}"
    else:
        missing = first_missing(expected.path, played.seen)
        if missing is not None:
            yield f"{message} was not seen {_way(missing.way)} {missing.spot}"


def _played(
    design: Design, expected: Expected, scene: SceneSeen, legs: Collection[str] = ()
) -> Played:
    """In a story a switch may answer by any leg of a bond: there ``legs`` are left out."""
    names = {*design.segment.names().values(), *legs}
    every = [s for s in scene.sights if s.message == expected.message]
    seen = tuple(s for s in every if s.spot in names or (s.spot, s.way) == (GUEST_SPOT, "in"))
    arrived = _arrival(design, expected.message) in {(s.spot, s.way) for s in seen}
    lost_at = "" if arrived else _lost_at(expected, seen)
    return Played(expected, bool(every), arrived, lost_at, seen)


def _lost_at(expected: Expected, seen: Sequence[Sight]) -> str:
    """Where it was last seen; of a broadcast, many copies of which go on, on its way to the server.

    A probe that does not come back is not lost.
    """
    if expected.message in PROBES:
        return ""
    if expected.message in TO_SERVER and first_missing(expected.path, seen) is None:
        return expected.path[-1].spot if expected.path else NEIGHBOUR
    return seen[-1].spot if seen else NEIGHBOUR


def _arrival(design: Design, message: str) -> tuple[str, Way]:
    """Where ``message`` is when it counts as arrived, as the model counts it."""
    if message not in TO_SERVER:
        return GUEST_SPOT, "in"
    server = design.exchange.server
    name = design.segment.names()[server.dev]
    return (name, "out") if server.way == "in" else (name, "in")
