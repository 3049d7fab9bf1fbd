"""A station's own frames that a packet filter keeps from the way out, or from the station.

Only frames are tried that every station sends or gets and no filter means to stop: the question for
a lease, ARP for its own address, duplicate detection and the neighbours' questions.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.checks.passage import OUTSIDER, Passage, passages
from hopback.datapath.effects import Place
from hopback.engines.trace import End, trace
from hopback.frames import dhcp
from hopback.frames.build import arp_request, dad_ns, dhcp_message, link_local, ns
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, Mac
from hopback.network.addresses import addresses_of
from hopback.network.facts import Ref, merge_refs
from hopback.network.model import Station
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import FilterChain, FilterRule, Match, Verdict

_RULES = ("filter-drop", "filter-policy", "filter-reject")
_DEVICE_FIELDS = frozenset({"meta iifname", "meta oifname", "physdev in", "physdev out"})
_THERE = IPv4Address("192.0.2.1")

DHCP, DISCOVERY = "DHCP requests", "IPv6 neighbour discovery"


class _Trial(NamedTuple):
    """A kind of frame, where it was lost if it was, and what it took to know its addresses."""

    name: str
    end: End | None
    refs: tuple[Ref, ...]


class Loss(NamedTuple):
    """Frames of one kind that a row of a filter stops: a rule, or the policy of a chain.

    ``bases`` are the chains with a hook from which it is reached. ``own``: only frames of the
    station's port come there.
    """

    station: Station
    frames: str
    end: End
    row: FilterRule | FilterChain
    bases: tuple[FilterChain, ...]
    own: bool
    refs: tuple[Ref, ...]

    @property
    def text(self) -> str:
        """The rule as it was listed, or the chain whose policy decides."""
        if isinstance(self.row, FilterRule):
            return f"{self.row.chain}: {self.row.text}"
        return f"the policy of {self.row.name}"


def losses(case: Case) -> Iterator[Loss]:
    """One for each station and kind of frame that a filter ends, its own or one for it."""
    if not any(s.filter_chains.rows for s in case.network.snapshots.values()):
        return
    leading = list(passages(case))
    for passage in leading:
        yield from _stopped(case, passage.station, _tried(case, passage), passage.way_out.refs)
    out = {passage.station for passage in leading}
    for station in case.network.stations:
        if station not in out:
            yield from _stopped(case, station, _entering(case, station), ())


def _stopped(
    case: Case, station: Station, tried: Iterable[_Trial], refs: tuple[Ref, ...]
) -> Iterator[Loss]:
    for trial in tried:
        if trial.end is None or trial.end.why.rule not in _RULES:
            continue
        ref = trial.end.why.refs[0]
        snapshot = case.network.snapshots[ref.host]
        for row in _rows_at(snapshot, ref):
            bases, own = _reached(snapshot, row, station.port.name)
            seen = merge_refs(trial.refs, refs)
            yield Loss(station, trial.name, trial.end, row, bases, own, seen)


def _entering(case: Case, station: Station) -> Iterator[_Trial]:
    """What ends where it enters: on a bridge without a way out there is no more to be asked."""
    mac = station.mac
    sent = {DHCP: _discover(mac), DISCOVERY: dad_ns(mac, link_local(mac))}
    for name, frame in sent.items():
        journey = trace(case.model, Place(station.port, "in"), frame)[0]
        lost = next((e for e in journey.ends if e.fate == "lost" and e.dev is None), None)
        yield _Trial(name, lost, ())


def _tried(case: Case, passage: Passage) -> Iterator[_Trial]:
    """What is lost of the frames tried, and what it took to know their addresses."""
    mac = passage.station.mac
    target = link_local(mac)
    yield _Trial(DHCP, passage.lost_leaving(_discover(mac)), ())
    yield _Trial(DISCOVERY, passage.lost_leaving(dad_ns(mac, target)), ())
    asked = ns(OUTSIDER, link_local(OUTSIDER), target)
    yield _Trial("neighbour solicitations", passage.lost_coming(asked), ())
    for address, refs in addresses_of(case.network, passage.station).items():
        if isinstance(address, IPv4Address):
            request: Frame = arp_request(mac, address, _THERE)
            yield _Trial(f"ARP from {address}", passage.lost_leaving(request), refs)
            request = arp_request(OUTSIDER, _THERE, address)
            yield _Trial(f"ARP questions for {address}", passage.lost_coming(request), refs)


def _discover(mac: Mac) -> Frame:
    nobody, everybody = IPv4Address(0), IPv4Address("255.255.255.255")
    return dhcp_message(dhcp.DISCOVER, mac, mac, BROADCAST, 1, nobody, everybody)


def _rows_at(snapshot: Snapshot, ref: Ref) -> Iterator[FilterRule | FilterChain]:
    yield from (row for row in snapshot.filter_rules.rows if row.cite == ref.cite)
    yield from (row for row in snapshot.filter_chains.rows if row.cite == ref.cite)


def _reached(
    snapshot: Snapshot, row: FilterRule | FilterChain, port: str
) -> tuple[tuple[FilterChain, ...], bool]:
    """The base chains from which ``row`` is reached, and whether only by the port's frames."""
    table = (row.cite.source, row.netns, row.backend, row.family, row.table)
    rules = [r for r in snapshot.filter_rules.rows if _table(r) == table]
    chains: Mapping[str, FilterChain] = {
        c.name: c for c in snapshot.filter_chains.rows if _table(c) == table
    }
    own = isinstance(row, FilterRule) and _names(row, port)
    seen, todo = set[str](), [row.chain if isinstance(row, FilterRule) else row.name]
    bases: list[FilterChain] = []
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in chains and chains[name].hook is not None:
            bases.append(chains[name])
        for rule in rules:
            if any(isinstance(s, Verdict) and s.chain == name for s in rule.steps):
                own |= _names(rule, port)
                todo.append(rule.chain)
    return tuple(bases), own


def _table(row: FilterRule | FilterChain) -> tuple[object, ...]:
    return row.cite.source, row.netns, row.backend, row.family, row.table


def _names(rule: FilterRule, port: str) -> bool:
    return any(
        isinstance(step, Match)
        and step.op == "=="
        and any(field.key in _DEVICE_FIELDS for field in step.fields)
        and any(port in element for element in step.values)
        for step in rule.steps
    )
