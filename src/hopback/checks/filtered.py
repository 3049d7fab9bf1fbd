"""A station's own frames that a packet filter keeps from the way out, or from the station.

Only frames are tried that every station sends or gets and no filter means to stop: the question for
a lease, ARP for its own address, duplicate detection and the neighbours' questions.
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.checks.passage import OUTSIDER, Passage, passages
from hopback.engines.trace import End
from hopback.frames import dhcp
from hopback.frames.build import arp_request, dad_ns, dhcp_message, link_local, ns
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST
from hopback.network.addresses import addresses_of
from hopback.network.facts import Ref, merge_refs
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import FilterChain, FilterRule, Match, Verdict

_RULES = ("filter-drop", "filter-policy", "filter-reject")
_DEVICE_FIELDS = frozenset({"meta iifname", "meta oifname", "physdev in", "physdev out"})
_THERE = IPv4Address("192.0.2.1")


class Loss(NamedTuple):
    """Frames of a station that one row of a filter stops: a rule, or the policy of a chain.

    ``bases`` are the chains with a hook from which it is reached. ``own``: only frames of the
    station's port come there.
    """

    passage: Passage
    frames: tuple[str, ...]
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
    """One for each passage and each row of a filter that ends frames there."""
    if not any(s.filter_chains.rows for s in case.network.snapshots.values()):
        return
    for passage in passages(case):
        stopped: dict[Ref, tuple[End, list[str], tuple[Ref, ...]]] = {}
        for name, end, refs in _tried(case, passage):
            if end is not None and end.why.rule in _RULES:
                _, names, seen = stopped.setdefault(end.why.refs[0], (end, [], ()))
                names.append(name)
                stopped[end.why.refs[0]] = (end, names, merge_refs(seen, refs))
        for ref, (end, names, refs) in stopped.items():
            snapshot = case.network.snapshots[ref.host]
            for row in _rows_at(snapshot, ref):
                bases, own = _reached(snapshot, row, passage.station.port.name)
                yield Loss(passage, tuple(names), end, row, bases, own, refs)


def _tried(case: Case, passage: Passage) -> Iterator[tuple[str, End | None, tuple[Ref, ...]]]:
    """What is lost of the frames tried, and what it took to know their addresses."""
    mac = passage.station.mac
    target = link_local(mac)
    yield "DHCP requests", passage.lost_leaving(_discover(passage)), ()
    yield "IPv6 neighbour discovery", passage.lost_leaving(dad_ns(mac, target)), ()
    asked = ns(OUTSIDER, link_local(OUTSIDER), target)
    yield "neighbours' questions for its IPv6 address", passage.lost_coming(asked), ()
    for address, refs in addresses_of(case.network, passage.station).items():
        if isinstance(address, IPv4Address):
            request: Frame = arp_request(mac, address, _THERE)
            yield f"ARP from {address}", passage.lost_leaving(request), refs
            request = arp_request(OUTSIDER, _THERE, address)
            yield f"ARP questions for {address}", passage.lost_coming(request), refs


def _discover(passage: Passage) -> Frame:
    nobody, everybody = IPv4Address(0), IPv4Address("255.255.255.255")
    mac = passage.station.mac
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
