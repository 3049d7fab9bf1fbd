"""The lab of a ring for people: the verdict, then the model beside the kernel."""

from hopback.lab.ring.compare import RingResult, RingSeen
from hopback.lab.ring.plan import RingDesign
from hopback.render.lab_steps import show_list, show_steps
from hopback.render.page import Page, Span, Style


def render_ring(design: RingDesign, result: RingResult, where: str, width: int = 80) -> Page:
    """The result as a page; ``where`` says in words on what the lab ran."""
    page = Page(width)
    label, style = _headline(result)
    page.headline(Span(label, style), f"  {design.message}")
    page.say(f"{_in_words(result.recorded)}.")
    page.blank()
    page.say(f"Linux {result.kernel}, {where}", style="muted")
    _scene(page, "As recorded", result.recorded)
    if design.fix is not None and result.fixed is not None:
        page.blank()
        page.spans(Span(f"The same with {design.fix.name} on {design.fix.host}", "strong"))
        for command in design.fix.commands:
            page.exact(f"$ {command}", 2, "command")
        page.say(_in_words(result.fixed), 2)
        good = "it goes round no more" if result.mended else "it still goes round"
        page.say(good, 2, "good" if result.mended else "bad")
    show_list(page, "Differences", result.differences)
    if result.deaf:
        show_list(
            page, "Not heard well", [f"a canary was missed at {spot}" for spot in result.deaf]
        )
    show_list(page, "Assumed", design.notes)
    show_list(page, "Not rebuilt", design.gaps)
    return page


def render_ring_plan(design: RingDesign, width: int = 80) -> Page:
    """What would be built and played, each step with its reason."""
    page = Page(width)
    plan = design.plan
    page.say(
        f"The lab of {design.ring.names}: {len(plan.spaces)} namespaces,"
        f" {'two scenes' if design.fix else 'one scene'}."
    )
    page.blank()
    show_steps(page, (*plan.steps, *plan.late))
    for scene in plan.scenes:
        page.blank()
        page.spans(Span(f"Scene: {scene.name}", "strong"))
        show_steps(page, scene.before)
        for send in scene.sends:
            page.say(f"{send.at} sends a packet for {send.message}", 2, lead="→ ")
    show_list(page, "Assumed", design.notes)
    show_list(page, "Not rebuilt", design.gaps)
    return page


def _headline(result: RingResult) -> tuple[str, Style]:
    if result.deaf:
        return "DEAF", "warn"
    if result.differences:
        return "NOT AS PREDICTED", "warn"
    return ("REPRODUCED", "bad") if result.went_round else ("NOTHING GOES ROUND", "good")


def _in_words(seen: RingSeen) -> str:
    times = "more often than its hops allow" if seen.endless else f"{seen.frames} times"
    said = seen.expected.told_by
    told = f", then {said} tells the client that its time to live ran out" if seen.told else ""
    return f"One packet of the client arrives at a host {times}{told if said else ''}"


def _scene(page: Page, title: str, seen: RingSeen) -> None:
    page.blank()
    page.spans(Span(title, "strong"))
    wanted = "without end" if seen.expected.frames is None else f"{seen.expected.frames} frames"
    page.say(f"the model: {wanted}", 2)
    page.say(f"the kernel: {'without end' if seen.endless else f'{seen.frames} frames'}", 2)
