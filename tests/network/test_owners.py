"""Who has an IP address, by its one spelling."""

from tests.build import dev, listing, network


def test_by_the_canonical_address_of_all_hosts() -> None:
    lines = ["2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP"]
    first = listing("ip addr show", [*lines, "    inet6 2001:db8::1/64 scope global"], "a")
    other = listing("ip addr show", [*lines, "    inet6 2001:DB8:0::1/64 scope global"], "b")
    found = network(first + other).owners["2001:db8::1"]
    assert [(id_, ref.host) for id_, ref in found] == [
        (dev("eth0", "a"), "a"),
        (dev("eth0", "b"), "b"),
    ]
