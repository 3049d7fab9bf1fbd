"""The lab for people: the verdict, then what the model says beside what the kernel did."""

from collections.abc import Sequence

from hopback.frames.mac import format_mac
from hopback.lab.compare import Compared, Played, Result
from hopback.lab.detected import ENDS, DetectionSeen
from hopback.lab.neighbours import Kind
from hopback.lab.plan import Assumed, Design, Mended
from hopback.lab.predict import Passing
from hopback.lab.reached import ENDS as REACH_ENDS
from hopback.lab.reached import ReachSeen
from hopback.render.lab_steps import show_list, show_steps
from hopback.render.page import Page, Span, Style

_LEFT = 40
_CALLED: dict[Kind, str] = {
    "silent": "a silent neighbour",
    "switch": "a switch",
    "reflector": "a reflector",
    "two-link-loop": "a two-link loop",
    "lag": "a switch with a LAG",
    "no-lag": "a switch without a LAG",
}
_HEADLINE: dict[str, tuple[str, Style]] = {
    "reproduced": ("REPRODUCED", "bad"),
    "not-reproduced": ("NOT REPRODUCED", "warn"),
    "deaf": ("DEAF", "warn"),
}


def render_lab(design: Design, result: Result, where: str, width: int = 80) -> Page:
    """The result as a page; ``where`` says in words on what the lab ran."""
    page = Page(width)
    _headline(page, design, result)
    page.blank()
    page.say(f"Linux {result.kernel}, {where}", style="muted")
    page.blank()
    page.spans(Span("Each message against the tables as recorded", "strong"))
    for played in result.recorded:
        end = "arrives" if played.arrived else f"is lost at {played.lost_at}"
        _against_tables(page, played, end)
    _of_itself(page, result.probes, result.detections, result.reaches)
    page.blank()
    page.spans(Span("The story: the guest speaks, then asks for a lease", "strong"))
    _story(page, result.live)
    _left(page, result.left)
    if design.fixed is not None:
        page.blank()
        page.spans(Span(f"The same with {design.fixed.name}", "strong"))
        for command in design.fixed.commands:
            page.exact(f"$ {command}", 2, "command")
        _of_itself(page, result.fixed_probes, result.fixed_detections, result.fixed_reaches)
        _story(page, result.fixed or ())
        _mended(page, design.fixed, result)
    show_list(page, "Differences", result.differences)
    show_list(page, "Assumed", [*(_assumption(a) for a in design.assumed), *design.notes])
    show_list(page, "Not rebuilt", design.segment.gaps)
    return page


def render_plan(design: Design, width: int = 80) -> Page:
    """What would be built and played, each step with its reason."""
    page = Page(width)
    station = design.segment.station
    page.say(
        f"The lab of {station.name} ({format_mac(station.mac)}):"
        f" {len(design.plan.spaces)} namespaces, {len(design.plan.scenes)} scenes.",
    )
    page.blank()
    show_steps(page, (*design.plan.steps, *design.plan.late))
    for scene in design.plan.scenes:
        page.blank()
        page.spans(Span(f"Scene: {scene.name}", "strong"))
        show_steps(page, scene.before)
        for send in scene.sends:
            heard = f" on the {send.after}" if send.after else ""
            page.say(f"{send.at} sends {send.message}{heard}", 2, lead="→ ")
        for detect in scene.detects:
            page.say(f"{detect.at} gets the address {detect.address}", 2, lead="→ ")
        for ping in scene.pings:
            page.say(f"{ping.at} pings {ping.target}", 2, lead="→ ")
        show_steps(page, scene.afterwards)
    show_list(page, "Assumed", [*(_assumption(a) for a in design.assumed), *design.notes])
    show_list(page, "Not rebuilt", design.segment.gaps)
    return page


def _headline(page: Page, design: Design, result: Result) -> None:
    label, style = _HEADLINE[result.outcome]
    if result.well:
        style = "good"
    beyond = next((a for a in design.assumed), None)
    assuming = f"  assuming {_CALLED[beyond.kind]} beyond {beyond.device}" if beyond else ""
    page.headline(Span(label, style), assuming)
    page.say(f"{result.why[0].upper()}{result.why[1:]}.")


def _assumption(assumed: Assumed) -> str:
    return f"beyond {assumed.device} is {_CALLED[assumed.kind]}: {assumed.why}"


def _against_tables(page: Page, played: Played, end: str) -> None:
    if played.differences:
        page.say(f"{end}; the model says otherwise", 2, "warn", _lead(played))
        return
    hops = len(played.expected.everywhere or ())
    page.say(
        f"{end}; {hops} hop{'' if hops == 1 else 's'}, as the model says", 2, "", _lead(played)
    )
    _filter(page, played.expected.filter, 12)


