"""Packets that are cut, in parts, or of SCTP."""

from ipaddress import IPv4Address

import pytest
from msgspec.structs import replace

from hopback.datapath.effects import Blind, Deliver, Send
from hopback.frames import ethernet
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import MORE_FRAGMENTS, Ipv4
from hopback.frames.mac import parse_mac
from hopback.frames.raw import Raw
from tests.datapath.ipvs.given import (
    CLIENT,
    CLIENT_MAC,
    MACS,
    OWN,
    VIP,
    at,
    datagram,
    director,
    dropped,
    server,
    service,
    setting,
)
from tests.datapath.ipvs.test_choose import connection

_SCTP, _INIT, _DATA, _ABORT = 132, 1, 0, 6


def of(protocol: int, payload: bytes, target: str = VIP, flags: int = 0) -> Frame:
    packet = Ipv4(IPv4Address(CLIENT), IPv4Address(target), protocol, Raw(payload), flags=flags)
    frame = Frame(parse_mac(MACS["a"]), parse_mac(CLIENT_MAC), (), ethernet.IPV4, packet)
    return decode(encode(frame))


@pytest.mark.parametrize(("protocol", "size"), [(6, 19), (6, 4), (17, 7), (132, 3)])
def test_a_packet_that_is_cut_is_dropped_whoever_it_is_for(protocol: int, size: int) -> None:
    model = director(service(), server(OWN["b"]))
    assert dropped(at(model, of(protocol, bytes(size), OWN["a"]))) == "ipvs-no-ports"


PORTS = (7).to_bytes(2, "big") + (5000).to_bytes(2, "big")


@pytest.mark.parametrize(
    ("method", "sent_on"), [("route", True), ("tunnel", True), ("masq", False)]
)
def test_its_ports_are_enough_for_a_known_connection(method: str, sent_on: bool) -> None:
    model = director(service(), server(OWN["b"], method), connection(OWN["b"]))
    effects = at(model, of(17, PORTS))
    assert isinstance(effects[-1], Send) == sent_on
    assert sent_on or dropped(effects) == "ipvs-no-ports"


def test_a_header_that_contradicts_itself_has_flags_all_the_same() -> None:
    web = service("tcp", port=5000)
    model = director(web, server(OWN["b"], of=web))
    syn, ack = (PORTS + bytes(8) + bytes((0x10, flags)) + bytes(6) for flags in (2, 16))
    assert isinstance(at(model, of(6, syn))[-1], Send)
    assert isinstance(at(model, of(6, ack))[-1], Deliver)


@pytest.mark.parametrize(("target", "open_"), [(VIP, True), (OWN["a"], False)])
def test_fragments_are_left_open_where_ipvs_may_take_them(target: str, open_: bool) -> None:
    model = director(service(), server(OWN["b"]))
    (effect,) = at(model, of(17, bytes(64), target, MORE_FRAGMENTS))
    assert isinstance(effect, Blind if open_ else Deliver)


def sctp(chunk: int, port: int = 5000) -> Frame:
    ports = (7).to_bytes(2, "big") + port.to_bytes(2, "big")
    return of(_SCTP, ports + bytes(8) + bytes((chunk, 0, 0, 4)))


@pytest.mark.parametrize(
    ("chunk", "sloppy", "taken"),
    [(_INIT, 0, True), (_DATA, 0, False), (_DATA, 1, True), (_ABORT, 1, False)],
)
def test_sctp_begins_with_init(chunk: int, sloppy: int, taken: bool) -> None:
    one = service("sctp")
    model = director(one, server(OWN["b"], of=one), setting("sloppy_sctp", sloppy))
    (effect,) = at(model, sctp(chunk))
    assert isinstance(effect, Send if taken else Deliver)


@pytest.mark.parametrize(("port", "known"), [(5000, True), (6000, False)])
def test_the_checksum_of_sctp_does_not_follow_a_change_of_port(port: int, known: bool) -> None:
    one = service("sctp")
    model = director(one, server(OWN["b"], "masq", of=one, server_port=port))
    (effect,) = at(model, sctp(_INIT))
    assert isinstance(effect, Send if known else Blind)


def test_options_do_not_matter() -> None:
    frame = datagram()
    assert isinstance(frame.payload, Ipv4)
    longer = replace(frame, payload=replace(frame.payload, options=b"\x01\x01\x01\x00"))
    assert isinstance(at(director(service(), server(OWN["b"])), longer)[-1], Send)
