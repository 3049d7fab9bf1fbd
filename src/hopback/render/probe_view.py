"""A station's own probe told hop by hop, in the shape in which a DHCP exchange is told."""

from msgspec import Struct

from hopback.checks.case import Case
from hopback.engines.probe import Probe, ProbeKind
from hopback.engines.trace import Trace
from hopback.render.trace_view import STAND_INS, HopView, LossView, answers, hops_to, loss_at
from hopback.render.unevaluated import filters_along
from hopback.render.wiring import Wiring, wiring_of


class ProbeView(Struct, frozen=True):
    """``returned`` are the hops by which it comes back, () if it does not.

    ``unseen`` says where it could not be followed, ``filtered`` by which rule of a packet filter
    it does not come back, or goes nowhere; ``copies`` where it went out; ``echoing`` the
    ways out that would bring it back if what lies beyond them returned it; ``filters`` are on the
    way back, and not evaluated.
    """

    wiring: Wiring
    kind: ProbeKind
    frame: str
    returned: tuple[HopView, ...]
    circulates: bool
    unseen: LossView | None
    filtered: LossView | None
    copies: tuple[str, ...]
    echoing: tuple[str, ...]
    filters: tuple[str, ...]
    assumptions: tuple[str, ...]


def probe_view_of(case: Case, sent: Probe) -> ProbeView:
    """The probe, its rows quoted."""
    back = sent.trace.end("returned")
    unseen = sent.trace.end("blind", "budget")
    return ProbeView(
        wiring=wiring_of(case.network, sent.station),
        kind=sent.kind,
        frame=hops_to(case, sent.trace, 0)[0].frame,
        returned=hops_to(case, sent.trace, back.hop) if back else (),
        circulates=sent.trace.end("cycle") is not None,
        unseen=loss_at(case, sent.trace, unseen) if unseen else None,
        filtered=_filtered(case, sent),
        copies=_copies(sent.trace),
        echoing=tuple(way.name for way, trace in sent.echoes if trace.end("returned")),
        filters=filters_along(case, sent.trace.path(back.hop)) if back else (),
        assumptions=(*answers((sent.trace,)), STAND_INS),
    )


def _filtered(case: Case, sent: Probe) -> LossView | None:
    """What of a packet filter stops it at its sender's own port, either way."""
    own = (None, sent.station.port)
    for end in sent.trace.ends:
        if end.fate == "lost" and end.why.rule.startswith("filter-") and end.dev in own:
            return loss_at(case, sent.trace, end)
    return None


def _copies(trace: Trace) -> tuple[str, ...]:
    """The devices by which copies went out, each once, in the order of the hops."""
    outs = (hop.place.dev.name for hop in trace.hops if hop.place.way == "out")
    return tuple(dict.fromkeys(outs))
