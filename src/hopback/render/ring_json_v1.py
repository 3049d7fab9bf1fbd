"""The JSON of ``lab`` for directors, version 1: types of its own, under ``json_v1``'s promise."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from hopback.lab.ring.compare import RingResult, RingSeen
from hopback.lab.ring.plan import RingDesign
from hopback.render.json_v1 import ProblemV1, encode, problem_v1
from hopback.snapshot.table import Problem

SCHEMA: Literal["hopback.lab-ring/1"] = "hopback.lab-ring/1"


class PacketV1(Struct, frozen=True):
    """A client's packet. ``frames`` arrive at hosts; null where there is no end to them.

    ``told`` is whether the client heard of it by ICMP as foretold, ``told_by`` from which address.
    """

    frames: int | None
    told: bool
    expected_frames: int | None
    told_by: str | None


class RingV1(Struct, frozen=True, tag_field="schema", tag=SCHEMA):
    """The document. ``mended`` is null where no fix was played."""

    service: str
    directors: tuple[str, ...]
    kernel: str
    where: Literal["netns", "uml"]
    reproduced: bool
    recorded: PacketV1
    fix: str | None
    fixed: PacketV1 | None
    mended: bool | None
    differences: tuple[str, ...]
    deaf: tuple[str, ...]
    assumed: tuple[str, ...]
    gaps: tuple[str, ...]
    problems: tuple[ProblemV1, ...]


def ring_json(
    design: RingDesign,
    result: RingResult,
    where: Literal["netns", "uml"],
    problems: Sequence[Problem],
) -> bytes:
    """The result as one JSON document."""
    return encode(
        RingV1(
            service=design.message,
            directors=tuple(host.nic.host for host in design.hosts),
            kernel=result.kernel,
            where=where,
            reproduced=result.went_round,
            recorded=_packet(result.recorded),
            fix=design.fix.name if design.fix else None,
            fixed=_packet(result.fixed) if result.fixed else None,
            mended=result.mended if result.fixed else None,
            differences=result.differences,
            deaf=result.deaf,
            assumed=design.notes,
            gaps=design.gaps,
            problems=tuple(problem_v1(problem) for problem in problems),
        )
    )


def _packet(seen: RingSeen) -> PacketV1:
    frames = None if seen.endless else seen.frames
    return PacketV1(frames, seen.told, seen.expected.frames, seen.expected.told_by)
