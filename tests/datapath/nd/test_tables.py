"""A station's interface from what a host's commands list."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from hopback.datapath.effects import Blind, Drop, Send
from hopback.datapath.kernel import behaviour_of
from hopback.datapath.nd.arp import asks_as, receive
from hopback.datapath.nd.receive import receive as nd_receive
from hopback.datapath.nd.settings import Told, settings_of
from hopback.datapath.nd.tables import arp_interface_of, interface_of
from hopback.frames.build import arp_probe, arp_request, dad_ns
from hopback.frames.mac import Mac
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Address, Neighbour, NextHop, Route
from hopback.snapshot.table import Cite, Rows
from tests.build import dev, link, listing, pasted

MAC, ASKER = Mac(0x0200_0000_0011), Mac(0x0200_0000_0099)
LISTED = (
    listing("uname -r", ["6.1.0-18-amd64"])
    + listing("ip -d link show", [link(2, "eth0", "02:00:00:00:00:11")])
    + listing(
        "ip addr show",
        [
            "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN",
            "    inet 192.0.2.9/32 scope global lo",
            "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP",
            "    link/ether 02:00:00:00:00:11 brd ff:ff:ff:ff:ff:ff",
            "    inet 10.0.0.1/24 scope global eth0",
            "    inet6 2001:db8::11/64 scope global dadfailed tentative",
            "       valid_lft forever preferred_lft forever",
            "    inet6 2001:db8::12/64 scope global dynamic mngtmpaddr",
            "       valid_lft 86000sec preferred_lft 14000sec",
            "    inet6 fe80::ff:fe00:11/64 scope link tentative",
            "       valid_lft forever preferred_lft forever",
        ],
    )
    + listing("ip route show", ["10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1"])
    + listing(
        "sysctl -a",
        [
            "net.ipv6.conf.all.enhanced_dad = 0",
            "net.ipv6.conf.eth0.enhanced_dad = 0",
            "net.ipv6.conf.eth0.dad_transmits = 2",
            "net.ipv4.conf.all.arp_ignore = 1",
        ],
    )
)


def host(more: str = "") -> Snapshot:
    (snapshot,) = pasted(LISTED + more)
    return snapshot


def test_addresses_and_settings_with_the_rows_that_told_them() -> None:
    eth0 = interface_of(host(), dev("eth0"))
    assert eth0.mac == MAC
    phases = {str(own.address): own.phase for own in eth0.addresses.values()}
    assert phases == {
        "2001:db8::11": "dadfailed",
        "2001:db8::12": "preferred",
        "fe80::ff:fe00:11": "tentative",
    }
    assert eth0.addresses[IPv6Address("fe80::ff:fe00:11")].detecting
    assert not eth0.addresses[IPv6Address("2001:db8::12")].permanent
    settings = eth0.settings
    assert (settings.enhanced, settings.transmits, settings.accept_dad) == (False, 2, 1)
    assert len(settings.why("enhanced")) == 2
    assert settings.why("accept_dad") == ()


@pytest.mark.parametrize(
    ("release", "told", "enhanced"),
    [
        ("4.9.0", {}, False),
        ("6.1.0", {}, True),
        (None, {}, None),
        (None, {"all": 0, "eth0": 0}, False),
        (None, {"all": 1, "eth0": 0}, True),
        ("6.1.0", {"eth0": 0}, True),
        (None, {"eth0": 0}, None),
    ],
)
def test_the_nonce_is_off_only_where_both_settings_are(
    release: str | None, told: dict[str, int], enhanced: bool | None
) -> None:
    kernel = behaviour_of(release) if release else None
    rows = {f"net.ipv6.conf.{name}.enhanced_dad": Told(value) for name, value in told.items()}
    assert settings_of("eth0", kernel, rows.get).enhanced is enhanced


def test_accept_dad_of_all_counts_since_4_14() -> None:
    rows = {"net.ipv6.conf.all.accept_dad": Told(2), "net.ipv6.conf.eth0.accept_dad": Told(0)}
    found = {
        release: settings_of("eth0", behaviour_of(release), rows.get).accept_dad
        for release in ("4.13.0", "4.14.0")
    }
    assert found == {"4.13.0": 0, "4.14.0": 2}


def test_a_dot_in_a_name_is_a_slash_in_the_key() -> None:
    rows = {"net.ipv6.conf.eth0/5.dad_transmits": Told(3)}
    assert settings_of("eth0.5", None, rows.get).transmits == 3


def test_arp_ignore_keeps_the_loopback_address_from_the_wire() -> None:
    eth0 = arp_interface_of(host(), dev("eth0"))
    asker, vip, own = map(IPv4Address, ("10.0.0.50", "192.0.2.9", "10.0.0.1"))
    (ignored,) = receive(eth0, arp_request(ASKER, asker, vip), "broadcast")
    assert isinstance(ignored, Drop)
    assert ignored.why.rule == "arp-ignored"
    assert len(ignored.why.refs) == 2
    (answer,) = receive(eth0, arp_request(ASKER, asker, own), "broadcast")
    assert isinstance(answer, Send)
    (probed,) = receive(eth0, arp_probe(ASKER, own), "broadcast")
    assert isinstance(probed, Send)


def test_what_was_not_listed_is_not_known() -> None:
    vip, far, asker = map(IPv4Address, ("192.0.2.9", "10.0.0.60", "10.0.0.50"))
    partly = listing(
        "ip addr show dev lo", ["1: lo: <LOOPBACK,UP> mtu 65536", f"    inet {vip}/32"]
    )
    router = listing("sysctl net", ["net.ipv4.conf.eth0.forwarding = 1"])
    (snapshot,) = pasted(
        listing("ip -d link show", [link(2, "eth0", "02:00:00:00:00:11")]) + partly
    )
    eth0 = arp_interface_of(snapshot, dev("eth0"))
    (answered,) = receive(eth0, arp_request(ASKER, asker, vip), "broadcast")
    assert isinstance(answered, Send)
    (blind,) = receive(eth0, arp_request(ASKER, asker, far), "broadcast")
    assert isinstance(blind, Blind)
    (snapshot,) = pasted(partly + router)
    assert arp_interface_of(snapshot, dev("eth0")).blind is not None
    six = interface_of(snapshot, dev("eth0"))
    (unknown,) = nd_receive(six, {}, dad_ns(ASKER, IPv6Address("fe80::7")), "multicast")
    assert isinstance(unknown, Blind)


def test_policy_rules_decide_by_more_than_the_model_looks_at() -> None:
    more = listing("sysctl net", ["net.ipv4.conf.eth0.rp_filter = 1"])
    more += listing("ip rule show", ["0:\tfrom all lookup local", "9:\tfrom all lookup 100"])
    eth0 = arp_interface_of(host(more), dev("eth0"))
    asked = arp_request(ASKER, IPv4Address("10.0.0.50"), IPv4Address("10.0.0.1"))
    (blind,) = receive(eth0, asked, "broadcast")
    assert isinstance(blind, Blind)


@pytest.mark.parametrize(
    ("announce", "target", "source", "asks"),
    [
        (0, "10.0.0.50", "192.0.2.9", "192.0.2.9"),
        (1, "10.0.0.50", "192.0.2.9", "10.0.0.1"),
        (2, "10.0.0.50", "192.0.2.9", "10.0.0.1"),
        (1, "10.0.0.50", "10.0.0.1", "10.0.0.1"),
        (0, "10.0.0.50", None, "10.0.0.1"),
        (0, "10.0.0.50", "198.51.100.1", "10.0.0.1"),
    ],
)
def test_with_which_address_it_asks(
    announce: int, target: str, source: str | None, asks: str
) -> None:
    more = listing("sysctl net", [f"net.ipv4.conf.all.arp_announce = {announce}"])
    eth0 = arp_interface_of(host(more), dev("eth0"))
    found = asks_as(eth0, IPv4Address(target), IPv4Address(source) if source else None)
    assert found == IPv4Address(asks)


def test_a_snapshot_file_may_hold_what_no_kernel_prints() -> None:
    cite = Cite(0, 1)
    addresses = (
        Address(cite=cite, dev="eth0", address="nonsense", prefix_len=24),
        Address(cite=cite, dev="eth0", address="10.0.0.1", prefix_len=99),
        Address(cite=cite, dev="eth0", address="10.0.0.2", prefix_len=24),
    )
    routes = (Route(cite=cite, destination="10.0.0.1/99", family=4, hops=(NextHop(dev="eth0"),)),)
    neighbours = (Neighbour(cite=cite, dev="eth0", address="no:address", proxy=True),)
    strange = Snapshot(addresses=Rows(addresses), routes=Rows(routes), neighbours=Rows(neighbours))
    station = arp_interface_of(strange, dev("eth0", ""))
    assert [mine.address for mine in station.locals] == [IPv4Address("10.0.0.2")]
    assert not station.ways
    assert not interface_of(strange, dev("eth0", "")).proxied
