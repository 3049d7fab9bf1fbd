"""NAT: requests to a server's own address, and its answers from the virtual one."""

from ipaddress import IPv4Address

import pytest
from msgspec.structs import replace

from hopback.datapath.effects import Ask, Blind, Deliver, Send
from hopback.datapath.ip.output import send
from hopback.datapath.model import Model
from hopback.datapath.path import ip_layer
from hopback.datapath.skb import Skb
from hopback.frames import ethernet, tcp, udp
from hopback.frames.ethernet import Frame
from hopback.frames.integrity import network_checksum, transport_checksum
from hopback.frames.ipv4 import Ipv4
from hopback.frames.mac import parse_mac
from hopback.frames.raw import Raw
from hopback.frames.tcp import ACK, SYN, Tcp
from hopback.frames.udp import Udp
from hopback.snapshot.rows import Row
from tests.build import dev, listing
from tests.datapath.ipvs.given import (
    CLIENT,
    MACS,
    OWN,
    OWN6,
    VIP,
    VIP6,
    asked,
    at,
    datagram,
    director,
    dropped,
    host,
    marked,
    segment,
    sent,
    server,
    service,
    setting,
)
from tests.datapath.ipvs.test_choose import connection

SERVER = OWN["b"]
ROUTER = host(more=listing("sysctl net.ipv4.ip_forward", ["net.ipv4.ip_forward = 1"], "a"))


def answer(
    source: str = SERVER, port: int = 8080, to: str = CLIENT, flags: int | None = None
) -> Frame:
    """What the server sends to the client, by way of the director."""
    message = Udp(port, 7, Raw(b"answer")) if flags is None else Tcp(port, 40000, flags=flags)
    protocol = udp.PROTOCOL if flags is None else tcp.PROTOCOL
    packet = Ipv4(IPv4Address(source), IPv4Address(to), protocol, message)
    macs = parse_mac(MACS["a"]), parse_mac(MACS["b"])
    return Frame(*macs, (), ethernet.IPV4, packet)


def natting(*more: Row) -> Model:
    rows = (service(), server(SERVER, "masq", server_port=8080))
    return director(*rows, *more, text=ROUTER)


def ends(frame: Frame) -> tuple[str, int, str, int, int]:
    packet = frame.payload
    assert isinstance(packet, Ipv4)
    message = packet.payload
    assert isinstance(message, Udp | Tcp)
    assert network_checksum(frame) != "wrong"
    assert transport_checksum(frame) != "wrong"
    return str(packet.src), message.sport, str(packet.dst), message.dport, packet.ttl


def test_a_request_gets_the_server_s_address_and_port() -> None:
    effect = sent(at(natting(), datagram()))
    assert ends(effect.frame) == (CLIENT, 7, SERVER, 8080, 63)
    assert effect.why.rule == "ipvs-nat"
    assert effect.skb.ipvs


def test_ipv6_too() -> None:
    of = service(address=VIP6)
    model = director(of, server(OWN6["b"], "masq", of=of, server_port=8080))
    packet = sent(at(model, datagram(VIP6))).frame.payload
    assert str(getattr(packet, "dst", "")) == OWN6["b"]


def test_the_answer_of_a_known_connection_comes_from_the_virtual_address() -> None:
    effect = sent(at(natting(connection(SERVER, port=8080)), answer()))
    assert ends(effect.frame) == (VIP, 5000, CLIENT, 7, 63)
    assert effect.why.rule == "ipvs-reply"
    assert effect.skb.ipvs


def test_whose_answer_it_is_has_to_be_known() -> None:
    rows = (service(), server(SERVER, "masq", server_port=8080))
    model = director(*rows, text=ROUTER, complete=False)
    question = asked(at(model, answer())).question
    effect = sent(at(model, answer(), {question: "udp 10.0.0.100:5000"}))
    assert ends(effect.frame)[:2] == (VIP, 5000)
    assert ends(sent(at(model, answer(), {question: "none"})).frame)[:2] == (SERVER, 8080)


def test_without_a_connection_it_passes_as_it_is() -> None:
    assert ends(sent(at(natting(), answer())).frame) == (SERVER, 8080, CLIENT, 7, 63)


