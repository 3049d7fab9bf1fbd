"""A packet that goes round: how often, and what ends it."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from hopback.datapath.effects import Place
from hopback.engines.rounds import Rounds, rounds
from hopback.engines.trace import trace
from hopback.frames import ethernet, udp
from hopback.frames.describe import describe
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import parse_mac
from hopback.frames.raw import Raw
from hopback.frames.udp import Udp
from tests.build import RING, dev, links, listing, model
from tests.datapath.test_segments import to
from tests.network.test_segments import A, B, C, nic

CLIENT = parse_mac("02:00:00:00:00:99")
SINK = IPv4Address("203.0.113.1")


def router(host: str, mac: str, own: str, *routes: str) -> str:
    on_link = own.rsplit(".", 1)[0] + ".0/24" if "." in own else "2001:db8::/64"
    kernel = f"{on_link} dev eth0 proto kernel scope link src {own}"
    settings = ["net.ipv4.ip_forward = 1", "net.ipv6.conf.all.forwarding = 1"]
    six = "6" if ":" in own else ""
    return (
        nic(host, mac, f"{own}/{64 if six else 24}")
        + listing(f"ip -{six or 4} route show", [kernel, *(f"{r} dev eth0" for r in routes)], host)
        + listing("sysctl -a", [*settings, "net.ipv4.conf.all.rp_filter = 0"], host)
        + listing("sysctl -a", ["net.ipv4.conf.eth0.rp_filter = 0"], host)
    )


TWO = router("r1", A, "192.0.2.1", "default via 192.0.2.2") + router(
    "r2", B, "192.0.2.2", "default via 192.0.2.1"
)


def packet(ttl: int) -> Frame:
    body = Ipv4(IPv4Address("198.51.100.9"), SINK, udp.PROTOCOL, Udp(1, 2, Raw(b"x")), ttl)
    return Frame(parse_mac(A), CLIENT, (), ethernet.IPV4, body)


IN = Place(dev("eth0", "r1"), "in")


def gone_round(text: str, frame: Frame, place: Place = IN) -> Rounds:
    given = model(text)
    journey = trace(given, place, frame)[0]
    end = journey.end("cycle")
    assert end is not None
    return rounds(given, journey, end)


@pytest.mark.parametrize("ttl", [64, 8, 255])
def test_two_routers_send_it_until_its_ttl_is_gone(ttl: int) -> None:
    found = gone_round(TWO, packet(ttl))
    assert not found.endless
    assert found.frames == ttl, "one of the client, the others of the routers"
    assert set(found.ring) == {dev("eth0", "r1"), dev("eth0", "r2")}
    last = "r1" if ttl % 2 else "r2"
    assert found.told is not None
    assert found.told.dev == dev("eth0", last)
    assert describe(found.told.frame).startswith("ICMP time exceeded 192.0.2." + last[1])


def test_three_routers_too() -> None:
    three = (
        router("r1", A, "192.0.2.1", "default via 192.0.2.2")
        + router("r2", B, "192.0.2.2", "default via 192.0.2.3")
        + router("r3", C, "192.0.2.3", "default via 192.0.2.1")
    )
    found = gone_round(three, packet(64))
    assert found.frames == 64
    assert len(found.ring) == 3


def test_ipv6_has_its_hop_limit() -> None:
    one, two = ("2001:db8::1", "2001:db8::2")
    text = router("r1", A, one, f"default via {two}") + router("r2", B, two, f"default via {one}")
    body = Ipv6(
        IPv6Address("2001:db8:9::9"),
        IPv6Address("2001:db8:7::7"),
        udp.PROTOCOL,
        Udp(1, 2, Raw()),
        30,
    )
    found = gone_round(text, Frame(parse_mac(A), CLIENT, (), ethernet.IPV6, body))
    assert (found.endless, found.frames) == (False, 30)


def test_a_ring_of_bridges_has_no_end() -> None:
    found = gone_round(links(*RING), to(parse_mac(C)), Place(dev("br0"), "out"))
    assert found.endless
    assert found.frames is None
    assert {d.name for d in found.ring} >= {"a0", "b0"}
