"""Tunnels: what they wrap packets into, where that is routed, and who opens it."""

from ipaddress import IPv6Address
from itertools import cycle, islice

import pytest

from hopback.datapath.effects import Cross, Deliver, Drop, Why
from hopback.datapath.tunnel import depth
from hopback.datapath.tunnel_receive import opened
from hopback.frames import ethernet
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import DONT_FRAGMENT, Ipv4
from hopback.frames.ipv6 import Extension, Ipv6
from hopback.frames.mac import ZERO
from hopback.frames.tunnel import Gre, Inner
from tests.build import dev, model
from tests.datapath.tunnel_hosts import host, ipip, packet, sent_by, steps, tunnel

PAIR = host("left", ipip(5, "t0", "192.0.2.1", "192.0.2.2"), "10.0.0.0/8 dev t0 scope link")
END = ipip(5, "t0", "192.0.2.2", "192.0.2.1")
OWN = "local 10.0.0.2 dev lo table local scope host"


def first(text: str, frame: Frame, dev: str = "t0") -> Ipv4 | Ipv6:
    """The packet that a device of ``left`` made of a frame."""
    found = sent_by(model(text), dev, frame).hops[1].frame.payload
    assert isinstance(found, Ipv4 | Ipv6)
    return found


def left(details: str, link: str = "ipip", more: str = "") -> str:
    return host("left", tunnel(5, "t0", link, details) + more, "")


def test_to_the_other_end() -> None:
    found = sent_by(model(PAIR + host("right", END, OWN)), "t0", packet("10.0.0.2", ttl=9))
    assert steps(found) == [
        "left t0 out",
        "left eth0 out",
        "right eth0 in",
        "right t0 in",
        "delivered station",
    ]
    wrapped, opened = found.hops[1].frame.payload, found.hops[3].frame
    assert isinstance(wrapped, Ipv4)
    assert (str(wrapped.src), str(wrapped.dst)) == ("192.0.2.1", "192.0.2.2")
    assert (wrapped.ttl, wrapped.flags) == (9, DONT_FRAGMENT)
    assert opened == packet("10.0.0.2", ttl=9)


def test_what_nobody_opens_ends_at_the_host() -> None:
    other = ipip(5, "t0", "192.0.2.2", "192.0.2.77")
    found = sent_by(model(PAIR + host("right", other, OWN)), "t0", packet("10.0.0.2"))
    assert steps(found)[-2:] == ["right eth0 in", "delivered station"]


def test_a_tunnel_without_ends_is_the_last_resort() -> None:
    rest = ipip(4, "tunl0", "any", "any")
    for tunnels, device in ((rest + END, "t0"), (rest, "tunl0")):
        found = sent_by(model(PAIR + host("right", tunnels, OWN)), "t0", packet("10.0.0.2"))
        assert steps(found)[3] == f"right {device} in"
    down = rest.replace("<POINTOPOINT,NOARP,UP,LOWER_UP>", "<NOARP>")
    found = sent_by(model(PAIR + host("right", down, OWN)), "t0", packet("10.0.0.2"))
    assert steps(found)[-2:] == ["right eth0 in", "delivered station"]


def test_what_was_opened_meets_the_reverse_path_filter() -> None:
    strict = "net.ipv4.conf.t0.rp_filter = 1"
    found = sent_by(model(PAIR + host("right", END, OWN, strict)), "t0", packet("10.0.0.2"))
    assert steps(found)[-2:] == ["right t0 in", "lost ip-rp-filter"]


@pytest.mark.parametrize(
    ("more", "ttl", "tos", "flags"),
    [
        ("ttl 7 pmtudisc", 7, 0, DONT_FRAGMENT),
        ("ttl inherit tos 0x10 pmtudisc", 9, 0x10, DONT_FRAGMENT),
        ("ttl inherit tos inherit nopmtudisc", 9, 0, 0),
    ],
)
def test_the_outer_header(more: str, ttl: int, tos: int, flags: int) -> None:
    outer = first(left(f"ipip any remote 192.0.2.2 local any {more}"), packet("10.0.0.2", ttl=9))
    assert isinstance(outer, Ipv4)
    assert (str(outer.src), outer.ttl, outer.tos, outer.flags) == ("192.0.2.1", ttl, tos, flags)


