"""``trace`` for people: the wiring, each message hop by hop, and where one goes astray."""

from hopback.render.page import Page
from hopback.render.quoting import quote_evidence
from hopback.render.trace_view import EchoView, HopView, LegView, LossView, TraceView
from hopback.render.wiring import draw_wiring

_UNKNOWN = ("blind", "budget")
_DIRECTION = {"in": "in ", "out": "out"}


def render_trace(view: TraceView, width: int = 80) -> Page:
    """The view as a page ``width`` columns wide."""
    page = Page(width)
    _headline(page, view)
    page.blank()
    draw_wiring(page, view.wiring)
    page.blank()
    page.say(f"The DHCP server is taken to be {view.server}.", style="muted")
    first = next((leg.loss for leg in view.legs if leg.loss), None)
    for leg in view.legs:
        page.blank()
        if leg.would_be:
            _would_be(page, leg, first)
        else:
            _leg(page, leg)
    if view.echo is not None:
        _echo(page, view.echo)
    draw_assumptions(page, view.assumptions)
    return page


def draw_assumptions(page: Page, assumptions: tuple[str, ...]) -> None:
    """What was taken for granted, at the end."""
    if assumptions:
        page.blank()
        page.say("Assumed", style="strong")
        for text in assumptions:
            page.say(text, 2, lead="- ")


def _headline(page: Page, view: TraceView) -> None:
    lost = next((leg for leg in view.legs if not leg.arrived), None)
    who = view.wiring.name
    text = f"All four DHCP messages of {who} arrive, by the tables as recorded"
    if lost is None and view.filters:
        drop = " and ".join(view.filters)
        page.say(f"Not decided: {text}, unless {drop} drops one (not evaluated).", style="warn")
    elif lost is None:
        page.say(f"{text}.", style="good")
    elif lost.loss is not None and lost.loss.fate in _UNKNOWN:
        page.say(f"Not decided: the {lost.message} of {who} goes where I cannot see.", style="warn")
    else:
        at = f" at {lost.loss.device}" if lost.loss else ""
        page.say(f"The DHCP {lost.message} for {who} is lost{at}.", style="bad")


def _leg(page: Page, leg: LegView) -> None:
    page.titled(leg.message, leg.hops[0].frame)
    sender = "the server" if leg.message in ("OFFER", "ACK") else "the guest"
    for number, hop in enumerate(leg.hops, 1):
        draw_hop(page, number, hop, sender)
    if leg.loss is None:
        page.say(leg.end, 2, "good", lead="→ ")
    else:
        _loss(page, leg.loss, leg.end)


def draw_hop(page: Page, number: int, hop: HopView, sender: str) -> None:
    """A hop, the rule that sent the frame there, and the rows it went by."""
    why = hop.why or f"sent by {sender}"
    function = f" ({_short(hop.function)})" if hop.function else ""
    page.say(f"{why}{function}", 2, lead=f"{number} {_DIRECTION[hop.direction]} {hop.device}  ")
    quote_evidence(page, hop.because, 8)


def _short(function: str) -> str:
    return function.rpartition("/")[2]


def _loss(page: Page, loss: LossView, end: str) -> None:
    function = f" ({_short(loss.function)})" if loss.function else ""
    if loss.fate in _UNKNOWN:
        draw_unseen(page, loss)
        return
    if loss.fate in ("lost", "cycle"):
        page.say(f"lost here because {loss.why}{function}", 2, "bad", lead="✗ ")
    else:
        page.say(f"it goes out by {loss.device}, and {end}", 2, "bad", lead="✗ ")
    quote_evidence(page, loss.because, 8)
    if loss.says:
        page.say(f"the table says     {loss.says}", 4)
        page.say(f"it should say      {loss.should_say}", 4)


def draw_unseen(page: Page, loss: LossView) -> None:
    """Where the tables end."""
    page.say(f"not seen further from {loss.device}: {loss.why}", 2, "warn", lead="? ")
    quote_evidence(page, loss.because, 8)


def _would_be(page: Page, leg: LegView, first: LossView | None) -> None:
    """A message that is only sent if the one before arrives, in a line."""
    way = " → ".join(hop.device for hop in leg.hops)
    loss = leg.loss
    if loss is None:
        text = f"would be carried ({way}), had the guest got so far"
    elif loss.fate in _UNKNOWN:
        text = f"not seen further from {loss.device} either"
    else:
        same = first is not None and (first.device, first.rule) == (loss.device, loss.rule)
        text = f"would be lost at {loss.device}" + (" in the same way" if same else "")
    page.say(text, style="muted", lead=f"{leg.message}  ")


def _echo(page: Page, echo: EchoView) -> None:
    page.blank()
    page.say(f"What if {echo.uplink} returns my frames?", style="strong")
    for number, sentence in enumerate(echo.story, 1):
        page.say(sentence, 2, lead=f"{number}. ")
    if echo.explains:
        page.say(
            "That is the entry recorded: a returned frame explains how it came there.", 2, "bad"
        )
    elif echo.explains is False:
        page.say("That is not what the table says: nothing recorded points to a return.", 2)
