"""Every class of frames stands for all of its frames: nothing that comes back is overlooked."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from itertools import islice, product
from random import Random
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hopback.datapath.bridge.forward import kind_of
from hopback.datapath.effects import Cross, Place, Send
from hopback.datapath.model import Model
from hopback.datapath.path import step
from hopback.engines.classes import frames
from hopback.engines.entries import Entry, entries
from hopback.engines.trace import End, Trace, trace
from hopback.engines.verify import verify
from hopback.frames import ethernet, igmp, udp
from hopback.frames.build import arp_probe, arp_request, dad_ns, multicast_mac, ns
from hopback.frames.ethernet import Frame, Vlan
from hopback.frames.identity import identity, payload_identity
from hopback.frames.igmp import Igmp
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import BROADCAST, Mac, is_group
from hopback.frames.raw import Raw
from hopback.frames.udp import Udp
from hopback.network.facts import DevId
from tests.engines import small_nets

NETWORKS = 8
FOUND = (1298, 1713)
"""Networks on which they once differed: two tags on a wire but one on the VLAN device above it; an
answer that goes to the source of the question."""
TOO_MANY = 1_000
"""Frames to try where there are filters, which take their time."""
MAX_HOPS = 400
"""Of a trace: a net of rings has more paths than anybody can follow."""

_V4, _V6 = IPv4Address("198.51.100.9"), IPv6Address("fe80::9")
_STRANGERS = (Mac(0x0212_3456_0001), Mac(0x0212_3456_0002))
_GROUPS = (BROADCAST, Mac(0x0312_3456_0001), *(Mac(0x0180_C200_0000 + n) for n in (0, 1, 3, 14)))
_TAGS: tuple[tuple[Vlan, ...], ...] = (
    (),
    (Vlan(0),),
    (Vlan(1),),
    (Vlan(2),),
    (Vlan(3),),
    (Vlan(9),),
    (Vlan(1), Vlan(2)),
)

Cause = tuple[str, str, frozenset[DevId]]


def universe(rng: Random, model: Model) -> Iterator[Frame]:
    """Every source to every destination with every payload and tag, of a small world."""
    owned = [d.mac.value for d in model.network.devices.values() if d.mac]
    macs = [*small_nets.GUESTS, *small_nets.LEARNED]
    macs = [*rng.sample(macs, 3), *rng.sample(owned, 2), rng.choice(_STRANGERS)]
    tagged = bool(model.vlans.by_id) or any(b.vlan_filtering for b in model.bridges.values())
    tags = rng.sample(_TAGS, 3) if tagged else _TAGS[:1]
    asking = bool(model.netfilter) or any(b.hosts for b in model.bridges.values())
    for source, stack in product(macs, tags):
        for destination in (*_GROUPS, *macs):
            for frame in [*messages(source)] if asking else [raw(source)]:
                yield replace(frame, dst=destination, tags=stack)
        for frame in multicasts(source):
            yield replace(frame, tags=stack)


def raw(source: Mac) -> Frame:
    return Frame(BROADCAST, source, (), 0x88B5, Raw(bytes(50)))


def messages(source: Mac) -> Iterator[Frame]:
    yield raw(source)
    yield arp_probe(source, _V4)
    yield dad_ns(source, _V6)
    for text, _ in small_nets.NEIGHBOURS:
        if ":" in text:
            yield ns(source, _V6, IPv6Address(text))
        else:
            yield arp_request(source, _V4, IPv4Address(text))


def multicasts(source: Mac) -> Iterator[Frame]:
    data = Udp(9, 9, Raw(bytes(20)))
    for text in ("233.252.0.1", "233.252.0.2", "224.0.0.251"):
        group = IPv4Address(text)
        packet = Ipv4(_V4, group, udp.PROTOCOL, data)
        yield Frame(multicast_mac(group), source, (), ethernet.IPV4, packet)
    for text in ("ff0e::db8:1", "ff0e::db8:2", "ff02::1"):
        target = IPv6Address(text)
        packet6 = Ipv6(_V6, target, udp.PROTOCOL, data)
        yield Frame(multicast_mac(target), source, (), ethernet.IPV6, packet6)
    group = IPv4Address("233.252.0.1")
    report = Ipv4(_V4, group, igmp.PROTOCOL, Igmp(igmp.V2_REPORT, group), ttl=1)
    yield Frame(multicast_mac(group), source, (), ethernet.IPV4, report)


def causes(model: Model, entry: Entry, frame: Frame) -> set[Cause] | None:
    """What ``trace`` shows of one frame from one place; None if it is too much to follow."""
    journey = trace(model, entry.place, frame, sender=entry.sender)[0]
    if journey.end("budget"):
        return None
    kind = kind_of(frame.dst)
    found: set[Cause] = {("cycle", kind, net) for net in rings(model, journey)}
    if came_back(model, entry, frame, journey):
        found.add(("returned", kind, frozenset({entry.sender or entry.place.dev})))
    return found


def came_back(model: Model, entry: Entry, frame: Frame, journey: Trace) -> bool:
    said = payload_identity(frame)
    if entry.sender is not None:
        return journey.end("returned") is not None
    for_it = entry.switch or is_group(frame.dst) or frame.dst == frame.src
    back = Place(entry.place.dev, "out")
    return for_it and any(
        hop.place == back and hop.frame.tags == frame.tags and payload_identity(hop.frame) == said
        for hop in journey.hops
    )


def rings(model: Model, journey: Trace) -> set[frozenset[DevId]]:
    """The devices of the cycles; those that share a hop are one net."""
    nets: list[set[tuple[Place, bytes]]] = []
    for end in journey.ends:
        if end.fate != "cycle":
            continue
        path = [(hop.place, identity(hop.frame)) for hop in journey.path(end.hop)]
        again = following(model, journey, end)
        ring = set(path[next(i for i, crumb in enumerate(path) if crumb in again) :])
        touched = [net for net in nets if net & ring]
        nets = [net for net in nets if net not in touched] + [ring.union(*touched)]
    return {frozenset(place.dev for place, _ in net) for net in nets}


def following(model: Model, journey: Trace, end: End) -> list[tuple[Place, bytes]]:
    """Where the hop of a cycle's end leads to: it has been there."""
    hop = journey.hops[end.hop]
    effects = step(model, journey.world, hop.place, hop.frame, hop.skb)
    moved = [e for e in effects if isinstance(e, Send | Cross) and e.dev == end.dev]
    ways: dict[type, Literal["in", "out"]] = {Send: "out", Cross: "in"}
    return [(Place(e.dev, ways[type(e)]), identity(e.frame)) for e in moved]