def test_gre_has_its_key_and_checksum() -> None:
    text = left("gre remote 192.0.2.2 local 192.0.2.1 ttl 64 ikey 1 okey 2 ocsum oseq", "gre")
    gre = first(text, packet("10.0.0.2")).payload
    assert isinstance(gre, Gre)
    assert (gre.protocol, gre.key, gre.sequence, gre.summed) == (0x0800, 2, 0, True)
    assert gre.payload == packet("10.0.0.2").payload


def test_gre_is_taken_by_its_key() -> None:
    out = tunnel(5, "t0", "gre", "gre remote 192.0.2.2 local 192.0.2.1 ttl 64 ikey 1 okey 1")
    for key, name in ((1, "t0"), (2, None)):
        end = f"gre remote 192.0.2.1 local 192.0.2.2 ttl 64 ikey {key} okey {key}"
        text = host("left", out, "") + host("right", tunnel(5, "t0", "gre", end), OWN)
        way = steps(sent_by(model(text), "t0", packet("10.0.0.2")))
        assert ("right t0 in" in way) == (name is not None)


def test_a_checksum_that_is_not_wanted() -> None:
    out = tunnel(5, "t0", "gre", "gre remote 192.0.2.2 local 192.0.2.1 ttl 64 ocsum")
    end = tunnel(5, "t0", "gre", "gre remote 192.0.2.1 local 192.0.2.2 ttl 64")
    text = host("left", out, "") + host("right", end, OWN)
    assert steps(sent_by(model(text), "t0", packet("10.0.0.2")))[-1] == "lost tunnel-refused"


def test_a_whole_frame() -> None:
    out = "gretap remote 192.0.2.2 local 192.0.2.1 ttl inherit"
    gre = first(left(out, "ether 02:00:00:00:00:09"), packet("10.0.0.2")).payload
    assert isinstance(gre, Gre)
    assert (gre.protocol, gre.payload) == (0x6558, packet("10.0.0.2"))


def test_ipv6_around_a_packet() -> None:
    text = left(
        "ip6tnl any remote 2001:db8::2 local 2001:db8::1 hoplimit 32 encaplimit 4", "tunnel6"
    )
    outer = first(text, packet("10.0.0.2"))
    assert isinstance(outer, Ipv6)
    assert (str(outer.src), outer.hop_limit, outer.protocol) == ("2001:db8::1", 32, 4)
    assert outer.extensions == (Extension(60, bytes((4, 1, 4, 1, 1, 0))),)
    assert isinstance(outer.payload, Inner)


@pytest.mark.parametrize(("source", "rule"), [(1, "tunnel-open"), (2, "tunnel-own-source")])
def test_ipv6_takes_nothing_from_an_address_of_the_host_itself(source: int, rule: str) -> None:
    """ip6_tnl_rcv_ctl: an address that two hosts have in common is no source for their tunnels."""
    details = "ip6tnl any remote :: local 2001:db8::2 hoplimit 64"
    given = model(host("right", tunnel(5, "t0", "tunnel6", details), ""))
    inner = packet("10.0.0.2").payload
    assert isinstance(inner, Ipv4)
    ends = IPv6Address(f"2001:db8::{source}"), IPv6Address("2001:db8::2")
    outer = Ipv6(*ends, 4, Inner(inner))
    up = Deliver(
        dev("eth0", "right"), Frame(ZERO, ZERO, (), ethernet.IPV6, outer), "host", Why("station")
    )
    effect = opened(given.tunnels, given.hosts["right", ""].addresses, up)
    assert isinstance(effect, Cross | Drop)
    assert effect.why.rule == rule


@pytest.mark.parametrize(
    ("details", "link", "said"),
    [
        ("ipip any remote 2001:db8::2 local 192.0.2.1 ttl inherit", "ipip", "the end 2001:db8::2"),
        ("ipip any remote 192.0.2.2 local 192.0.2.1 ttl 256", "ipip", "ttl 256"),
        ("gre remote 192.0.2.2 local 192.0.2.1 okey 4294967296", "gre", "key 4294967296"),
        ("ip6tnl any remote 192.0.2.2 local 2001:db8::1", "tunnel6", "the end 192.0.2.2"),
        (
            "ip6tnl any remote 2001:db8::2 local 2001:db8::1 encaplimit 256",
            "tunnel6",
            "encap_limit 256",
        ),
    ],
)
def test_what_no_packet_has_room_for_is_left_open(details: str, link: str, said: str) -> None:
    found = sent_by(model(left(details, link)), "t0", packet("10.0.0.2"))
    assert [end.what for end in found.ends] == [f"t0 cannot have {said}"]


