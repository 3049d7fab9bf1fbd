"""What a client is told of a packet that a director does not send on: from the virtual address."""

from typing import Any

import pytest
from msgspec.structs import replace

from hopback.datapath.effects import Place, Tell
from hopback.datapath.model import Model
from hopback.datapath.path import step
from hopback.frames import icmp, ipv4
from hopback.frames.ethernet import Frame
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.ipv4 import DONT_FRAGMENT, Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import parse_mac
from tests.build import dev
from tests.datapath.ipvs.given import (
    CLIENT,
    CLIENT_MAC,
    OWN,
    OWN6,
    VIP,
    VIP6,
    datagram,
    director,
    host,
    server,
    service,
)

NOBODY = "203.0.113.9"


def told(model: Model, frame: Frame) -> tuple[str, str, int, int, int, bytes]:
    """Source, target, kind, code and word of the error, and what it quotes."""
    effects = step(model, {}, Place(dev("eth0", "a"), "in"), frame)
    (message,) = [effect for effect in effects if isinstance(effect, Tell)]
    assert message.frame.dst == parse_mac(CLIENT_MAC)
    packet = message.frame.payload
    assert isinstance(packet, Ipv4 | Ipv6)
    error = packet.payload
    assert isinstance(error, Icmp | Icmpv6)
    return str(packet.src), str(packet.dst), error.kind, error.code, error.rest, error.body.raw


def quoted(frame: Frame, hops: int) -> bytes:
    assert isinstance(frame.payload, Ipv4)
    return ipv4.encode(replace(frame.payload, ttl=hops, checksum=None))


def whole(frame: Frame) -> Frame:
    assert isinstance(frame.payload, Ipv4)
    return replace(frame, payload=replace(frame.payload, flags=DONT_FRAGMENT))


@pytest.mark.parametrize("method", ["route", "tunnel", "masq"])
def test_that_its_hops_have_run_out(method: str) -> None:
    model, frame = director(service(), server(OWN["b"], method)), datagram(ttl=1)
    error = (icmp.TIME_EXCEEDED, 0, 0, quoted(frame, 1))
    assert told(model, frame) == (VIP, CLIENT, *error)


def test_ipv6_too() -> None:
    of = service(address=VIP6)
    model = director(of, server(OWN6["b"], of=of))
    found = told(model, datagram(VIP6, ttl=1))
    assert found[:4] == (VIP6, "fd00::99", icmp.V6_TIME_EXCEEDED, 0)


@pytest.mark.parametrize(("method", "mtu"), [("route", 100), ("masq", 100), ("tunnel", 80)])
def test_that_it_is_too_large_quotes_the_ttl_it_would_have_left_with(method: str, mtu: int) -> None:
    model = director(service(), server(OWN["b"], method), text=host(mtu=100))
    frame = whole(datagram(size=90))
    found = told(model, frame)
    assert found[:5] == (VIP, CLIENT, icmp.UNREACHABLE, 4, mtu)
    assert found[5][8] == 63


@pytest.mark.parametrize(
    ("rows", "code"), [((), 3), ((server(OWN["b"], weight=0),), 3), ((server(NOBODY),), 1)]
)
def test_that_nobody_is_there(rows: tuple[Any, ...], code: int) -> None:
    frame = datagram()
    found = told(director(service(), *rows), frame)
    assert found == (VIP, CLIENT, icmp.UNREACHABLE, code, 0, quoted(frame, 64))


def test_that_nobody_is_there_over_ipv6() -> None:
    of = service(address=VIP6)
    nobody = server("2001:db8::9", of=of)
    assert told(director(of), datagram(VIP6))[:4] == (VIP6, "fd00::99", icmp.V6_UNREACHABLE, 4)
    found = told(director(of, nobody), datagram(VIP6))
    assert found[:4] == (VIP6, "fd00::99", icmp.V6_UNREACHABLE, 3)


def test_of_what_is_dropped_in_silence_nobody_is_told() -> None:
    model = director(service(), server("127.0.0.1", "masq"))
    effects = step(model, {}, Place(dev("eth0", "a"), "in"), datagram())
    assert not [effect for effect in effects if isinstance(effect, Tell)]