def agree(seed: int) -> int:
    """Compare one network with all of a small world of frames; how many were followed."""
    rng = Random(seed)
    model = small_nets.model(rng)
    if model.netfilter and len(list(islice(frames(model), TOO_MANY))) == TOO_MANY:
        return 0
    proof = verify(model)
    claimed = {(w.fate, w.kind, frozenset(w.devices)) for w in proof.witnesses}
    followed = 0
    for entry, frame in product(entries(model), universe(rng, model)):
        found = causes(model, entry, frame)
        if found is not None:
            followed += 1
            assert found <= claimed, (seed, entry, frame)
    for witness in proof.witnesses:
        (entry,) = (e for e in entries(model) if e.place == witness.entry)
        found = causes(model, entry, witness.frame)
        cause = (witness.fate, witness.kind, frozenset(witness.devices))
        assert found is None or cause in found, (seed, witness)
    return followed


@pytest.fixture(autouse=True)
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hopback.engines.trace.MAX_HOPS", MAX_HOPS)


def test_it_agrees_with_tracing_everything() -> None:
    assert sum(agree(seed) for seed in (*range(NETWORKS), *FOUND)) > 100 * NETWORKS


@settings(max_examples=4)
@given(st.integers(NETWORKS, 2**32))
def test_it_agrees_on_any_network(seed: int) -> None:
    agree(seed)
