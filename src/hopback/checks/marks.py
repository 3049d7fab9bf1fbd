"""Which packets the rules of a host give a mark of the firewall, and from whom they do not.

``-m mac ! --mac-source PEER -j MARK`` is how directors keep off what another director sends on.
Rows alone are read here; where a host's tables are whole, the packet is traced instead.
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from hopback.frames.mac import Mac, format_mac
from hopback.network.facts import Ref
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import FilterRule, Mangle, Match, Opaque, Span, Unsure

_MAC_NAMED = re.compile(r"(?P<no>!\s*)?--mac-source\s+(?P<no2>!\s*)?(?P<who>\S+)")
_PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}


class Marking(NamedTuple):
    """A rule that sets ``mark``, and what of a packet it looks at; None: it does not look.

    ``spares`` are the senders (MACs, or what a script calls them) whose frames it leaves alone.
    """

    netns: str
    mark: int
    targets: tuple[str, ...] | None
    protocol: str | None
    ports: tuple[int, ...] | None
    spares: frozenset[str]
    ref: Ref


def markings_of(snapshot: Snapshot) -> tuple[Marking, ...]:
    """The rules of a host that set a mark, whatever their chain."""
    return tuple(
        _marking(snapshot.host, rule, step)
        for rule in snapshot.filter_rules.rows
        for step in rule.steps
        if isinstance(step, Mangle) and step.key == "meta mark" and not step.source
    )


def _marking(host: str, rule: FilterRule, mangle: Mangle) -> Marking:
    matches = [step for step in rule.steps if isinstance(step, Match)]
    targets = _singles(matches, "ip daddr", "ip6 daddr")
    protocol, ports = _wanted(matches)
    return Marking(
        rule.netns,
        mangle.xor,
        None if targets is None else tuple(_spelled(rule, value) for value in targets),
        protocol,
        ports,
        frozenset((*_spared(matches), *_named(rule))),
        Ref(host, rule.cite),
    )


def _singles(matches: Iterable[Match], *keys: str) -> tuple[int, ...] | None:
    """The values of the field, ranges by their first; None where no match looks at it."""
    for match in matches:
        if match.op == "==" and len(match.fields) == 1 and match.fields[0].key in keys:
            firsts = (v.first if isinstance(v, Span) else v for (v,) in match.values)
            return tuple(value for value in firsts if isinstance(value, int))
    return None


def _spelled(rule: FilterRule, value: int) -> str:
    six = rule.family == "ip6" or value >> 32
    return str(IPv6Address(value) if six else IPv4Address(value))


def _wanted(matches: list[Match]) -> tuple[str | None, tuple[int, ...] | None]:
    """Protocol and ports."""
    for name in _PROTOCOLS.values():
        ports = _singles(matches, f"{name} dport")
        if ports is not None:
            return name, ports
    numbers = _singles(matches, "meta l4proto", "ip protocol", "ip6 nexthdr")
    return (_PROTOCOLS.get(numbers[0]) if numbers else None), _singles(matches, "th dport")


def _spared(matches: Iterable[Match]) -> Iterator[str]:
    for match in matches:
        if match.op == "!=" and [f.key for f in match.fields] == ["ether saddr"]:
            yield from (format_mac(Mac(v)) for (v,) in match.values if isinstance(v, int))


def _named(rule: FilterRule) -> Iterator[str]:
    """A MAC that a script has in a variable."""
    for step in rule.steps:
        if isinstance(step, Opaque | Unsure):
            match = _MAC_NAMED.search(step.text)
            if match and (match["no"] or match["no2"]):
                yield match["who"]


def spared_by(markings: Iterable[Marking]) -> frozenset[str]:
    """The senders whose frames get the mark by none of the rules; empty if there is no rule.

    Several rules add up: a frame that one of them leaves alone is marked by another.
    """
    sets = [marking.spares for marking in markings]
    return frozenset.intersection(*sets) if sets else frozenset()
