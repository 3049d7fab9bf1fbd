"""bond-reflection: a static bond whose legs are not one LAG returns its own frames.

A bond in balance-rr, balance-xor or broadcast, or one with all_slaves_active, takes frames on every
leg (drivers/net/bonding/bond_main.c:bond_handle_frame). If the switch does not know that its ports
are one link, it floods what comes by one leg out to the others. With 802.3ad or active-backup the
same cabling returns nothing: then something beyond the bond does, and uplink-echo says so.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address

from hopback.checks.case import Case, path_steps
from hopback.checks.returning import (
    addresses_of,
    alternatives_of,
    confidence_of,
    returning,
    uplink_of,
)
from hopback.datapath.bond import lag_question
from hopback.datapath.bond_state import STATIC, BondState
from hopback.datapath.effects import Place
from hopback.datapath.path import outlet
from hopback.datapath.rules import RULES
from hopback.engines.trace import trace
from hopback.findings import Finding, Step
from hopback.frames.build import arp_probe
from hopback.frames.describe import describe
from hopback.frames.mac import parse_mac
from hopback.network.facts import DevId, merge_refs

NAME = "bond-reflection"

_TARGET = IPv4Address("192.0.2.50")
_Told = Mapping[DevId, Sequence[Finding]]
"""The symptoms by the bridge that has them."""


def check(case: Case) -> Iterator[Finding]:
    """One finding for each bond that reflects and by which frames came in again."""
    blamed: dict[DevId, dict[DevId, Sequence[Finding]]] = defaultdict(dict)
    for bridge, found in returning(case):
        bond = outlet(case.model, bridge._replace(name=uplink_of(case, bridge, found)))
        state = case.model.bonds.get(bond)
        if state is not None and state.reflects:
            blamed[bond][bridge] = found
    for bond, told in blamed.items():
        yield _finding(case, case.model.bonds[bond], told)


def _finding(case: Case, bond: BondState, told: _Told) -> Finding:
    bridge = next(iter(told))
    found = [finding for findings in told.values() for finding in findings]
    legs = [leg.id.name for leg in bond.legs if leg.up and bond.takes(leg)]
    refs = merge_refs(bond.refs, *(leg.refs for leg in bond.legs))
    return Finding(
        check=NAME,
        group="comes-back",
        severity="error",
        evidence="reported",
        confidence=confidence_of(found),
        host=bond.id.host,
        subject=bond.id.name,
        summary=(
            f"What leaves by one leg of {bond.id.name} comes in again by another: {_mode(bond)}"
            f" takes frames on {', '.join(legs)} alike, and their switch ports are not one LAG."
        ),
        because=(
            *(evidence for finding in found for evidence in finding.because),
            *case.evidence("bond_handle_frame", refs),
        ),
        path=_round_trip(case, bond, found),
        details={
            "bridge": bridge.name or None,
            "netns": bond.id.netns,
            "uplink": uplink_of(case, bridge, told[bridge]),
            "mode": bond.mode,
            "legs": legs,
            "stations": [f.subject for f in found if f.check == "fdb-misplaced"],
            "addresses": addresses_of(found),
        },
        explains=tuple(dict.fromkeys(f.check for f in found)),
        alternatives=(
            f"the ports are one LAG, and something beyond {bond.id.name} returns frames",
            *alternatives_of(found),
        ),
    )


def _mode(bond: BondState) -> str:
    return bond.mode if bond.mode in STATIC else f"{bond.mode} with all_slaves_active"


def _round_trip(case: Case, bond: BondState, found: Sequence[Finding]) -> tuple[Step, ...]:
    """The way of a misplaced station's broadcast through the model, back to its bridge."""
    misplaced = next((f for f in found if f.check == "fdb-misplaced"), None)
    if misplaced is None:
        return ()
    home = bond.id._replace(name=misplaced.details["expected_port"])
    back = Place(bond.id._replace(name=misplaced.details["actual_port"]), "in")
    frame = arp_probe(parse_mac(misplaced.subject), _TARGET)
    apart = {lag_question(bond.id): "separate ports"}
    journey = trace(case.model, Place(home, "in"), frame, world=apart)[0]
    last = next((i for i, hop in enumerate(journey.hops) if hop.place == back), None)
    hops = journey.path(last) if last is not None else ()
    return path_steps(
        (hop.place.dev, hop.place.way, describe(hop.frame), _why(hop.why.rule if hop.why else ""))
        for hop in hops
    )


def _why(rule: str) -> str:
    return RULES[rule or "learn-new"].text
