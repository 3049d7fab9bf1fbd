"""The JSON of ``trace``, version 1: types of its own, under the promise of ``json_v1``."""

from typing import Literal

from msgspec import Struct

from hopback.render.json_v1 import BecauseV1, ProblemV1, because_v1, encode, problem_v1
from hopback.render.trace_view import EchoView, HopView, LegView, TraceView
from hopback.render.wiring import WiredPort, Wiring
from hopback.snapshot.table import Problem

SCHEMA: Literal["hopback.trace/1"] = "hopback.trace/1"


class PortV1(Struct, frozen=True):
    """A bridge port; ``number_known`` is certain, likely, or "" without a number."""

    device: str
    number: int | None
    number_known: str
    way_out: bool
    vlan: int | None
    lower: str
    legs: tuple[str, ...]


class StationV1(Struct, frozen=True):
    """Whose packets are followed."""

    host: str
    mac: str
    name: str
    known_by: tuple[str, ...]


class WiringV1(Struct, frozen=True):
    """The station's port, its bridge, and the bridge's other ports."""

    port: PortV1
    bridge: str
    others: tuple[PortV1, ...]


class HopV1(Struct, frozen=True):
    """A hop; ``rule`` is "" where the frame starts."""

    host: str
    device: str
    direction: Literal["in", "out"]
    frame: str
    why: str
    rule: str
    because: tuple[BecauseV1, ...]


class TableV1(Struct, frozen=True):
    """What the forwarding table says, and what it should say."""

    says: str
    should_say: str


class LegV1(Struct, frozen=True):
    """A message; ``lost_at`` … ``table`` are null when it arrives."""

    message: Literal["DISCOVER", "OFFER", "REQUEST", "ACK"]
    arrived: bool
    would_be: bool
    hops: tuple[HopV1, ...]
    lost_at: str | None
    fate: str | None
    lost_because: str | None
    rule: str | None
    because: tuple[BecauseV1, ...]
    table: TableV1 | None


class EchoV1(Struct, frozen=True):
    """The world in which the uplink returns what it gets."""

    uplink: str
    story: tuple[str, ...]
    moves_entry: bool
    explains_recorded_entry: bool | None
    heard_by_guest: bool


class TraceV1(Struct, frozen=True):
    """The document; ``filters`` are on the way of messages that arrive, and not evaluated."""

    schema: Literal["hopback.trace/1"]
    station: StationV1
    server: str
    wiring: WiringV1
    legs: tuple[LegV1, ...]
    echo: EchoV1 | None
    assumptions: tuple[str, ...]
    filters: tuple[str, ...]
    problems: tuple[ProblemV1, ...]


def trace_json(view: TraceView, problems: tuple[Problem, ...] = ()) -> bytes:
    """The view as one JSON document, indented, with a line end."""
    wiring = view.wiring
    return encode(
        TraceV1(
            schema=SCHEMA,
            station=station_v1(wiring),
            server=view.server,
            wiring=wiring_v1(wiring),
            legs=tuple(_leg(leg) for leg in view.legs),
            echo=_echo(view.echo) if view.echo else None,
            assumptions=view.assumptions,
            filters=view.filters,
            problems=tuple(problem_v1(p) for p in problems),
        )
    )


def station_v1(wiring: Wiring) -> StationV1:
    """Whose wiring it is, in the shape of version 1."""
    return StationV1(wiring.host, wiring.mac, wiring.name, wiring.known_by)


def wiring_v1(wiring: Wiring) -> WiringV1:
    """The wiring in the shape of version 1."""
    return WiringV1(_port(wiring.port), wiring.bridge, tuple(_port(p) for p in wiring.others))


def _port(port: WiredPort) -> PortV1:
    return PortV1(
        device=port.device,
        number=port.number,
        number_known=port.number_known,
        way_out=port.way_out,
        vlan=port.vlan,
        lower=port.lower,
        legs=port.legs,
    )


def _leg(leg: LegView) -> LegV1:
    loss = leg.loss
    blamed = loss is not None and loss.says
    return LegV1(
        message=leg.message,
        arrived=leg.arrived,
        would_be=leg.would_be,
        hops=tuple(hop_v1(hop) for hop in leg.hops),
        lost_at=loss.device if loss else None,
        fate=loss.fate if loss else None,
        lost_because=loss.why if loss else None,
        rule=loss.rule if loss else None,
        because=tuple(because_v1(e) for e in loss.because) if loss else (),
        table=TableV1(loss.says, loss.should_say) if loss and blamed else None,
    )


def hop_v1(hop: HopView) -> HopV1:
    """A hop in the shape of version 1."""
    because = tuple(because_v1(e) for e in hop.because)
    return HopV1(hop.host, hop.device, hop.direction, hop.frame, hop.why, hop.rule, because)


def _echo(echo: EchoView) -> EchoV1:
    return EchoV1(echo.uplink, echo.story, echo.moved, echo.explains, echo.heard_by_guest)
