"""What reviewers asked of a TTL decrement in IPVS, point by point (docs/ipvs-ttl.md)."""

from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from hopback.datapath.effects import Drop, Place, Send, Tell
from hopback.datapath.ip.packet import hops_left, packet_of
from hopback.datapath.model import Model
from hopback.datapath.path import step
from hopback.datapath.skb import FRESH, Skb
from hopback.engines.trace import trace
from hopback.frames.ethernet import Frame
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.ipv4 import DONT_FRAGMENT, Ipv4
from hopback.frames.ipv6 import Ipv6
from tests.build import dev, listing
from tests.datapath.ipvs.given import (
    OWN,
    OWN6,
    VIP,
    VIP6,
    at,
    datagram,
    director,
    host,
    marked,
    sent,
    server,
    service,
    setting,
)
from tests.datapath.ipvs.test_related import CLIENTS, known
from tests.datapath.ipvs.test_settings import MARKED

V6 = service(address=VIP6)
OLD = listing("uname -r", ["4.9.0"], "a")
BYPASS = "198.51.100.5"


class Sent(NamedTuple):
    """A director, and what a client sends it."""

    model: Model
    frame: Frame
    skb: Skb = FRESH


def transmitter(name: str, *, more: str = "", mtu: int = 1500) -> Sent:
    """One packet for each function that sends a packet on."""
    text = host(mtu=mtu, more=more + (MARKED if name == "bypass" else ""))
    if name == "bypass":
        model = director(marked(7), setting("cache_bypass", 1), text=text)
        return Sent(model, datagram(BYPASS), Skb(mark=7))
    method, _, v6 = name.partition(" ")
    method, _, kind = method.partition("-")
    words: dict[str, Any] = {"tunnel": kind} if kind else {}
    if v6:
        return Sent(
            director(V6, server(OWN6["b"], method, of=V6, **words), text=text), datagram(VIP6)
        )
    return Sent(director(service(), server(OWN["b"], method, **words), text=text), datagram())


NAMES = (
    *("route", "tunnel-ipip", "tunnel-gre", "tunnel-gue", "masq", "bypass"),
    *("route v6", "tunnel-ipip v6", "tunnel-gre v6", "masq v6"),
)


def with_hops(frame: Frame, hops: int) -> Frame:
    packet = packet_of(frame)
    if isinstance(packet, Ipv4):
        return replace(frame, payload=replace(packet, ttl=hops))
    assert isinstance(packet, Ipv6)
    return replace(frame, payload=replace(packet, hop_limit=hops))


def left(effect: Send) -> int:
    packet = packet_of(effect.frame)
    assert packet is not None
    return hops_left(packet)


def told(model: Model, frame: Frame) -> tuple[str, Tell | None]:
    """The rule that drops it, and what its sender hears."""
    effects = step(model, {}, Place(dev("eth0", "a"), "in"), frame)
    (rule,) = (effect.why.rule for effect in effects if isinstance(effect, Drop))
    return rule, next((effect for effect in effects if isinstance(effect, Tell)), None)


@pytest.mark.parametrize("name", NAMES)
def test_every_transmitter_takes_one_hop(name: str) -> None:
    """Of both families; a tunnel's outer packet has what is left inside."""
    given = transmitter(name)
    assert left(sent(at(given.model, given.frame, skb=given.skb))) == 63


@pytest.mark.parametrize("name", NAMES)
def test_before_the_change_none_did(name: str) -> None:
    given = transmitter(name, more=OLD)
    assert left(sent(at(given.model, given.frame, skb=given.skb))) == 64


@pytest.mark.parametrize("method", ["route", "masq"])
def test_icmp_errors_lose_a_hop_too(method: str) -> None:
    assert left(sent(at(known(method), CLIENTS))) == 63


@pytest.mark.parametrize("name", [name for name in NAMES if name != "bypass"])
def test_the_sender_hears_of_it_from_the_virtual_address(name: str) -> None:
    given = transmitter(name)
    _, message = told(given.model, with_hops(given.frame, 1))
    assert message is not None
    packet = packet_of(message.frame)
    assert packet is not None
    assert str(packet.src) == (VIP6 if packet.src.version == 6 else VIP)
    assert isinstance(packet.payload, Icmp | Icmpv6)
    assert packet.payload.kind == (3 if packet.src.version == 6 else 11)


@pytest.mark.parametrize("address", [OWN["a"], OWN6["a"]])
@pytest.mark.parametrize("method", ["route", "tunnel", "masq"])
def test_a_server_on_the_director_itself_costs_no_hop(method: str, address: str) -> None:
    """The change as proposed looked before it knew where the packet goes."""
    of = V6 if ":" in address else service()
    model = director(of, server(address, method, of=of))
    (effect,) = at(model, datagram(of.address, ttl=1))
    assert not isinstance(effect, Drop | Tell | Send)


@pytest.mark.parametrize(("hops", "rule"), [(1, "ipvs-ttl"), (2, "ipvs-too-big")])
def test_hops_come_before_size(hops: int, rule: str) -> None:
    """And an error about the size quotes what is left of the hops."""
    given = transmitter("route", mtu=100)
    frame = with_hops(datagram(size=200), hops)
    assert isinstance(frame.payload, Ipv4)
    whole = replace(frame, payload=replace(frame.payload, flags=DONT_FRAGMENT))
    because, message = told(given.model, whole)
    assert because == rule
    assert message is not None
    packet = message.frame.payload
    assert isinstance(packet, Ipv4)
    assert isinstance(packet.payload, Icmp)
    assert packet.payload.body.raw[8] == 1


def test_a_capture_of_what_came_in_shows_the_old_value() -> None:
    """skb_ensure_writable: the packet that leaves is a copy."""
    given = transmitter("route")
    (journey,) = trace(given.model, Place(dev("eth0", "a"), "in"), given.frame)
    hops = [packet_of(hop.frame) for hop in journey.hops[:2]]
    assert [hops_left(packet) for packet in hops if packet] == [64, 63]


@pytest.mark.parametrize("method", ["route", "masq"])
def test_of_an_icmp_error_nobody_is_told(method: str) -> None:
    """Nothing in IPVS looks for it: icmp_send does."""
    assert told(known(method), with_hops(CLIENTS, 1)) == ("ipvs-ttl", None)
