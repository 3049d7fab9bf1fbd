"""A DHCP exchange told hop by hop: what the text and the JSON of ``trace`` both show."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from hopback.checks.case import Case, title
from hopback.datapath.effects import Learn, Why
from hopback.datapath.rules import RULES
from hopback.engines.dhcp import Exchange, Leg, Message
from hopback.engines.trace import End, Trace
from hopback.findings import Evidence
from hopback.frames.describe import describe
from hopback.frames.mac import format_mac
from hopback.network.facts import DevId
from hopback.render.unevaluated import filters_along
from hopback.render.wiring import Wiring, wiring_of

STAND_INS = (
    "The server's MAC and all IP addresses in the frames are stand-ins (RFC 7042, RFC 5737)."
)


class HopView(Struct, frozen=True):
    """A hop. ``rule`` is the model's name of what sent the frame there, "" at the origin."""

    host: str
    device: str
    direction: Literal["in", "out"]
    frame: str
    why: str
    rule: str
    function: str
    because: tuple[Evidence, ...]


class LossView(Struct, frozen=True):
    """Where a frame went astray: the last place, the deciding rule, and what the table should say.

    ``says`` and ``should_say`` are "" when the forwarding table is not to blame.
    """

    host: str
    device: str
    fate: str
    why: str
    rule: str
    function: str
    because: tuple[Evidence, ...]
    says: str = ""
    should_say: str = ""


class LegView(Struct, frozen=True):
    """One message. ``would_be`` marks those that are only sent if the one before arrives."""

    message: Message
    arrived: bool
    would_be: bool
    hops: tuple[HopView, ...]
    end: str
    loss: LossView | None


class EchoView(Struct, frozen=True):
    """The world in which the uplink returns the guest's frames.

    ``explains`` tells whether it leads to the entry that was recorded, None if none was.
    """

    uplink: str
    story: tuple[str, ...]
    moved: bool
    explains: bool | None
    heard_by_guest: bool


class TraceView(Struct, frozen=True):
    """All that ``trace --dhcp`` shows.

    ``filters`` are on the way of messages that arrive, and not evaluated.
    """

    wiring: Wiring
    server: str
    legs: tuple[LegView, ...]
    echo: EchoView | None
    assumptions: tuple[str, ...]
    filters: tuple[str, ...]


def view_of(case: Case, exchange: Exchange) -> TraceView:
    """The exchange, its rows quoted."""
    lost = exchange.first_lost
    legs = []
    after = False
    for leg in exchange.legs:
        legs.append(_leg(case, exchange, leg, after))
        after = after or leg is lost
    return TraceView(
        wiring=wiring_of(case.network, exchange.station),
        server=_server(exchange),
        legs=tuple(legs),
        echo=_echo(case, exchange),
        assumptions=_assumptions(case, exchange),
        filters=filters_along(
            case,
            (h for leg in exchange.legs if not leg.lost for h in leg.trace.path(leg.arrived)),
        ),
    )


def _server(exchange: Exchange) -> str:
    if exchange.server.way == "in":
        return f"beyond {exchange.server.dev.name}"
    return f"the host itself, on {exchange.server.dev.name}"


def _leg(case: Case, exchange: Exchange, leg: Leg, would_be: bool) -> LegView:
    return LegView(
        message=leg.message,
        arrived=leg.lost is None,
        would_be=would_be,
        hops=hops_to(case, leg.trace, leg.lost.hop if leg.lost else leg.arrived),
        end=_end(leg),
        loss=_loss(case, exchange, leg, leg.lost) if leg.lost else None,
    )


def hops_to(case: Case, trace: Trace, last: int | None) -> tuple[HopView, ...]:
    """The hops from the origin to ``last``, their rows quoted."""
    return tuple(
        HopView(
            host=hop.place.dev.host,
            device=hop.place.dev.name,
            direction=hop.place.way,
            frame=describe(hop.frame),
            why=_text(hop.why) if hop.why else "",
            rule=hop.why.rule if hop.why else "",
            function=_function(hop.why) if hop.why else "",
            because=_because(case, hop.why) if hop.why else (),
        )
        for hop in trace.path(last)
    )


def _text(why: Why) -> str:
    return RULES[why.rule].text if why.rule in RULES else "the model does not see further"


def _function(why: Why) -> str:
    return RULES[why.rule].function if why.rule in RULES else ""


def _because(case: Case, why: Why) -> tuple[Evidence, ...]:
    return case.evidence(_function(why).rpartition(":")[2] or why.rule, why.refs)


