"""Direct routing, and the host itself as a server."""

import pytest

from hopback.datapath.effects import Deliver
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import parse_mac
from hopback.snapshot.table import Cite
from tests.build import listing
from tests.datapath.ipvs.given import (
    MACS,
    OWN,
    OWN6,
    VIP6,
    at,
    datagram,
    director,
    dropped,
    host,
    sent,
    server,
    service,
)

OLD = listing("uname -r", ["4.9.0-19-amd64"], "a")


def test_the_packet_leaves_as_it_is_for_the_servers_mac() -> None:
    model = director(service(line=1), server(OWN["b"], line=2))
    effect = sent(at(model, datagram()))
    packet = effect.frame.payload
    assert isinstance(packet, Ipv4)
    assert (effect.frame.src, effect.frame.dst) == (parse_mac(MACS["a"]), parse_mac(MACS["b"]))
    assert (str(packet.src), str(packet.dst), packet.ttl) == ("10.0.0.99", "10.0.0.100", 63)
    assert effect.skb.ipvs
    assert effect.why.rule == "ipvs-route"
    lines = {ref.cite for ref in effect.why.refs}
    assert {Cite(1000, 1), Cite(1000, 2)} <= lines, "the service and the server"


def test_ipv6_too() -> None:
    model = director(of := service(address=VIP6), server(OWN6["b"], of=of))
    effect = sent(at(model, datagram(VIP6)))
    packet = effect.frame.payload
    assert isinstance(packet, Ipv6)
    assert (str(packet.dst), packet.hop_limit) == (VIP6, 63)
    assert effect.frame.dst == parse_mac(MACS["b"])


@pytest.mark.parametrize("ttl", [1, 0])
def test_a_packet_without_hops_left_ends_here(ttl: int) -> None:
    model = director(service(), server(OWN["b"]))
    assert dropped(at(model, datagram(ttl=ttl))) == "ipvs-ttl"


@pytest.mark.parametrize("ttl", [1, 2, 64])
def test_before_4_10_the_ttl_stays(ttl: int) -> None:
    model = director(service(), server(OWN["b"]), text=host(more=OLD))
    packet = sent(at(model, datagram(ttl=ttl))).frame.payload
    assert isinstance(packet, Ipv4)
    assert packet.ttl == ttl


@pytest.mark.parametrize("ttl", [1, 64])
@pytest.mark.parametrize("method", ["route", "tunnel", "masq", "local"])
def test_the_host_itself_takes_it_up_whatever_its_ttl(method: str, ttl: int) -> None:
    model = director(service(), server(OWN["a"], method))
    (effect,) = at(model, datagram(ttl=ttl))
    assert isinstance(effect, Deliver)
    packet = effect.frame.payload
    assert isinstance(packet, Ipv4)
    assert packet.ttl == ttl
    assert effect.skb.ipvs


def test_what_is_for_no_service_goes_up() -> None:
    model = director(service(), server(OWN["b"]))
    (effect,) = at(model, datagram(port=5001))
    assert isinstance(effect, Deliver)
    assert not effect.skb.ipvs


def test_what_ipvs_has_sent_on_it_does_not_look_at_again() -> None:
    model = director(service(), server(OWN["b"]))
    first = sent(at(model, datagram()))
    (effect,) = at(model, datagram(), skb=first.skb)
    assert isinstance(effect, Deliver)
