"""The JSON of ``trace --arp`` and ``--nd``, version 1, under the promise of ``json_v1``."""

from typing import Literal

from msgspec import Struct

from hopback.render.json_v1 import BecauseV1, ProblemV1, because_v1, encode, problem_v1
from hopback.render.probe_view import ProbeView
from hopback.render.trace_json_v1 import (
    HopV1,
    StationV1,
    WiringV1,
    hop_v1,
    station_v1,
    wiring_v1,
)
from hopback.snapshot.table import Problem

SCHEMA: Literal["hopback.probe/1"] = "hopback.probe/1"


class ProbeV1(Struct, frozen=True):
    """The document. ``returned`` is empty if the probe does not come back to its sender.

    ``unseen_at`` is null if it could be followed to every end; ``filtered_because`` cites the rule
    of a packet filter that stops it at its sender's port; ``copies`` are the devices it went
    out by, ``echoing`` those that would bring it back if what lies beyond them returned it.
    ``filters`` are on the way back, and not evaluated.
    """

    schema: Literal["hopback.probe/1"]
    station: StationV1
    message: Literal["ARP", "NS"]
    frame: str
    wiring: WiringV1
    returned: tuple[HopV1, ...]
    circulates: bool
    unseen_at: str | None
    unseen_because: str | None
    filtered_because: tuple[BecauseV1, ...]
    copies: tuple[str, ...]
    echoing: tuple[str, ...]
    filters: tuple[str, ...]
    assumptions: tuple[str, ...]
    problems: tuple[ProblemV1, ...]


def probe_json(view: ProbeView, problems: tuple[Problem, ...] = ()) -> bytes:
    """The view as one JSON document, indented, with a line end."""
    return encode(
        ProbeV1(
            schema=SCHEMA,
            station=station_v1(view.wiring),
            message=view.kind,
            frame=view.frame,
            wiring=wiring_v1(view.wiring),
            returned=tuple(hop_v1(hop) for hop in view.returned),
            circulates=view.circulates,
            unseen_at=view.unseen.device if view.unseen else None,
            unseen_because=view.unseen.why if view.unseen else None,
            filtered_because=tuple(
                because_v1(e) for e in (view.filtered.because if view.filtered else ())
            ),
            copies=view.copies,
            echoing=view.echoing,
            filters=view.filters,
            assumptions=view.assumptions,
            problems=tuple(problem_v1(p) for p in problems),
        )
    )
