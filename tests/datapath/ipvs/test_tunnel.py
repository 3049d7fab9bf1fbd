"""Servers behind tunnels."""

from typing import Any

import pytest
from msgspec.structs import replace

from hopback.datapath.effects import Blind, Send
from hopback.datapath.model import Model
from hopback.datapath.skb import Skb
from hopback.frames.codec import decode, encode
from hopback.frames.ipv4 import DONT_FRAGMENT, Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.tunnel import Gre, Inner
from hopback.frames.udp import Udp
from tests.datapath.ipvs.given import (
    CLIENT,
    OWN,
    OWN6,
    VIP,
    VIP6,
    at,
    datagram,
    director,
    dropped,
    host,
    sent,
    server,
    service,
    setting,
)

SERVER = OWN["b"]


def behind(kind: str = "ipip", text: str | None = None, *more: Any) -> Model:
    return director(service(), server(SERVER, "tunnel", tunnel=kind), *more, text=text)


def outer(effect: Send) -> Ipv4:
    packet = effect.frame.payload
    assert isinstance(packet, Ipv4)
    assert decode(encode(effect.frame)).payload is not None
    return packet


def inner_of(packet: Ipv4 | Ipv6) -> Ipv4 | Ipv6:
    match packet.payload:
        case Inner(packet=inside) | Gre(payload=inside):
            assert isinstance(inside, Ipv4 | Ipv6)
            return inside
        case _:
            raise AssertionError(packet.payload)


@pytest.mark.parametrize(("kind", "protocol"), [("ipip", 4), ("gre", 47)])
def test_the_outer_ttl_is_the_inner_one(kind: str, protocol: int) -> None:
    effect = sent(at(behind(kind), datagram(ttl=9)))
    packet = outer(effect)
    assert (str(packet.src), str(packet.dst)) == (OWN["a"], SERVER)
    assert (packet.protocol, packet.ttl) == (protocol, 8)
    inside = inner_of(packet)
    assert isinstance(inside, Ipv4)
    assert (str(inside.src), str(inside.dst), inside.ttl) == (CLIENT, VIP, 8)
    assert effect.why.rule == "ipvs-tunnel"
    assert replace(effect.skb, balanced=None) == Skb(ipvs=True)


def test_gue_is_udp() -> None:
    rows = (service(), server(SERVER, "tunnel", tunnel="gue", tunnel_port=6080))
    packet = outer(sent(at(director(*rows), datagram())))
    message = packet.payload
    assert isinstance(message, Udp)
    assert (message.dport, message.checksum) == (6080, 0)
    assert encode(sent(at(director(*rows), datagram())).frame)[42:46] == bytes((0, 4, 0, 0))


@pytest.mark.parametrize(("flag", "source"), [("", VIP6), (" deprecated", OWN6["a"])])
def test_over_ipv6(flag: str, source: str) -> None:
    """The virtual address is the longer match, unless it is one that no packet is to come from."""
    of = service(address=VIP6)
    text = host().replace(f"{VIP6}/128 scope global", f"{VIP6}/128 scope global{flag}")
    model = director(of, server(OWN6["b"], "tunnel", of=of), text=text)
    packet = sent(at(model, datagram(VIP6))).frame.payload
    assert isinstance(packet, Ipv6)
    assert (str(packet.src), str(packet.dst)) == (source, OWN6["b"])
    assert (packet.protocol, packet.hop_limit) == (41, 63)


def test_ipv4_to_a_server_that_has_ipv6() -> None:
    packet = sent(at(director(service(), server(OWN6["b"], "tunnel")), datagram())).frame.payload
    assert isinstance(packet, Ipv6)
    assert (packet.protocol, packet.hop_limit) == (4, 63)


@pytest.mark.parametrize(("discovers", "flags"), [(1, DONT_FRAGMENT), (0, 0)])
def test_the_outer_packet_must_not_be_cut_if_the_inner_must_not(discovers: int, flags: int) -> None:
    frame = datagram()
    assert isinstance(frame.payload, Ipv4)
    whole = replace(frame, payload=replace(frame.payload, flags=DONT_FRAGMENT))
    model = behind("ipip", None, setting("pmtu_disc", discovers))
    assert outer(sent(at(model, whole))).flags == flags


@pytest.mark.parametrize(("tos", "outside"), [(0b101_00, 0b101_00), (0b11, 0b10), (0b01, 0b01)])
def test_congestion_is_not_told_twice(tos: int, outside: int) -> None:
    frame = datagram()
    assert isinstance(frame.payload, Ipv4)
    marked = replace(frame, payload=replace(frame.payload, tos=tos))
    assert outer(sent(at(behind(), marked))).tos == outside


@pytest.mark.parametrize(
    ("method", "kind", "fits"),
    [("route", "ipip", 100), ("tunnel", "ipip", 80), ("tunnel", "gre", 76), ("tunnel", "gue", 68)],
)
def test_what_does_not_fit(method: str, kind: str, fits: int) -> None:
    text = host(mtu=100)
    model = director(service(), server(SERVER, method, tunnel=kind), text=text)

    def sized(size: int, flags: int) -> Any:
        frame = datagram(size=size - 28)
        assert isinstance(frame.payload, Ipv4)
        return replace(frame, payload=replace(frame.payload, flags=flags))

    assert isinstance(at(model, sized(fits, DONT_FRAGMENT))[-1], Send)
    assert dropped(at(model, sized(fits + 1, DONT_FRAGMENT))) == "ipvs-too-big"
    assert isinstance(at(model, sized(fits + 1, 0))[-1], Blind), "sent in fragments"
