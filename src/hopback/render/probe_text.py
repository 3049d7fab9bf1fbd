"""A probe for people: whether it comes back, by which hops, and what would bring it back."""

from hopback.render.page import Page
from hopback.render.probe_view import ProbeView
from hopback.render.quoting import quote_evidence
from hopback.render.trace_text import draw_assumptions, draw_hop, draw_unseen
from hopback.render.wiring import draw_wiring

NAMES = {"ARP": "ARP probe", "NS": "neighbour solicitation (DAD)"}


def render_probe(view: ProbeView, width: int = 80) -> Page:
    """The view as a page ``width`` columns wide."""
    page = Page(width)
    who, what = view.wiring.name, NAMES[view.kind]
    if view.returned and view.filters:
        drop = " and ".join(view.filters)
        text = f"Not decided: {who} hears its own {what}, unless {drop} drops it (not evaluated)."
        page.say(text, style="warn")
    elif view.returned:
        page.say(f"{who} hears its own {what}: it comes back.", style="bad")
    elif view.circulates:
        page.say(f"The {what} of {who} goes round among the devices seen.", style="bad")
    elif view.unseen is not None:
        page.say(f"Not decided: the {what} of {who} goes where I cannot see.", style="warn")
    else:
        page.say(
            f"The {what} of {who} does not come back, by the tables as recorded.", style="good"
        )
    page.blank()
    draw_wiring(page, view.wiring)
    page.blank()
    page.titled(what, view.frame)
    for number, hop in enumerate(view.returned, 1):
        draw_hop(page, number, hop, "the guest")
    if view.unseen is not None:
        draw_unseen(page, view.unseen)
    if view.filtered is not None:
        page.say(f"{view.filtered.device}: {view.filtered.why}", 2, lead="× ")
        quote_evidence(page, view.filtered.because, 8)
    if view.copies:
        page.say(f"copies go out by {', '.join(view.copies)}", 2, lead="→ ")
    for way in view.echoing:
        page.say(f"if what lies beyond {way} returned it, the guest would hear it", 2, lead="? ")
    draw_assumptions(page, view.assumptions)
    return page