def test_a_server_may_be_told_that_nobody_waits() -> None:
    rows = (service("tcp", port=80), setting("nat_icmp_send", 1))
    model = director(*rows, server(SERVER, "masq", of=rows[0]), text=ROUTER)
    assert dropped(at(model, answer(port=80, flags=SYN | ACK))) == "ipvs-no-connection"
    assert isinstance(at(model, answer(port=80, flags=tcp.RST))[0], Send)


def test_an_answer_by_another_method_is_left_alone() -> None:
    rows = (service(), server(SERVER), connection(SERVER))
    effect = sent(at(director(*rows, text=ROUTER), answer(port=5000)))
    assert ends(effect.frame)[:2] == (SERVER, 5000)


@pytest.mark.parametrize("method", ["route", "tunnel", "masq"])
def test_a_client_on_the_director_itself(method: str) -> None:
    rows = (service("tcp", port=80), server(SERVER, method, of=service("tcp", port=80)))
    layer = ip_layer(director(*rows), {}, dev("eth0", "a"))
    assert layer is not None
    effect = send(layer, own_segment())
    assert isinstance(effect, Send)
    assert effect.frame.dst == parse_mac(MACS["b"])
    packet = effect.frame.payload
    assert isinstance(packet, Ipv4)
    assert (str(packet.dst), packet.ttl) == (VIP if method == "route" else SERVER, 63)


def own_segment() -> Frame:
    packet = Ipv4(IPv4Address(VIP), IPv4Address(VIP), tcp.PROTOCOL, Tcp(40001, 80))
    return Frame(parse_mac(MACS["a"]), parse_mac(MACS["a"]), (), ethernet.IPV4, packet)


def test_the_host_s_own_packets_to_itself_stay_unfollowed() -> None:
    layer = ip_layer(director(service(), server(SERVER)), {}, dev("eth0", "a"))
    assert layer is not None
    assert isinstance(send(layer, own_segment()), Blind)


def test_by_nat_to_the_host_itself_the_packet_goes_up_rewritten() -> None:
    of = service()
    (effect,) = at(director(of, server(OWN["a"], "masq", of=of, server_port=8080)), datagram())
    assert isinstance(effect, Deliver)
    assert ends(effect.frame) == (CLIENT, 7, OWN["a"], 8080, 64)
    assert effect.why.rule == "ipvs-nat"


def test_not_to_a_loopback_address() -> None:
    model = director(service(), server("127.0.0.1", "masq"))
    assert dropped(at(model, datagram())) == "ipvs-boundary"


def test_a_packet_without_hops_left_is_not_sent_on() -> None:
    assert dropped(at(natting(), datagram(ttl=1))) == "ipvs-ttl"


def test_tcp_by_a_mark_keeps_the_port() -> None:
    mark = marked(3)
    model = director(mark, server(SERVER, "masq", of=mark))
    effect = sent(at(model, segment(port=81), skb=Skb(mark=3)))
    assert ends(effect.frame)[2:4] == (SERVER, 81)


def test_two_services_of_one_server_are_told_apart() -> None:
    one, other = service(), service(port=6000)
    first = server(SERVER, "masq", of=one, server_port=8080)
    second = server(SERVER, "masq", of=other, server_port=8080)
    model = director(one, first, other, second, text=ROUTER, complete=False)
    (effect,) = at(model, answer())
    assert isinstance(effect, Ask)
    assert len(effect.question.answers) == 3


def test_an_answer_outlives_its_server_in_the_table() -> None:
    """Only what a client sends is held against the table (IP_VS_DEST_CF_AVAILABLE)."""
    first = sent(at(natting(), datagram()))
    assert first.skb.balanced is not None
    gone = director(service(), text=ROUTER)
    known = gone.directors["a", ""].knowing(first.skb.balanced)
    model = replace(gone, directors={("a", ""): known})
    assert dropped(at(model, datagram())) == "ipvs-server-gone"
    assert ends(sent(at(model, answer())).frame)[:2] == (VIP, 5000)


def test_of_a_listed_connection_without_server_nobody_knows_the_method() -> None:
    model = director(service(), connection(SERVER, port=8080), text=ROUTER)
    (effect,) = at(model, answer())
    assert isinstance(effect, Blind)
