"""Random rulesets of nftables, and the frames that meet them, bridged and routed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from random import Random

from hopback.frames.build import echo_request
from hopback.frames.codec import encode
from hopback.frames.ethernet import Frame
from hopback.snapshot.rows import Opaque
from tests.build import listing, pasted
from tests.fidelity.areas.netfilter_frames import Answer, Arrival, Input, bridged, routed
from tests.fidelity.areas.netfilter_rules import Tables
from tests.fidelity.areas.netfilter_text import (
    ChainText,
    TableText,
    accepted,
    listed,
    printed,
    smaller_tables,
)
from tests.fidelity.shrink import changed_at, fewer
from tests.kernel.bridge_rig import BRIDGE_MAC
from tests.kernel.netfilter_rig import SILENCE
from tests.kernel.router_rig import BRIDGE, MACS, ROUTED, STATIONS, TAPS, Setup

PORTS_COUNT = 3
"""Ports of the bridge that does not route."""

_BRIDGED, _ROUTED = 100, 60
_DEVICES = (BRIDGE, *ROUTED)
_SETTINGS = (
    ("ipv4.ip_forward", 1),
    ("ipv6.conf.all.forwarding", 1),
    *((f"ipv4.conf.{name}.rp_filter", 0) for name in ("all", *_DEVICES)),
    *((f"ipv4.conf.{name}.accept_local", 0) for name in ("all", *_DEVICES)),
    ("bridge.bridge-nf-call-arptables", 0),
)


@dataclass(frozen=True)
class NetfilterCase:
    """A ruleset, and either frames of a bridge's taps or inputs of a router that bridges too.

    ``calls``: br_netfilter hands bridged packets to the hooks of IP.
    """

    tables: tuple[TableText, ...]
    bridged: tuple[tuple[int | None, bytes], ...] = ()
    routed: tuple[Input, ...] = ()
    hairpin: bool = False
    calls: bool = False

    @property
    def frames(self) -> Sequence[object]:
        return self.bridged or self.routed

    @property
    def setup(self) -> Setup:
        """Of the router."""
        return setup_of(hairpin=self.hairpin, calls=self.calls)


def setup_of(*, hairpin: bool, calls: bool) -> Setup:
    """A router that forwards whatever it is not told to drop."""
    names = ("bridge.bridge-nf-call-iptables", "bridge.bridge-nf-call-ip6tables")
    told = tuple((name, int(calls)) for name in names)
    return Setup(hairpin, (*_SETTINGS, *told))


def _floating(*, hairpin: bool, calls: bool) -> NetfilterCase:
    """A guest asks its own floating address, as nova's rules have it (DNAT, then SNAT)."""
    target = "ip daddr 10.0.0.200  dnat to 10.0.0.3"
    source = "ip saddr 10.0.0.3  ct status dnat  snat to 10.0.0.200"
    nat = (
        ChainText("pre", "type nat hook prerouting priority -100;", (target,)),
        ChainText("post", "type nat hook postrouting priority 100;", (source,)),
    )
    ends = ip_address("10.0.0.3"), ip_address("10.0.0.200")
    ping = echo_request(STATIONS["10.0.0.3"][1], MACS[BRIDGE], *ends)
    inputs = (Arrival("lp0", encode(ping)), Answer(0), Answer(1))
    return NetfilterCase((TableText("ip", "t", (), nat),), (), inputs, hairpin, calls)


def _routed_ping() -> Frame:
    ends = ip_address("10.1.0.2"), ip_address("10.2.0.2")
    return echo_request(STATIONS["10.1.0.2"][1], MACS["lr0"], *ends)


def _rejected() -> NetfilterCase:
    chain = ChainText("c", "type filter hook forward priority 0;", ("ip ttl 63  reject",))
    ping = _routed_ping()
    table = TableText("inet", "t", (), (chain,))
    return NetfilterCase((table,), routed=(Arrival("lr0", encode(ping)),))


def _moved() -> NetfilterCase:
    """What was masqueraded for the bridge is sent on by another device afterwards.

    A station pretends to have the address of one behind a router, and asks that very address.
    """
    rule = "ip6 hoplimit > 63  masquerade"
    chain = ChainText("c", "type nat hook postrouting priority 100;", (rule,))
    ends = ip_address("fd01::2"), ip_address("fd01::2")
    ping = echo_request(STATIONS["fd00::3"][1], STATIONS["fd01::2"][1], *ends)
    inputs = (Arrival("lp0", encode(ping)), Answer(0), Answer(1))
    return NetfilterCase((TableText("ip6", "t", (), (chain,)),), (), inputs, calls=True)


def _marked() -> NetfilterCase:
    """What is marked on its way in is dropped on its way on."""
    chains = (
        ChainText("a", "type filter hook prerouting priority 0;", ("meta mark set 0x1",)),
        ChainText("b", "type filter hook forward priority 0;", ("meta mark 0x1  drop",)),
    )
    table = TableText("ip", "t", (), chains)
    return NetfilterCase((table,), routed=(Arrival("lr0", encode(_routed_ping())),))


