"""What a router tells the senders of packets that it drops, or that have a shorter way."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from msgspec.structs import replace

from hopback.datapath.effects import Drop, Place, Send, Tell
from hopback.datapath.path import step
from hopback.frames import ethernet, icmp, ipv4, ipv6, udp
from hopback.frames.ethernet import Frame
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.ipv4 import DONT_FRAGMENT, Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import BROADCAST, format_mac, parse_mac
from hopback.frames.raw import Raw
from hopback.frames.udp import Udp
from tests.build import dev, link, links, listing, model

A, B, PEER = "02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:99"
SETTINGS = (
    "net.ipv4.ip_forward = 1",
    "net.ipv6.conf.all.forwarding = 1",
    "net.ipv4.conf.all.rp_filter = 0",
    *(f"net.ipv4.conf.{name}.rp_filter = 0" for name in ("eth0", "eth1")),
)
ROUTER = (
    links(link(2, "eth0", A), link(3, "eth1", B).replace("mtu 1500", "mtu 1300"))
    + listing(
        "ip addr show",
        [
            "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500",
            "    inet 192.0.2.1/24 scope global eth0",
            "    inet6 2001:db8::1/64 scope global",
            "    inet6 fe80::1/64 scope link",
            "3: eth1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1300",
            "    inet 198.51.100.1/24 scope global eth1",
            "    inet6 2001:db8:1::1/64 scope global",
        ],
    )
    + listing(
        "ip route show table all",
        [
            "192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.1",
            "198.51.100.0/24 dev eth1 proto kernel scope link src 198.51.100.1",
            "203.0.113.0/24 via 192.0.2.7 dev eth0",
            "prohibit 10.1.0.0/16",
            "unreachable 10.2.0.0/16",
            "blackhole 10.3.0.0/16",
            "2001:db8::/64 dev eth0 proto kernel metric 256",
            "2001:db8:1::/64 dev eth1 proto kernel metric 256",
            "2001:db8:7::/64 via fe80::7 dev eth0 metric 1024",
            "fe80::/64 dev eth0 proto kernel metric 256",
            "prohibit 2001:db8:b::/48 dev lo metric 1024",
        ],
    )
    + listing(
        "ip neigh show",
        [
            f"{address} dev eth0 lladdr {PEER} PERMANENT"
            for address in ("192.0.2.9", "192.0.2.7", "2001:db8::9", "fe80::7", "fe80::9")
        ]
        + ["198.51.100.7 dev eth1 FAILED", "2001:db8:1::7 dev eth1 FAILED"],
    )
)


def packet(target: str, source: str = "192.0.2.9", size: int = 8, ttl: int = 64) -> Frame:
    datagram = Udp(7, 9, Raw(bytes(size)))
    body = Ipv4(IPv4Address(source), IPv4Address(target), udp.PROTOCOL, datagram, ttl)
    body = replace(body, flags=DONT_FRAGMENT, tos=0x2E)
    return Frame(parse_mac(A), parse_mac(PEER), (), ethernet.IPV4, body)


def packet6(target: str, source: str = "2001:db8::9", size: int = 8, hops: int = 64) -> Frame:
    datagram = Udp(7, 9, Raw(bytes(size)))
    body = Ipv6(IPv6Address(source), IPv6Address(target), udp.PROTOCOL, datagram, hops, 0x2E)
    return Frame(parse_mac(A), parse_mac(PEER), (), ethernet.IPV6, body)


def told(frame: Frame, *more: str) -> Tell | None:
    text = ROUTER + listing("sysctl -a", (*SETTINGS, *more))
    effects = step(model(text), {}, Place(dev("eth0"), "in"), frame)
    found = [effect for effect in effects if isinstance(effect, Tell)]
    assert len(found) < 2
    return found[0] if found else None


def message(frame: Frame, *more: str) -> tuple[str, int, int, int]:
    """Source, kind, code and the word after the checksum."""
    tell = told(frame, *more)
    assert tell is not None
    assert (tell.dev, format_mac(tell.frame.dst)) == (dev("eth0"), PEER)
    body = tell.frame.payload
    assert isinstance(body, Ipv4 | Ipv6)
    assert isinstance(body.payload, Icmp | Icmpv6)
    return str(body.src), body.payload.kind, body.payload.code, body.payload.rest


@pytest.mark.parametrize(
    ("frame", "kind", "code", "word"),
    [
        (packet("198.51.100.9", ttl=1), 11, 0, 0),
        (packet("198.51.100.9", size=1400), 3, 4, 1300),
        (packet("10.9.0.1"), 3, 0, 0),
        (packet("10.2.0.1"), 3, 1, 0),
        (packet("10.1.0.1"), 3, 13, 0),
        (packet("198.51.100.7"), 3, 1, 0),
    ],
)
def test_each_cause_has_its_message(frame: Frame, kind: int, code: int, word: int) -> None:
    assert message(frame) == ("192.0.2.1", kind, code, word)


@pytest.mark.parametrize(
    ("frame", "kind", "code", "word"),
    [
        (packet6("2001:db8:1::9", hops=1), 3, 0, 0),
        (packet6("2001:db8:1::9", size=1400), 2, 0, 1300),
        (packet6("2001:db8:a::1"), 1, 0, 0),
        (packet6("2001:db8:b::1"), 1, 1, 0),
        (packet6("2001:db8:1::7"), 1, 3, 0),
    ],
)
def test_and_so_in_ipv6(frame: Frame, kind: int, code: int, word: int) -> None:
    assert message(frame) == ("2001:db8::1", kind, code, word)


def test_beyond_the_scope_of_the_source() -> None:
    assert message(packet6("2001:db8:1::9", "fe80::9")) == ("fe80::1", 1, 2, 0)


def test_the_message_quotes_what_came() -> None:
    long = packet("198.51.100.9", size=900, ttl=1)
    tell = told(long)
    assert tell is not None
    body = tell.frame.payload
    assert isinstance(body, Ipv4)
    assert isinstance(body.payload, Icmp)
    assert isinstance(long.payload, Ipv4)
    assert body.payload.body.raw == ipv4.encode(long.payload)[:548], "576 bytes in all"
    assert (body.ttl, body.tos) == (64, 0xCE)


def test_a_neighbour_s_silence_quotes_what_was_sent_on() -> None:
    tell = told(packet("198.51.100.7"))
    assert tell is not None
    assert isinstance(tell.frame.payload, Ipv4)
    assert isinstance(tell.frame.payload.payload, Icmp)
    assert tell.frame.payload.payload.body.raw[8] == 63


def test_ipv6_quotes_up_to_its_least_mtu() -> None:
    long = packet6("2001:db8:1::9", size=1290)
    tell = told(long)
    assert tell is not None
    assert isinstance(tell.frame.payload, Ipv6)
    assert isinstance(tell.frame.payload.payload, Icmpv6)
    assert isinstance(long.payload, Ipv6)
    assert tell.frame.payload.payload.body.raw == ipv6.encode(long.payload)[:1232]


ECHO = Icmp(icmp.ECHO_REQUEST)
ERROR = Icmp(icmp.TIME_EXCEEDED)


def carrying(body: Icmp, **fields: int) -> Frame:
    frame = packet("198.51.100.9", ttl=1)
    assert isinstance(frame.payload, Ipv4)
    ipv = replace(frame.payload, protocol=icmp.PROTOCOL, payload=body, flags=0)
    return replace(frame, payload=replace(ipv, **fields))


@pytest.mark.parametrize(
    "frame",
    [
        replace(packet("198.51.100.9", ttl=1), dst=BROADCAST),
        carrying(ERROR),
        carrying(Icmp(40)),
        carrying(ECHO, offset=8),
        packet("10.3.0.1"),
        packet("224.0.0.9", ttl=1),
        packet6("2001:db8:1::9", "::", hops=1),
        packet6("ff0e::9", hops=1),
    ],
)
def test_of_some_packets_nobody_is_told(frame: Frame) -> None:
    assert told(frame) is None


def test_of_an_echo_and_a_first_fragment_he_is() -> None:
    assert message(carrying(ECHO))[1] == icmp.TIME_EXCEEDED
    assert message(carrying(ECHO, flags=1))[1] == icmp.TIME_EXCEEDED


def test_a_host_that_does_not_forward_is_silent_but_for_a_missing_route_of_ipv6() -> None:
    off = ("net.ipv4.ip_forward = 0", "net.ipv6.conf.all.forwarding = 0")
    assert told(packet("10.9.0.1"), *off) is None
    assert told(packet6("2001:db8:1::9"), *off) is None
    assert message(packet6("2001:db8:a::1"), *off) == ("2001:db8::1", 1, 0, 0)


def test_the_address_of_the_device_it_came_in_by_if_that_is_set() -> None:
    far = packet("10.9.0.1", "203.0.113.9")
    assert message(far)[0] == "192.0.2.1"
    text = (ROUTER + listing("sysctl -a", SETTINGS)).replace(
        "203.0.113.0/24 via 192.0.2.7 dev eth0",
        "203.0.113.0/24 via 192.0.2.7 dev eth0 src 198.51.100.1",
    )
    for setting, source in (("0", "198.51.100.1"), ("1", "192.0.2.1")):
        more = listing("sysctl -a", [f"net.ipv4.icmp_errors_use_inbound_ifaddr = {setting}"])
        (_, tell) = step(model(text + more), {}, Place(dev("eth0"), "in"), far)
        assert isinstance(tell, Tell)
        assert isinstance(tell.frame.payload, Ipv4)
        assert str(tell.frame.payload.src) == source


def test_a_neighbour_is_told_of_the_next_hop_and_the_packet_goes_there() -> None:
    text = ROUTER + listing("sysctl -a", SETTINGS)
    tell, sent = step(model(text), {}, Place(dev("eth0"), "in"), packet("203.0.113.5"))
    assert isinstance(tell, Tell)
    assert isinstance(sent, Send)
    assert message(packet("203.0.113.5")) == ("192.0.2.1", 5, 1, int(IPv4Address("192.0.2.7")))
    assert isinstance(tell.frame.payload, Ipv4)
    assert isinstance(tell.frame.payload.payload, Icmp)
    assert tell.frame.payload.payload.body.raw[8] == 63


def test_nobody_is_where_he_is_no_neighbour_or_where_it_is_off() -> None:
    assert told(packet("203.0.113.5", "203.0.113.6")) is None
    off = ("net.ipv4.conf.all.send_redirects = 0", "net.ipv4.conf.eth0.send_redirects = 0")
    assert told(packet("203.0.113.5"), *off) is None
    assert told(packet("203.0.113.5"), off[0]) is not None


def test_ipv6_tells_from_its_link_local_address_with_the_mac() -> None:
    tell = told(packet6("2001:db8:7::5"))
    assert tell is not None
    body = tell.frame.payload
    assert isinstance(body, Ipv6)
    assert isinstance(body.payload, Icmpv6)
    assert (str(body.src), body.hop_limit, body.payload.kind) == ("fe80::1", 255, 137)
    raw = body.payload.body.raw
    assert raw[:16] == IPv6Address("fe80::7").packed
    assert raw[16:32] == IPv6Address("2001:db8:7::5").packed
    assert raw[32:40].hex() == "0201" + PEER.replace(":", "")
    assert raw[40:42] == bytes((4, (len(raw) - 40) // 8))
    assert raw[48 + 7] == 64, "as it came"


def test_what_is_told_does_not_change_the_way_of_the_packet() -> None:
    text = ROUTER + listing("sysctl -a", SETTINGS)
    drop, _ = step(model(text), {}, Place(dev("eth0"), "in"), packet("198.51.100.9", ttl=1))
    assert isinstance(drop, Drop)
    assert drop.why.rule == "ip-ttl"


def filtering(hook: str, rule: str) -> str:
    """A listing with one chain; ICMP that leaves is locally made."""
    chain = f"        type filter hook {hook} priority 0; policy accept;"
    lines = ["table ip t {", f"    chain c {{\n{chain}\n        {rule}\n    }}", "}"]
    return listing("nft list ruleset", lines)


def test_a_filter_may_keep_what_is_told_on_the_host() -> None:
    expiring = packet("198.51.100.9", ttl=1)
    for rule, kept in (("ip protocol icmp drop", True), ("ip protocol udp drop", False)):
        text = ROUTER + listing("sysctl -a", SETTINGS) + filtering("output", rule)
        effects = step(model(text), {}, Place(dev("eth0"), "in"), expiring)
        assert any(isinstance(effect, Tell) for effect in effects) is not kept


def test_of_a_shorter_way_he_is_told_before_filters_see_the_packet() -> None:
    text = ROUTER + listing("sysctl -a", SETTINGS) + filtering("forward", "ip protocol udp drop")
    effects = step(model(text), {}, Place(dev("eth0"), "in"), packet("203.0.113.5"))
    assert [type(effect) for effect in effects] == [Tell, Drop]