def _of_itself(
    page: Page,
    probes: Sequence[Played],
    detections: Sequence[DetectionSeen],
    reaches: Sequence[ReachSeen],
) -> None:
    """What the guest hears of its own probes, how its stack's detection ends, what it reaches."""
    for played in probes:
        _against_tables(page, played, "comes back" if played.arrived else "does not come back")
    for one in detections:
        _detection(page, one)
    for ping in reaches:
        _reach(page, ping)


def _reach(page: Page, one: ReachSeen) -> None:
    lead = f"{'PING':<10}"
    at = f" at {one.lost_at}" if one.lost_at else ""
    said = f"{one.expected.target} {REACH_ENDS[one.end]}{at}"
    if one.differences or one.expected.end == "out-of-sight":
        says = "the model says otherwise" if one.differences else "the model cannot tell"
        page.say(f"{said}; {says}", 2, "warn", lead)
        return
    page.say(f"{said}, as the model says", 2, "" if one.end == "answered" else "bad", lead)
    if one.end != "answered":
        for hop in one.expected.path:
            page.say(_hop(hop), 14)
        page.say(one.expected.why, 12, "muted")
        _filter(page, one.expected.filter, 12)


def _filter(page: Page, rule: str, indent: int) -> None:
    """The rule that drops a frame."""
    if rule:
        page.say(f"dropped by {rule}", indent, "muted")


def _detection(page: Page, one: DetectionSeen) -> None:
    end = ENDS[one.phase]
    lead = f"{'DAD':<10}"
    if one.differences or not one.expected.sure:
        says = "the model says otherwise" if one.differences else "the model cannot tell"
        page.say(f"{one.expected.address} {end}; {says}", 2, "warn", lead)
        return
    heard = ", though its own probe returns" if one.returned and one.phase == "preferred" else ""
    unasked = ", but nobody hears it ask" if one.vacuous else ""
    said = f"{one.expected.address} {end}{heard}{unasked}, as the model says"
    page.say(said, 2, "" if one.phase == "preferred" else "bad", lead)
    if one.phase in ("dadfailed", "gone"):
        for hop in one.expected.path:
            why = f": {hop.why}" if hop.why else ""
            page.say(f"{_hop(hop)}{why}", 14)


def _lead(played: Played) -> str:
    return f"{played.expected.message:<10}"


def _story(page: Page, story: Sequence[Played]) -> None:
    page.spans(Span(f"{'  the model says':<{_LEFT}}the kernel did", "muted"))
    for played in story:
        page.spans(Span(f"  {played.expected.message}", "strong"))
        _hops(page, played)
        good = played.arrived == played.expected.arrives
        foretold = _end(played.expected.arrives, played.expected.lost_at)
        seen = _end(played.arrived, played.lost_at)
        style: Style = "warn" if not good else "good" if played.arrived else "bad"
        page.spans(Span(f"    {foretold:<{_LEFT - 4}}", style), Span(seen, style))
        if not played.arrived:
            _filter(page, played.expected.filter, 4)


def _left(page: Page, left: Sequence[Compared]) -> None:
    if left:
        page.blank()
        page.spans(Span("What is left of it", "strong"))
    for one in left:
        saying = _SAYING[one.what]
        if one.seen is None:
            page.say(f"{saying(one.foretold)}, says the model; here nobody could look.", 2, "muted")
        elif one.differs:
            page.say(f"{saying(one.seen)}; the model says otherwise.", 2, "warn")
        else:
            page.say(f"{saying(one.seen)}, as the model says.", 2)


def _guest_is(ports: Sequence[str]) -> str:
    return f"The table has the guest on {' and '.join(ports) or 'no port'}"


def _logs(lines: Sequence[str]) -> str:
    if not lines:
        return "When the host speaks, the kernel logs no own-address message"
    return f"When the host speaks, the kernel logs “{' '.join(lines)}”"


_SAYING = {"entry": _guest_is, "own-address": _logs}


def _hops(page: Page, played: Played) -> None:
    seen = {(s.spot, s.way) for s in played.seen}
    for number, hop in enumerate(played.expected.path, 1):
        there = _hop(hop) if (hop.spot, hop.way) in seen else "not seen"
        page.spans(Span(f"    {f'{number} {_hop(hop)}':<{_LEFT - 4}}{there}"))


def _hop(passing: Passing) -> str:
    return f"{passing.way:<3} {passing.spot}"


def _end(arrives: bool, lost_at: str) -> str:
    return "→ arrives" if arrives else f"✗ lost at {lost_at}"


def _mended(page: Page, fixed: Mended, result: Result) -> None:
    agreed = result.mended == fixed.well
    helps = "mends it" if result.mended else "does not mend it"
    as_said = "as the model says" if agreed else "against what the model says"
    style: Style = "good" if result.mended and agreed else "warn"
    page.blank()
    page.say(f"{fixed.name} {helps}, {as_said}.", style=style)
