"""What programs of a host reach by its own NAT: services whose address is of some prefix.

For the host's own packets a route is looked up before NAT gives them another destination
(net/ipv4/route.c:ip_route_output_key, then NF_INET_LOCAL_OUT). One that refuses the prefix refuses
them all: connect(2) fails with EINVAL at a blackhole.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from msgspec.structs import replace

from hopback.datapath.effects import Ask, Drop, Effect, Question
from hopback.datapath.ip.fib import Prefix
from hopback.datapath.ip.output import send
from hopback.datapath.model import Model
from hopback.datapath.path import ip_layer
from hopback.datapath.skb import Ip
from hopback.engines.trace import MAX_QUESTIONS
from hopback.frames import ethernet, tcp, udp
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import ZERO
from hopback.frames.tcp import Tcp
from hopback.frames.udp import Udp
from hopback.network.facts import DevId
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Choice, Element, Field, FilterRule, Match, Span

_ADDRESS = {"ip daddr": 4, "ip6 daddr": 6}
_PORTS = ("tcp dport", "udp dport", "th dport")
_ANY_PORT, _OWN_PORT = 80, 40_000


class Service(NamedTuple):
    """Where a rule of NAT looks for packets."""

    address: Ip
    port: int
    udp: bool = False

    @property
    def title(self) -> str:
        """As one says it."""
        return f"the host's own to {self.address}, {'UDP' if self.udp else 'TCP'} {self.port}"


def services(snapshot: Snapshot, netns: str, prefixes: Sequence[Prefix]) -> tuple[Service, ...]:
    """Those of the prefixes that the rules of a namespace name, if its own packets meet NAT."""
    chains = [c for c in snapshot.filter_chains.rows if c.netns == netns and c.kind == "nat"]
    if not any(chain.hook == "output" for chain in chains):
        return ()
    rules = (rule for rule in snapshot.filter_rules.rows if rule.netns == netns)
    found = (service for rule in rules for service in _of(snapshot, rule))
    return tuple(
        dict.fromkeys(
            s
            for s in found
            if any(s.address.version == p.version and s.address in p for p in prefixes)
        )
    )


def are_known(snapshot: Snapshot, netns: str) -> bool:
    """Whether anybody listed the packet filters of the namespace."""
    return any(extent.netns == netns for extent in snapshot.filter_chains.extents)


def refusal(model: Model, dev: DevId, service: Service) -> Drop | None:
    """Why a packet of the host's own to the service does not leave; None if it does."""
    layer = ip_layer(model, {}, dev)
    if layer is None:
        return None
    own = (a for a, at in layer.host.addresses.items() if at.dev == dev.name)
    source = next((a for a in own if a.version == service.address.version), None)
    frame = _frame(source, service) if source is not None else None
    if frame is None:
        return None
    world: dict[Question, str] = {}
    effect: Effect = send(layer, frame)
    for _ in range(MAX_QUESTIONS):
        if not isinstance(effect, Ask):
            break
        world[effect.question] = effect.question.default
        effect = send(replace(layer, world=world), frame)
    return effect if isinstance(effect, Drop) else None


def _frame(source: Ip, service: Service) -> Frame | None:
    body: Tcp | Udp = Udp(_OWN_PORT, service.port)
    protocol = udp.PROTOCOL
    if not service.udp:
        body, protocol = Tcp(_OWN_PORT, service.port), tcp.PROTOCOL
    if isinstance(source, IPv4Address) and isinstance(service.address, IPv4Address):
        packet = Ipv4(source, service.address, protocol, body)
        return Frame(ZERO, ZERO, (), ethernet.IPV4, packet)
    if isinstance(source, IPv6Address) and isinstance(service.address, IPv6Address):
        packet6 = Ipv6(source, service.address, protocol, body)
        return Frame(ZERO, ZERO, (), ethernet.IPV6, packet6)
    return None


def _of(snapshot: Snapshot, rule: FilterRule) -> Iterator[Service]:
    """The addresses that a rule names, each with a port that stands beside it or in the rule."""
    said = [
        dict(zip((each.key for each in f), e, strict=False)) for f, e in _compared(snapshot, rule)
    ]
    ports = [port for one in said for port in _ports(one)]
    for one in said:
        for key, version in _ADDRESS.items():
            value = one.get(key)
            number = value.first if isinstance(value, Span) else value
            if not isinstance(number, int):
                continue
            address = IPv4Address(number) if version == 4 else IPv6Address(number)
            for port, is_udp in list(_ports(one)) or ports[:1] or [(_ANY_PORT, False)]:
                yield Service(address, port, is_udp)


def _compared(snapshot: Snapshot, rule: FilterRule) -> Iterator[tuple[tuple[Field, ...], Element]]:
    """The fields that the rule looks at, with each element that they are compared with."""
    for step in rule.steps:
        if isinstance(step, Match) and step.op == "==":
            elements: Sequence[Element] = step.values or _elements(snapshot, rule, step.set)
        elif isinstance(step, Choice):
            listed = [element for element, _ in step.entries]
            elements = listed or _elements(snapshot, rule, step.map)
        else:
            continue
        yield from ((step.fields, element) for element in elements)


def _elements(snapshot: Snapshot, rule: FilterRule, name: str) -> Sequence[Element]:
    return next(
        (
            row.elements
            for row in snapshot.filter_sets.rows
            if (row.netns, row.table, row.name) == (rule.netns, rule.table, name) and name
        ),
        (),
    )


def _ports(said: Mapping[str, object]) -> Iterator[tuple[int, bool]]:
    for key in _PORTS:
        port = said.get(key)
        if isinstance(port, int):
            yield port, key == "udp dport" or said.get("meta l4proto") == udp.PROTOCOL