def _end(leg: Leg) -> str:
    if leg.message in ("OFFER", "ACK"):
        return "the guest has it" if leg.lost is None else "the guest does not get it"
    return "on its way to the server" if leg.lost is None else "the server does not get it"


def _loss(case: Case, exchange: Exchange, leg: Leg, end: End) -> LossView:
    loss = loss_at(case, leg.trace, end)
    if leg.message not in ("OFFER", "ACK"):
        return loss
    says, should_say = _table(case, exchange)
    return replace(loss, says=says, should_say=should_say)


def loss_at(case: Case, trace: Trace, end: End) -> LossView:
    """Where and why a branch ends, whatever the table should say."""
    last = trace.hops[end.hop].place.dev
    where = end.dev if end.dev is not None and end.fate == "left" else last
    return LossView(
        host=where.host,
        device=where.name,
        fate=end.fate,
        why=end.what or _text(end.why),
        rule=end.why.rule,
        function=_function(end.why),
        because=_because(case, end.why),
    )


def _table(case: Case, exchange: Exchange) -> tuple[str, str]:
    """What the bridge's table has for the guest, and what it should have; "" when it is right."""
    station = exchange.station
    entry = case.model.entry_of(station)
    if entry is None or entry.port in (None, station.port):
        return "", ""
    assert entry.port is not None  # noqa: S101  (just excluded)
    mac = format_mac(station.mac)
    return f"{mac} on {_called(case, entry.port)}", f"{mac} on {_called(case, station.port)}"


def _called(case: Case, port: DevId) -> str:
    bridge = case.network.bridge_of(port)
    return title(bridge.ports[port]) if bridge else port.name


def _assumptions(case: Case, exchange: Exchange) -> tuple[str, ...]:
    """The open questions that were answered by default, inferred port numbers, stand-ins."""
    ports = case.network.bridges[exchange.station.bridge].ports.values()
    inferred = (
        f"{p.id.name} is port {p.number.value}: {p.number.how}"
        for p in ports
        if p.number and p.number.strength == "likely"
    )
    return (*answers(leg.trace for leg in exchange.legs), *inferred, STAND_INS)


def answers(traces: Iterable[Trace]) -> tuple[str, ...]:
    """The questions that the tables left open, and how each was answered."""
    return tuple(
        dict.fromkeys(
            f"{question.subject.name}: {question.text} Taken: {answer}."
            for trace in traces
            for question, answer in trace.world.items()
        )
    )


def _echo(case: Case, exchange: Exchange) -> EchoView | None:
    """The DISCOVER goes out, comes back, and teaches the bridge where the guest is not."""
    echo = exchange.echo
    if echo is None or not _comes_back(echo):
        return None
    station = exchange.station
    uplink = exchange.server.dev
    move = exchange.taught
    recorded = case.model.entry_of(station)
    explains = None if recorded is None else move is not None and recorded.port == uplink
    heard = any(e.fate == "returned" for e in echo.ends)
    return EchoView(
        uplink=uplink.name,
        story=_story(case, exchange, move, heard),
        moved=move is not None,
        explains=explains,
        heard_by_guest=heard,
    )


def _comes_back(echo: Trace) -> bool:
    return any(hop.why and hop.why.rule == "beyond-returns" for hop in echo.hops)


def _story(case: Case, exchange: Exchange, move: Learn | None, heard: bool) -> tuple[str, ...]:
    station = exchange.station
    uplink = exchange.server.dev
    bridge = station.bridge.name
    mac = format_mac(station.mac)
    home, away = _called(case, station.port), _called(case, uplink)
    story = [
        f"The DISCOVER comes in on {home}; {bridge} enters {mac} there, and floods the frame.",
        f"One copy leaves by {uplink.name}, and comes in again on {uplink.name}.",
    ]
    if move is None:
        story.append(f"{bridge} does not learn from it: {mac} stays on {home}.")
    else:
        function = RULES[move.why.rule].function.rpartition(":")[2]
        story.append(f"{function} moves {mac} from {home} to {away}: {RULES[move.why.rule].text}.")
        story.append(
            f"The OFFER, a moment later, comes in on {uplink.name}, where the table now has"
            f" {mac}: it is dropped. Whenever the guest speaks, the same happens again."
        )
    if heard:
        story.append(
            "The copy is flooded too: the guest hears its own DISCOVER. IPv6 duplicate address"
            " detection would take that for another machine with its address."
        )
    return tuple(story)
