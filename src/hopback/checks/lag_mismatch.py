"""lag-mismatch: the two sides of a link aggregate do not agree.

An 802.3ad leg whose partner state is defaulted hears no LACP; legs in different aggregators are
cabled to different LAGs, and only one of them is used; a leg that is down halves the bond
(drivers/net/bonding/bond_3ad.c, IEEE 802.1AX §6.4).
"""

from collections.abc import Callable, Iterator, Sequence

from hopback.checks.case import Case
from hopback.findings import Finding
from hopback.frames.mac import ZERO
from hopback.network.facts import DevId, Ref
from hopback.network.model import BondView
from hopback.snapshot.rows import Bond, BondLeg

NAME = "lag-mismatch"

DEFAULTED = 0x40
"""The actor's state bit that says that no LACP partner was heard (IEEE 802.1AX §6.4.2.3)."""

_LegTold = tuple[Ref, BondLeg]


def check(case: Case) -> Iterator[Finding]:
    """One finding for each bond and kind of disagreement."""
    for bond in case.network.bonds.values():
        down = [t for rows in bond.legs.values() for t in _newest(rows, _has_link)]
        down = [told for told in down if not told[1].mii_up]
        names = {leg.name for _, leg in down}
        # A leg without a link has no partner and an aggregator of its own: that tells nothing more.
        linked = [rows for name, rows in bond.legs.items() if name not in names]
        legs = [told for rows in linked for told in _newest(rows, _has_lacp)]
        yield from _no_partner(case, bond, legs)
        # Legs that hear nobody have an aggregator each: that tells nothing more.
        yield from list(_nobody(case, bond, legs)) or _split(case, bond, legs)
        yield from _down(case, bond, down)


def _newest(rows: Sequence[_LegTold], tells: Callable[[BondLeg], bool]) -> list[_LegTold]:
    """The last of a leg's rows that tells something, if one does: older ones tell of the past."""
    return [told for told in rows if tells(told[1])][-1:]


def _has_link(leg: BondLeg) -> bool:
    return leg.mii_up is not None


def _has_lacp(leg: BondLeg) -> bool:
    return leg.aggregator is not None or leg.actor_state is not None


def _no_partner(case: Case, bond: BondView, legs: list[_LegTold]) -> Iterator[Finding]:
    deaf = [told for told in legs if _is_deaf(told[1])]
    if deaf:
        names = list(dict.fromkeys(leg.name for _, leg in deaf))
        summary = (
            f"{bond.id.name} hears no LACP partner on {', '.join(names)}:"
            " the switch ports are not a LAG, or not this one."
        )
        yield _finding(case, bond.id, "no-partner", names, summary, deaf)


def _nobody(case: Case, bond: BondView, legs: list[_LegTold]) -> Iterator[Finding]:
    """The head of the file has a partner too: old kernels, and all but root, show no other."""
    told = [(ref, row) for ref, row in bond.rows if row.partner_mac is not None][-1:]
    if not told or told[0][1].partner_mac != ZERO or any(_shows_partner(leg) for _, leg in legs):
        return
    summary = f"{bond.id.name} hears no LACP partner: the switch ports are not a LAG."
    names = list(dict.fromkeys(leg.name for _, leg in legs))
    yield _finding(case, bond.id, "no-partner", names, summary, told)


def _shows_partner(leg: BondLeg) -> bool:
    return leg.actor_state is not None or leg.partner_mac is not None


def _is_deaf(leg: BondLeg) -> bool:
    if leg.actor_state is not None and leg.actor_state & DEFAULTED:
        return True
    return leg.partner_mac == ZERO and leg.aggregator is not None


def _split(case: Case, bond: BondView, legs: list[_LegTold]) -> Iterator[Finding]:
    aggregators: dict[int, list[_LegTold]] = {}
    for told in legs:
        if told[1].aggregator is not None and not _is_deaf(told[1]):
            aggregators.setdefault(told[1].aggregator, []).append(told)
    if len(aggregators) > 1:
        told_all = [told for group in aggregators.values() for told in group]
        names = list(dict.fromkeys(leg.name for _, leg in told_all))
        summary = (
            f"The legs of {bond.id.name} ({', '.join(names)}) are in different aggregators:"
            " they are cabled to different LAGs, and only one carries traffic."
        )
        yield _finding(case, bond.id, "split", names, summary, told_all)


def _down(case: Case, bond: BondView, down: list[_LegTold]) -> Iterator[Finding]:
    if down:
        names = list(dict.fromkeys(leg.name for _, leg in down))
        summary = f"{bond.id.name} has no link on {', '.join(names)}."
        yield _finding(case, bond.id, "leg-down", names, summary, down)


def _finding(
    case: Case,
    bond: DevId,
    kind: str,
    legs: list[str],
    summary: str,
    told: Sequence[tuple[Ref, BondLeg | Bond]],
) -> Finding:
    return Finding(
        check=NAME,
        group="other-fault",
        severity="warning",
        evidence="reported",
        confidence="certain",
        host=bond.host,
        subject=bond.name,
        summary=summary,
        because=case.evidence("bond_3ad", (ref for ref, _ in told)),
        details={"kind": kind, "legs": legs, "netns": bond.netns},
    )
