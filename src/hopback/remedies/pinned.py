"""Runs the model again with stations pinned to their ports: do they get their leases then?"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from hopback.datapath.model import Model, model_of
from hopback.engines.dhcp import Exchange, follow
from hopback.findings import Finding, Fix
from hopback.frames.mac import Mac, parse_mac
from hopback.network.build import build
from hopback.network.facts import DevId
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Edit, Replace, patch
from hopback.snapshot.rows import Fdb

Planned = tuple[Finding, Fix]


def prove_sticky_entries(
    snapshots: Sequence[Snapshot], plans: Sequence[Planned]
) -> tuple[Fix, ...]:
    """Each fix as proved, rejected or (where the model is blind) neither.

    A pinned entry has to carry all four DHCP messages, and to stay where it is when the way out
    returns the station's own frames. A ring in sight it cannot mend: the frames that circle there
    move the entries of the ring's own switches.
    """
    patched = [patch(s, _edits(s, plans)) for s in snapshots]
    model = model_of(build(patched))
    return tuple(_judged(model, finding, fix) for finding, fix in plans)


def _judged(model: Model, finding: Finding, fix: Fix) -> Fix:
    if not model.bridges[_bridge(finding)].kernel.sticky:
        return replace(
            fix, rejected_because="this kernel does not know sticky entries (Linux 4.20)"
        )
    exchange = _exchange(model, finding)
    if exchange is None:
        return fix
    if exchange.ring is not None and exchange.ring.dev is not None:
        reason = (
            f"frames still go round for ever through {exchange.ring.dev.name}: the switches of that"
            " ring have the wrong port too"
        )
        return replace(fix, rejected_because=reason)
    leg = exchange.first_lost
    if leg is not None and leg.lost is not None:
        if leg.lost.fate == "blind":
            return fix
        return replace(fix, rejected_because=f"the {leg.message} is lost even with it in place")
    if exchange.echo is None:
        return replace(fix, proved=True, keeps=("DHCP both ways",))
    if exchange.taught is not None:
        return replace(fix, rejected_because="the entry moves all the same")
    kept = "DHCP both ways, also while the way out returns frames"
    return replace(fix, proved=True, keeps=(kept,))


def _bridge(finding: Finding) -> DevId:
    return DevId(finding.host, finding.details["netns"], finding.details["bridge"])


def _exchange(model: Model, finding: Finding) -> Exchange | None:
    """The station's exchange with the remedy in place; None if the station is not known then."""
    mac = parse_mac(finding.subject)
    there = model.network.stations_on(_bridge(finding))
    station = next((s for s in there if s.mac == mac), None)
    return None if station is None else follow(model, station)


def _edits(snapshot: Snapshot, plans: Sequence[Planned]) -> list[Edit]:
    """Each entry of a planned station becomes the pinned one on the station's own port."""
    wanted: Mapping[Mac, Finding] = {
        parse_mac(f.subject): f for f, _ in plans if f.host == snapshot.host
    }
    return [
        Replace(row, _pinned(row, wanted[row.mac]))
        for row in dict.fromkeys(snapshot.fdb.rows)
        if row.mac in wanted and _is_of(row, wanted[row.mac])
    ]


def _is_of(row: Fdb, finding: Finding) -> bool:
    """Whether the row is one of the table that the finding is about."""
    named = row.bridge in (None, finding.details["bridge"])
    own = row.local or row.on_device or row.vlan != finding.details["vlan"]
    return named and row.netns == finding.details["netns"] and not own


def _pinned(row: Fdb, finding: Finding) -> Fdb:
    """The same row on the right port, named or numbered as its listing does it."""
    if row.port is None:
        return replace(row, dev=finding.details["expected_port"], static=True, sticky=True)
    number = finding.details["expected_port_number"]
    return replace(row, port=number, static=True, sticky=True)
