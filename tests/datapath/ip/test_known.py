"""What of a namespace has to be known before packets are routed in it, and what is asked."""

from ipaddress import IPv4Address

import pytest

from hopback.datapath.effects import (
    Ask,
    Blind,
    Cross,
    Deliver,
    Drop,
    Effect,
    Place,
    Send,
    Tell,
    World,
)
from hopback.datapath.path import step
from hopback.datapath.skb import FRESH, Skb
from hopback.frames import ethernet, udp
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.mac import parse_mac
from hopback.frames.udp import Udp
from tests.build import dev, link, links, listing, model

OWN, PEER = "02:00:00:00:0a:00", "02:00:00:00:02:02"
ETH = links(link(2, "eth0", OWN), link(3, "eth1", "02:00:00:00:0a:01"))
ADDRESSES = listing(
    "ip addr show",
    [
        "2: eth0: <UP> mtu 1500 state UP",
        "    inet 192.0.2.1/24 scope global eth0",
        "3: eth1: <UP> mtu 1500 state UP",
        "    inet 198.51.100.1/24 scope global eth1",
    ],
)
ROUTES = (
    "192.0.2.0/24 dev eth0 proto kernel scope link",
    "198.51.100.0/24 dev eth1 proto kernel scope link",
)
WHOLE = ETH + ADDRESSES + listing("ip route show", ROUTES)
ON = listing("sysctl net.ipv4.ip_forward", ["net.ipv4.ip_forward = 1"])
KNOWN = listing("ip neigh show", [f"198.51.100.7 dev eth1 lladdr {PEER} REACHABLE"])
AT = Place(dev("eth0"), "in")


def packet(source: str, target: str) -> Frame:
    ipv4 = Ipv4(IPv4Address(source), IPv4Address(target), udp.PROTOCOL, Udp(1, 2))
    return Frame(parse_mac(OWN), parse_mac(PEER), (), ethernet.IPV4, ipv4)


def at_eth0(text: str, target: str, world: World | None = None, skb: Skb = FRESH) -> Effect:
    """What becomes of a neighbour's packet for ``target``."""
    effects = step(model(text), world or {}, AT, packet("192.0.2.9", target), skb)
    (effect,) = (each for each in effects if not isinstance(each, Tell))
    return effect


@pytest.mark.parametrize(
    "text",
    [
        ETH,
        ETH + ADDRESSES,
        ETH + ADDRESSES + listing("ip route | grep default", ["default via 192.0.2.9 dev eth0"]),
    ],
)
def test_without_all_addresses_and_routes_a_packet_ends_at_the_device(text: str) -> None:
    effect = at_eth0(text + ON, "198.51.100.7")
    assert isinstance(effect, Deliver)


def test_a_router_sends_on_what_is_for_others() -> None:
    effect = at_eth0(WHOLE + ON + KNOWN, "198.51.100.7")
    assert isinstance(effect, Send)
    assert (effect.dev.name, effect.frame.dst) == ("eth1", parse_mac(PEER))
    assert len(effect.why.refs) == 3, "the setting, the route, the neighbour"


def test_whether_it_forwards_is_asked_where_no_listing_tells() -> None:
    asked = at_eth0(WHOLE + KNOWN, "198.51.100.7")
    assert isinstance(asked, Ask)
    assert asked.question.default == "no"
    off = at_eth0(WHOLE + KNOWN, "198.51.100.7", {asked.question: "no"})
    assert isinstance(off, Drop)
    assert off.why.rule == "ip-forwarding-off"
    on = at_eth0(WHOLE + KNOWN, "198.51.100.7", {asked.question: "yes"})
    assert isinstance(on, Send)


def test_what_leaves_what_is_seen_needs_no_neighbour() -> None:
    assert isinstance(at_eth0(WHOLE + ON, "198.51.100.8"), Send)


def test_the_mac_of_somebody_on_a_bridge_in_sight_has_to_be_known() -> None:
    bridge = link(3, "eth1", "02:00:00:00:0a:01", "bridge forward_delay 1500 stp_state 0")
    bridged = WHOLE.replace(ETH, links(link(2, "eth0", OWN), bridge))
    asked = at_eth0(bridged + ON, "198.51.100.8")
    assert isinstance(asked, Ask)
    assert isinstance(at_eth0(bridged + ON, "198.51.100.8", {asked.question: "yes"}), Blind)
    nobody = at_eth0(bridged + ON, "198.51.100.8", {asked.question: "no"})
    assert isinstance(nobody, Drop)
    assert nobody.why.rule == "ip-no-neighbour"


def test_policy_routing_is_not_pretended() -> None:
    odd = listing("ip rule show", ["0: from all lookup local", "100: from 192.0.2.0/24 lookup 7"])
    assert isinstance(at_eth0(WHOLE + ON + odd, "198.51.100.7"), Blind)


def test_the_reverse_path_is_asked_for_only_where_it_decides() -> None:
    assert isinstance(at_eth0(WHOLE + ON + KNOWN, "198.51.100.7"), Send)
    (asked,) = step(model(WHOLE + ON + KNOWN), {}, AT, packet("198.51.100.9", "198.51.100.7"))
    assert isinstance(asked, Ask)
    assert asked.question.text.startswith("is rp_filter on?")
    for answer, rule in (("0", None), ("1", "ip-rp-filter"), ("2", None)):
        (effect,) = step(
            model(WHOLE + ON + KNOWN),
            {asked.question: answer},
            AT,
            packet("198.51.100.9", "198.51.100.7"),
        )
        assert (effect.why.rule if isinstance(effect, Drop) else None) == rule


def test_what_comes_up_on_a_bridge_is_a_hop_of_its_own() -> None:
    text = links(
        link(2, "br0", OWN, "bridge stp_state 0"),
        link(3, "p0", "02:00:00:00:0a:03", master="br0", port=""),
    ) + listing("ip addr show", ["2: br0: <UP> mtu 1500", "    inet 192.0.2.1/24 scope global br0"])
    text += listing("ip route show", ["192.0.2.0/24 dev br0 proto kernel scope link"])
    effects = step(model(text), {}, Place(dev("p0"), "in"), packet("192.0.2.9", "192.0.2.1"))
    up = effects[-1]
    assert isinstance(up, Cross)
    assert (up.dev.name, up.skb.packet_type, up.why.rule) == ("br0", "host", "local-unicast")
    (end,) = step(model(text), {}, Place(up.dev, "in"), up.frame, up.skb)
    assert isinstance(end, Deliver)
    assert (end.dev.name, end.packet_type, end.skb) == ("br0", "host", FRESH)