def test_ipip_carries_no_ipv6() -> None:
    found = sent_by(model(PAIR), "t0", packet("2001:db8:7::1"))
    assert steps(found)[-1] == "lost tunnel-family"


def test_too_big_once_it_is_wrapped() -> None:
    assert steps(sent_by(model(PAIR), "t0", packet("10.0.0.2", size=1480)))[-1] == (
        "lost tunnel-too-big"
    )


def test_a_route_into_itself() -> None:
    text = host(
        "left", ipip(5, "t0", "192.0.2.1", "198.51.100.9"), "198.51.100.9 dev t0 scope link"
    )
    found = sent_by(model(text), "t0", packet("10.0.0.2"))
    assert steps(found) == ["left t0 out", "lost tunnel-own-route"]
    assert not found.logs


def test_ipv6_says_so() -> None:
    text = host(
        "left",
        tunnel(5, "t0", "tunnel6", "ip6tnl any remote 2001:db8:9::9 local 2001:db8::1 hoplimit 64"),
        "2001:db8:9::/64 dev t0 metric 1024",
    )
    found = sent_by(model(text), "t0", packet("10.0.0.2"))
    assert steps(found)[-1] == "lost tunnel-own-route"
    assert [log.text for log in found.logs] == ["t0: Local routing loop detected!"]


@pytest.mark.parametrize(("release", "wraps"), [("6.1.0-18-amd64", 9), ("6.18.44", 3)])
def test_two_tunnels_through_each_other(release: str, wraps: int) -> None:
    tunnels = ipip(5, "t0", "192.0.2.1", "198.51.100.8") + ipip(
        6, "t1", "192.0.2.1", "198.51.100.9"
    )
    routes = "198.51.100.8 dev t1 scope link\n198.51.100.9 dev t0 scope link"
    found = sent_by(model(host("left", tunnels, routes, "", release)), "t0", packet("10.0.0.2"))
    way = [f"left {name} out" for name in islice(cycle(("t0", "t1")), wraps + 1)]
    assert steps(found) == [*way, "lost tunnel-dead-loop"]
    name = way[-1].split()[1]
    assert [log.text for log in found.logs] == [
        f"Dead loop on virtual device {name}, fix it urgently!"
    ]


@pytest.mark.parametrize(("ttl", "size", "rule"), [(9, 8, "ip-ttl"), (64, 900, "ip-too-big")])
def test_two_hosts_that_send_it_through_each_other(ttl: int, size: int, rule: str) -> None:
    text = host(
        "left",
        ipip(5, "t0", "192.0.2.1", "198.51.100.9"),
        "198.51.100.9 via 192.0.2.2 dev eth0\n198.51.100.8 dev t0 scope link",
    ) + host(
        "right",
        ipip(5, "t0", "192.0.2.2", "198.51.100.8"),
        "198.51.100.8 via 192.0.2.1 dev eth0\n198.51.100.9 dev t0 scope link",
    )
    found = sent_by(model(text), "t0", packet("10.0.0.2", ttl=ttl, size=size))
    assert steps(found)[-1] == f"lost {rule}"
    deepest = max(depth(hop.frame) for hop in found.hops)
    assert deepest == (ttl if rule == "ip-ttl" else (1480 - 28 - size) // 20 + 1)


def test_ipv6_tunnels_end_by_their_own_limit() -> None:
    text = "ip6tnl any remote {} local 2001:db8::1 hoplimit 64 encaplimit 2 tclass 0x00"
    tunnels = tunnel(5, "t0", "tunnel6", text.format("2001:db8:8::8")) + tunnel(
        6, "t1", "tunnel6", text.format("2001:db8:9::9")
    )
    routes = "2001:db8:8::/64 dev t1 metric 1024\n2001:db8:9::/64 dev t0 metric 1024"
    found = sent_by(
        model(host("left", tunnels, routes)),
        "t0",
        packet("10.0.0.2"),
    )
    assert steps(found)[-1] == "lost tunnel-encap-limit"


def test_ipv6_needs_an_address_of_its_own() -> None:
    for local in ("any", "2001:db8::99"):
        text = left(f"ip6tnl any remote 2001:db8::2 local {local} hoplimit 64", "tunnel6")
        assert steps(sent_by(model(text), "t0", packet("10.0.0.2")))[-1] == "lost tunnel-no-local"
