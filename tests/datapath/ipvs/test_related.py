"""ICMP errors about what IPVS has sent on."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from hopback.datapath.effects import Blind, Deliver
from hopback.datapath.ipvs.packet import Decision, Out
from hopback.datapath.model import Model
from hopback.datapath.netfilter.packet import Passed
from hopback.datapath.path import ip_layer
from hopback.datapath.skb import FRESH
from hopback.frames import ethernet, icmp, ipv4, ipv6, udp
from hopback.frames.codec import decode
from hopback.frames.ethernet import Frame
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.integrity import network_checksum, transport_checksum
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import parse_mac
from hopback.frames.raw import Raw
from hopback.frames.udp import Udp
from hopback.snapshot.rows import IpvsConnection, Row
from hopback.snapshot.table import Cite
from tests.build import dev, listing
from tests.datapath.ipvs.given import (
    CLIENT,
    CLIENT6,
    CLIENT_MAC,
    MACS,
    OWN,
    OWN6,
    VIP,
    VIP6,
    at,
    director,
    host,
    sent,
    server,
    service,
    setting,
)
from tests.datapath.ipvs.test_choose import connection

SERVER = OWN["b"]
ROUTER = host(more=listing("sysctl net.ipv4.ip_forward", ["net.ipv4.ip_forward = 1"], "a"))
FROM_CLIENT, FROM_SERVER = CLIENT_MAC, MACS["b"]


def error(
    source: str, target: str, quoted: Ipv4, mac: str = FROM_CLIENT, kind: int = icmp.UNREACHABLE
) -> Frame:
    """Port unreachable, from ``source`` to ``target``, about a packet."""
    message = Icmp(kind, 3, body=Raw(ipv4.encode(quoted)))
    packet = Ipv4(IPv4Address(source), IPv4Address(target), icmp.PROTOCOL, message)
    return Frame(parse_mac(MACS["a"]), parse_mac(mac), (), ethernet.IPV4, packet)


def about(source: str, port: int, target: str, target_port: int) -> Ipv4:
    message = Udp(port, target_port, Raw(b"about"))
    return Ipv4(IPv4Address(source), IPv4Address(target), udp.PROTOCOL, message)


CLIENTS = error(CLIENT, VIP, about(VIP, 5000, CLIENT, 7))
SERVERS = error(SERVER, CLIENT, about(CLIENT, 7, SERVER, 8080), FROM_SERVER)


def known(method: str, *more: Row, port: int = 8080) -> Model:
    rows = (service(), server(SERVER, method, server_port=port), connection(SERVER, port=port))
    return director(*rows, *more, text=ROUTER)


def ends(frame: Frame) -> tuple[str, str, str, int, str, int]:
    """Source and target of an error, and those of its quote with their ports."""
    assert network_checksum(frame) != "wrong"
    assert transport_checksum(frame) != "wrong"
    packet = frame.payload
    assert isinstance(packet, Ipv4)
    message = packet.payload
    assert isinstance(message, Icmp)
    inner = decode(bytes(12) + b"\x08\x00" + message.body.raw).payload
    assert isinstance(inner, Ipv4)
    assert isinstance(inner.payload, Udp)
    quoted = (str(inner.src), inner.payload.sport, str(inner.dst), inner.payload.dport)
    return (str(packet.src), str(packet.dst), *quoted)


def test_a_client_s_error_goes_to_the_server_as_it_is() -> None:
    effect = sent(at(known("route", port=5000), CLIENTS))
    assert ends(effect.frame) == (CLIENT, VIP, VIP, 5000, CLIENT, 7)
    assert effect.frame.dst == parse_mac(MACS["b"])
    assert effect.why.rule == "ipvs-route"


def test_by_nat_it_and_its_quote_get_the_server_s_address() -> None:
    effect = sent(at(known("masq"), CLIENTS))
    assert ends(effect.frame) == (CLIENT, SERVER, SERVER, 8080, CLIENT, 7)
    assert effect.why.rule == "ipvs-related"


def test_a_server_s_error_comes_from_the_virtual_address() -> None:
    effect = sent(at(known("masq"), SERVERS))
    assert ends(effect.frame) == (VIP, CLIENT, CLIENT, 7, VIP, 5000)
    assert effect.why.rule == "ipvs-related"


def test_a_server_s_error_by_another_method_is_left_alone() -> None:
    effect = sent(at(known("route"), SERVERS))
    assert ends(effect.frame) == (SERVER, CLIENT, CLIENT, 7, SERVER, 8080)


@pytest.mark.parametrize(("kind", "up"), [(icmp.REDIRECT, True), (icmp.TIME_EXCEEDED, False)])
def test_not_every_error_is_looked_at(kind: int, up: bool) -> None:
    frame = error(CLIENT, VIP, about(VIP, 5000, CLIENT, 7), kind=kind)
    assert isinstance(at(known("route", port=5000), frame)[0], Deliver) == up


@pytest.mark.parametrize(("schedules", "up"), [(0, True), (1, False)])
def test_an_error_about_no_connection(schedules: int, up: bool) -> None:
    rows = (service(), server(SERVER), setting("schedule_icmp", schedules))
    assert isinstance(at(director(*rows), CLIENTS)[0], Deliver) == up


def test_an_error_about_a_tunnel_is_left_open() -> None:
    inner = Ipv4(IPv4Address(OWN["a"]), IPv4Address(SERVER), 4, Raw(bytes(28)))
    rows = (service(), server(SERVER, "tunnel"))
    (effect,) = at(director(*rows), error("10.0.0.77", OWN["a"], inner))
    assert isinstance(effect, Blind)


V6 = service(address=VIP6)


def of_a_v6_client(method: str) -> tuple[Model, Frame]:
    """A director that knows the client's connection, and the client's error about an answer."""
    row = IpvsConnection(
        cite=Cite(1000, 50),
        protocol="udp",
        client=CLIENT6,
        client_port=7,
        virtual=VIP6,
        virtual_port=5000,
        server=OWN6["b"],
        server_port=8080,
    )
    inner = Ipv6(IPv6Address(VIP6), IPv6Address(CLIENT6), udp.PROTOCOL, Udp(5000, 7))
    message = Icmpv6(icmp.V6_UNREACHABLE, 4, body=Raw(ipv6.encode(inner)))
    packet = Ipv6(IPv6Address(CLIENT6), IPv6Address(VIP6), icmp.PROTOCOL_V6, message)
    frame = Frame(parse_mac(MACS["a"]), parse_mac(CLIENT_MAC), (), ethernet.IPV6, packet)
    model = director(V6, server(OWN6["b"], method, of=V6, server_port=8080), row)
    return model, frame


def test_ipv6_too() -> None:
    model, frame = of_a_v6_client("masq")
    effect = sent(at(model, frame))
    assert transport_checksum(effect.frame) != "wrong"
    told = effect.frame.payload
    assert isinstance(told, Ipv6)
    assert isinstance(told.payload, Icmpv6)
    assert str(told.dst) == OWN6["b"]
    assert told.payload.body.raw[8:24] == IPv6Address(OWN6["b"]).packed
    assert told.payload.body.raw[40:42] == (8080).to_bytes(2, "big")


def at_output(model: Model, frame: Frame) -> Decision:
    """What IPVS makes of the same error if the host itself sends it."""
    layer = ip_layer(model, {}, dev("eth0", "a"))
    assert layer is not None
    assert layer.ipvs is not None
    return layer.ipvs.at("output", frame, FRESH, local=False)


def test_the_host_s_own_error_of_ipv6_is_let_go_unless_by_nat() -> None:
    """So ip_vs_in_icmp_v6; ip_vs_in_icmp sends it on."""
    routed, frame = of_a_v6_client("route")
    decision = at_output(routed, frame)
    assert isinstance(decision, Passed)
    assert decision.frame == frame
    assert isinstance(at_output(*of_a_v6_client("masq")), Out)
    assert isinstance(at_output(known("route", port=5000), CLIENTS), Out)
