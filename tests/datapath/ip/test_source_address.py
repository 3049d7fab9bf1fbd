"""Which of its addresses a host sends from."""

from ipaddress import IPv4Address, IPv6Address, ip_interface

import pytest

from hopback.datapath.ip.host import Host, Own, VrfOf
from hopback.datapath.ip.source_address import source4, source6
from hopback.network.facts import DevId, Fact

HOST = DevId("r1", "", "")


def own(dev: str, address: str, scope: str = "global", *flags: str) -> Own:
    return Own(dev, ip_interface(address), scope=scope, flags=frozenset(flags))


def host(*owns: Own, **settings: int) -> Host:
    told = {key.replace("__", "."): Fact(value, ()) for key, value in settings.items()}
    return Host(HOST, owns=owns, settings=told)


def four(given: Host, gateway: str | None = None, *, inbound: bool = False) -> str | None:
    via = IPv4Address(gateway) if gateway else None
    found = source4(given, "eth0", via, inbound=inbound)
    return str(found.at.ip) if found else None


def six(given: Host, target: str) -> str | None:
    found = source6(given, "eth0", IPv6Address(target))
    return str(found.at.ip) if found else None


def test_the_first_of_the_device() -> None:
    two = host(
        own("eth1", "198.51.100.1/24"), own("eth0", "192.0.2.1/24"), own("eth0", "10.0.0.1/8")
    )
    assert four(two) == "192.0.2.1"


def test_one_in_the_subnet_of_the_gateway_comes_before() -> None:
    two = host(own("eth0", "192.0.2.1/24"), own("eth0", "198.51.100.1/24"))
    assert four(two, "198.51.100.9") == "198.51.100.1"
    assert four(two, "203.0.113.9") == "192.0.2.1"


def test_a_secondary_one_does_not_count() -> None:
    two = host(own("eth0", "192.0.2.2/24", "global", "secondary"), own("eth0", "10.0.0.1/8"))
    assert four(two) == "10.0.0.1"


def test_beyond_a_gateway_one_of_the_link_does_not_do() -> None:
    link = host(own("eth0", "192.0.2.1/24", "link"), own("eth1", "198.51.100.1/24"))
    assert four(link) == "192.0.2.1"
    assert four(link, "192.0.2.9") == "198.51.100.1"
    assert four(link, "192.0.2.9", inbound=True) == "192.0.2.1"


def test_a_device_without_one_takes_another_s() -> None:
    lent = host(own("lo", "127.0.0.1/8", "host"), own("eth1", "198.51.100.1/24"))
    assert four(lent) == "198.51.100.1"
    assert four(host(own("lo", "127.0.0.1/8", "host"))) is None
    assert four(host(own("eth1", "198.51.100.1/24", "link"))) is None


@pytest.mark.parametrize("place", ["all", "eth0"])
def test_one_of_the_host_alone_does_where_it_may_leave(place: str) -> None:
    alone = own("eth0", "192.0.2.1/32", "host")
    assert four(host(alone)) is None
    assert four(host(alone, **{f"ipv4__conf__{place}__route_localnet": 1})) == "192.0.2.1"


def test_within_a_vrf_its_device_comes_first() -> None:
    vrf = VrfOf("red", "10")
    owns = (own("eth1", "198.51.100.1/24"), own("eth2", "10.0.0.1/8"), own("red", "192.0.2.1/32"))
    given = Host(HOST, owns=owns, vrfs=dict.fromkeys(("red", "eth0", "eth2"), vrf))
    assert four(given) == "192.0.2.1"
    given = Host(HOST, owns=owns[:2], vrfs=dict.fromkeys(("red", "eth0", "eth2"), vrf))
    assert four(given) == "10.0.0.1"


GLOBAL, LOCAL = own("eth0", "2001:db8::1/64"), own("eth0", "fe80::1/64", "link")


@pytest.mark.parametrize(
    ("owns", "target", "chosen"),
    [
        ((GLOBAL, LOCAL), "2001:db8:9::9", "2001:db8::1"),
        ((GLOBAL, LOCAL), "fe80::9", "fe80::1"),
        ((own("eth1", "fe80::7/64", "link"), GLOBAL), "fe80::9", "2001:db8::1"),
        ((own("eth0", "fd00::1/64"), GLOBAL), "2001:db8:9::9", "2001:db8::1"),
        ((GLOBAL, own("eth0", "fd00::1/64")), "fd01::9", "fd00::1"),
        ((own("eth1", "2001:db8:9::1/64"), GLOBAL), "2001:db8:9::9", "2001:db8::1"),
        ((GLOBAL, own("eth0", "2001:db8:9::1/64")), "2001:db8:9::9", "2001:db8:9::1"),
        ((GLOBAL, own("eth0", "2001:db8::2/64")), "2001:db8:9::9", "2001:db8::1"),
        ((own("eth0", "2001:db8:9::9/64"), GLOBAL), "2001:db8:9::9", "2001:db8:9::9"),
        ((LOCAL,), "2001:db8:9::9", "fe80::1"),
        ((), "2001:db8:9::9", None),
    ],
)
def test_by_scope_device_label_and_prefix(
    owns: tuple[Own, ...], target: str, chosen: str | None
) -> None:
    assert six(host(*owns), target) == chosen


def test_a_deprecated_one_only_where_there_is_no_other() -> None:
    """So that a director that has the virtual address sends from another one (ip_vs_xmit.c)."""
    virtual = own("eth0", "2001:db8:9::1/128", "global", "deprecated")
    assert six(host(virtual, GLOBAL), "2001:db8:9::9") == "2001:db8::1"
    assert six(host(virtual), "2001:db8:9::9") == "2001:db8:9::1"


def test_a_temporary_one_if_it_is_wanted() -> None:
    drawn = own("eth0", "2001:db8::2/64", "global", "temporary")
    assert six(host(drawn, GLOBAL), "2001:db8:9::9") == "2001:db8::1"
    wanted = host(GLOBAL, drawn, ipv6__conf__eth0__use_tempaddr=2)
    assert six(wanted, "2001:db8:9::9") == "2001:db8::2"


def test_the_device_s_own_alone_where_that_is_set() -> None:
    only = host(own("eth1", "2001:db8::1/64"), ipv6__conf__eth0__use_oif_addrs_only=1)
    assert six(only, "2001:db8:9::9") is None