ENUMERATED = (
    _marked(),
    _moved(),
    _rejected(),
    *(
        _floating(hairpin=hairpin, calls=calls)
        for hairpin in (False, True)
        for calls in (False, True)
    ),
)
"""What the incidents are made of."""


def random_case(chance: Random) -> NetfilterCase:
    """A ruleset with frames of every kind for it, in one of the two networks."""
    if chance.random() < 0.5:
        devices = [f"lp{index}" for index in range(PORTS_COUNT)]
        made = Tables(chance, "bridge", devices).table("t")
        frames = random_frames(chance)
        return NetfilterCase(_readable((made,)), frames, hairpin=chance.random() < 0.3)
    families = chance.sample(("ip", "ip6", "inet"), chance.choice((1, 1, 2)))
    tables = tuple(Tables(chance, family, _DEVICES).table("t") for family in families)
    if chance.random() < 0.2:
        tables += (Tables(chance, "bridge", TAPS[:2]).table("t"),)
    hairpin, calls = chance.random() < 0.3, chance.random() < 0.6
    return NetfilterCase(_readable(tables), (), random_inputs(chance), hairpin, calls)


def random_inputs(chance: Random) -> tuple[Input, ...]:
    """Packets of new connections, and answers to what has left before."""
    inputs: list[Input] = []
    # What waits for a neighbour keeps its connection, and that its mapping, into later cases.
    ports = chance.randrange(10_000, 60_000)
    for number in range(_ROUTED):
        if number > 3 and chance.random() < 0.55:
            to = chance.randint(max(0, number - 12), number - 1)
            inputs.append(Answer(to, error=chance.random() < 0.15))
        else:
            inputs.append(routed(chance, number, ports))
    return tuple(inputs)


def smaller_case(case: NetfilterCase) -> Iterator[NetfilterCase]:
    """Fewer and shorter rules, fewer frames, plainer settings."""
    for tables in smaller_tables(case.tables):
        yield replace(case, tables=tables)
    for frames in fewer(case.bridged):
        yield replace(case, bridged=frames)
    for number in range(len(case.routed)):
        yield replace(case, routed=without(case.routed, number))
    if case.hairpin:
        yield replace(case, hairpin=False)
    if case.calls:
        yield replace(case, calls=False)


def random_frames(chance: Random, *, whole: bool = False) -> tuple[tuple[int | None, bytes], ...]:
    """Frames for a bridge by the ports they come in by; ``whole``: none contradicts itself."""
    ports = [
        None if chance.random() < 0.1 else chance.randrange(PORTS_COUNT) for _ in range(_BRIDGED)
    ]
    return tuple(
        (port, bridged(chance, number, BRIDGE_MAC, tagged=port is not None, whole=whole))
        for number, port in enumerate(ports)
    )


def _readable(tables: tuple[TableText, ...]) -> tuple[TableText, ...]:
    """The tables without rules that nft refuses, or lists as bytes that it does not tell the type
    of, so that they stay opaque.
    """
    taken = accepted(tables)
    (snapshot,) = pasted(listed_tables(taken))
    for row in snapshot.filter_rules.rows:
        if any(isinstance(step, Opaque) for step in row.steps):
            taken = _emptied(taken, (row.family, row.table, row.chain), row.place)
    return tuple(
        replace(table, chains=tuple(
            replace(chain, rules=tuple(filter(None, chain.rules))) for chain in table.chains
        ))
        for table in taken
    )  # fmt: skip


def _emptied(
    tables: tuple[TableText, ...], chain: tuple[str, str, str], place: int
) -> tuple[TableText, ...]:
    """With an empty line in the place of a rule, counted from 1."""
    for at, table in enumerate(tables):
        for index, each in enumerate(table.chains):
            if (table.family, table.name, each.name) == chain:
                rules = changed_at(each.rules, place - 1, "")
                chains = changed_at(table.chains, index, replace(each, rules=rules))
                return changed_at(tables, at, replace(table, chains=chains))
    return tables


def listed_tables(tables: tuple[TableText, ...]) -> str:
    """The listing of the router's ruleset."""
    return listing("nft -j list ruleset", listed(SILENCE + printed(tables)).splitlines())


def without(inputs: tuple[Input, ...], number: int) -> tuple[Input, ...]:
    """Without one input and the answers to it; the others keep what they are about."""
    kept: list[Input] = []
    numbers: dict[int, int] = {}
    for at, each in enumerate(inputs):
        if at == number or (isinstance(each, Answer) and each.to not in numbers):
            continue
        numbers[at] = len(kept)
        kept.append(replace(each, to=numbers[each.to]) if isinstance(each, Answer) else each)
    return tuple(kept)
