"""``ip addr``: dialects, flags, and shortened pastes."""

import pytest

from hopback.snapshot.rows import Address, Link
from hopback.sources.parse import ip_addr
from tests.sources.parse.given import facts, listing, pasted, recorded, rows


def addresses(name: str) -> list[dict[str, object]]:
    parsed = ip_addr.parse(recorded(name))
    assert not parsed.problems
    return [facts(row) for row in rows(parsed, Address)]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("ip-addr.txt", "ip-j-addr.json"),
        ("ip-d-addr.txt", "ip-d-j-addr.json"),
        ("ip-addr.txt", "ip-o-addr.txt"),
        ("ip-addr.txt", "busybox-ip-addr.txt"),
        ("ip-br-addr.txt", "ip-j-br-addr.json"),
    ],
)
def test_dialects_tell_the_same(text: str, other: str) -> None:
    assert addresses(f"vm61-iproute/{text}") == addresses(f"vm61-iproute/{other}")


def test_one_family() -> None:
    every = addresses("vm61-iproute/ip-addr.txt")
    six = [said for said in every if ":" in str(said["address"])]
    four = [said for said in every if ":" not in str(said["address"])]
    assert addresses("vm61-iproute/ip-6-addr.txt") == six
    assert addresses("vm61-iproute/ip-o-4-j-addr.json") == four


def test_one_family_does_not_show_masters() -> None:
    links = rows(ip_addr.parse(recorded("vm61-iproute/ip-6-addr.txt")), Link)
    assert {link.master for link in links} == {None}


def test_recorded_flags() -> None:
    found = {said["address"]: said for said in addresses("vm61-iproute/ip-addr.txt")}
    assert found["10.0.0.7"] == {
        "dev": "br0",
        "address": "10.0.0.7",
        "prefix_len": 24,
        "scope": "global",
        "flags": ("secondary", "deprecated", "dynamic"),
    }
    assert found["fd00::1"]["flags"] == ("nodad",)
    assert (found["10.9.0.1"]["prefix_len"], found["10.9.0.1"]["dev"]) == (32, "v1")


def test_failed_duplicate_detection_without_indentation() -> None:
    parsed = ip_addr.parse(
        pasted("""
            As you can see it failed:
            11: eth0.2@eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP qlen 1000
            inet6 fe80::2/64 scope link tentative dadfailed
            3: enp0s8: [...]
            link/ether 02:00:00:04:17:5e brd ff:ff:ff:ff:ff:ff
            inet 10.5.1.254/24 brd 10.5.1.255 scope global noprefixroute enp0s8
        """)
    )
    first, second = rows(parsed, Address)
    assert (first.dev, first.flags, first.cite.line) == ("eth0.2", ("tentative", "dadfailed"), 3)
    assert (second.dev, second.flags) == ("enp0s8", ("noprefixroute",))
    assert [(link.name, link.mac is None) for link in rows(parsed, Link)] == [
        ("eth0.2", True),
        ("enp0s8", False),
    ]
    assert not parsed.problems


def test_unnamed_flags_of_busybox() -> None:
    parsed = ip_addr.parse(
        listing("""
            2: eth0: <UP> mtu 1500 qdisc mq qlen 1000
                inet6 fe80::1/64 scope link tentative flags 08
                inet6 fd00::1/64 scope global flags 02
        """)
    )
    flags = [row.flags for row in rows(parsed, Address)]
    assert flags == [("tentative", "dadfailed"), ("nodad",)]


def test_device_is_in_the_command() -> None:
    parsed = ip_addr.parse(pasted("inet 10.96.0.1/32\ninet 10.96.0.10/32", "ip a s kube-ipvs0"))
    assert [(row.dev, row.address) for row in rows(parsed, Address)] == [
        ("kube-ipvs0", "10.96.0.1"),
        ("kube-ipvs0", "10.96.0.10"),
    ]


def test_line_of_a_label_and_an_address() -> None:
    parsed = ip_addr.parse(pasted("lo:0 192.0.2.101/32\nand 5 more", "ip addr show lo"))
    assert [facts(row) for row in rows(parsed, Address)] == [
        {"dev": "lo", "address": "192.0.2.101", "prefix_len": 32, "flags": ()}
    ]


def test_unusable_address_is_a_problem() -> None:
    parsed = ip_addr.parse(
        listing("""
            2: eth0: <UP> mtu 1500 qdisc mq state UP
                inet 10.0.0.300/24 scope global eth0
                inet 10.0.0.3/99 scope global eth0
                inet6 fe80::1
                inet 10.0.0.4/24 scope global eth0
        """)
    )
    assert [row.address for row in rows(parsed, Address)] == ["10.0.0.4"]
    assert [problem.line for problem in parsed.problems][:3] == [2, 3, 4]


def test_listing_without_addresses_and_command_may_be_another() -> None:
    text = recorded("vm61-iproute/busybox-ip-link.txt")._replace(command=())
    (problem,) = ip_addr.parse(text).problems
    assert problem.message.startswith("no addresses")


def test_recorded_director() -> None:
    found = addresses("vm61-director-a/ip-j-addr.json")
    assert [said["flags"] for said in found if said["address"] == "fd00::100"] == [("nodad",)]


def test_shape() -> None:
    assert ip_addr.SHAPE is not None
    for name in (
        "ip-addr.txt",
        "ip-6-addr.txt",
        "ip-o-addr.txt",
        "ip-br-addr.txt",
        "ip-j-addr.json",
    ):
        assert ip_addr.SHAPE.match(recorded(f"vm61-iproute/{name}").lines[0]), name
    for name in ("ip-d-link.txt", "ip-d-j-link.json", "bridge-link.txt", "ip-neigh.txt"):
        assert not ip_addr.SHAPE.match(recorded(f"vm61-iproute/{name}").lines[0]), name
