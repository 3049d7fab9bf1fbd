"""What a frame crosses to that leaves one given host for another."""

from hopback.frames.mac import Mac, parse_mac
from hopback.network.facts import DevId
from hopback.network.segments import Reached, Segments, Unclear, segments_of
from tests.build import BRIDGE, TUN, dev, link, links, listing, network

A, B, C = "02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c"


def addressed(host: str, *given: str) -> str:
    """Addresses such as ``eth0 192.0.2.1/24``."""
    lines = []
    for index, words in enumerate(given, 2):
        name, address = words.split()
        lines.append(
            f"{index}: {name}    inet{'6' * (':' in address)} {address} scope global {name}"
        )
    return listing("ip -o addr show", lines, host)


def nic(host: str, mac: str, *given: str, name: str = "eth0", flags: str = "UP,LOWER_UP") -> str:
    shown = link(2, name, mac, flags=f"BROADCAST,MULTICAST,{flags}")
    return links(shown, host=host) + addressed(host, *(f"{name} {a}" for a in given))


def segments(text: str) -> Segments:
    return segments_of(network(text))


def reached(text: str, mac: str, name: str = "eth0") -> DevId | None:
    found = segments(text).unicast(dev(name, "lb1"), parse_mac(mac))
    assert not isinstance(found, Unclear)
    return found.dev if found else None


BOTH = nic("lb1", A, "192.0.2.1/24") + nic("lb2", B, "192.0.2.2/24")


def test_a_shared_subnet_joins_two_hosts() -> None:
    found = segments(BOTH).unicast(dev("eth0", "lb1"), parse_mac(B))
    assert isinstance(found, Reached)
    assert found.dev == dev("eth0", "lb2")
    assert {ref.host for ref in found.refs} == {"lb1", "lb2"}


def test_nobody_has_the_address() -> None:
    assert reached(BOTH, C) is None


def test_no_subnet_is_shared() -> None:
    text = nic("lb1", A, "192.0.2.1/24", "fe80::1/64", "203.0.113.9/32")
    assert reached(text + nic("lb2", B, "198.51.100.2/24", "fe80::2/64"), B) is None


def test_a_neighbour_entry_joins_them_too() -> None:
    text = nic("lb1", A, "192.0.2.1/32") + nic("lb2", B, "198.51.100.2/24")
    known = listing("ip neigh show", [f"198.51.100.2 dev eth0 lladdr {B} REACHABLE"], "lb1")
    assert reached(text + known, B) == dev("eth0", "lb2")
    other = listing("ip neigh show", [f"198.51.100.7 dev eth0 lladdr {B} REACHABLE"], "lb1")
    assert reached(text + other, B) is None, "nobody says that the other host has that address"


def test_two_devices_with_one_address_are_told_and_none_is_taken() -> None:
    found = segments(BOTH + nic("lb3", B, "192.0.2.3/24")).unicast(dev("eth0", "lb1"), parse_mac(B))
    assert isinstance(found, Unclear)
    assert {ref.host for ref in found.refs} == {"lb2", "lb3"}


def test_a_device_that_is_down_gets_nothing() -> None:
    text = nic("lb1", A, "192.0.2.1/24") + nic("lb2", B, "192.0.2.2/24", flags="UP,NO-CARRIER")
    assert reached(text, B) is None


def test_below_a_bridge_and_vlans_it_is_the_nic() -> None:
    there = links(
        link(2, "eno1", B, master="br0", port=""),
        link(3, "br0", B, BRIDGE),
        link(4, "vnet0", "fe:54:00:00:00:01", TUN, master="br0", port=""),
        link(5, "br0.7@br0", B, "vlan protocol 802.1Q id 7 <REORDER_HDR>"),
        host="lb2",
    )
    text = nic("lb1", A, "192.0.2.1/24") + there + addressed("lb2", "br0.7 192.0.2.2/24")
    assert reached(text, B) == dev("eno1", "lb2")


def test_a_bridge_with_an_address_of_its_own_is_reached_by_its_one_way_out() -> None:
    lines = (
        link(2, "eno1", C, master="br0", port=""),
        link(3, "br0", B, BRIDGE),
        link(4, "vnet0", "fe:54:00:00:00:01", TUN, master="br0", port=""),
    )
    text = nic("lb1", A, "192.0.2.1/24") + addressed("lb2", "br0 192.0.2.2/24")
    assert reached(text + links(*lines, host="lb2"), B) == dev("eno1", "lb2")
    two = (*lines, link(5, "eno2", "02:00:00:00:00:0d", master="br0", port=""))
    found = segments(text + links(*two, host="lb2")).unicast(dev("eth0", "lb1"), parse_mac(B))
    assert isinstance(found, Unclear)


def test_a_bond_is_reached_as_a_whole() -> None:
    bond = "bond mode active-backup miimon 100 active_slave eno1"
    there = links(
        link(2, "eno1", B, master="bond0"),
        link(3, "eno2", B, master="bond0"),
        link(4, "bond0", B, bond),
        host="lb2",
    )
    text = nic("lb1", A, "192.0.2.1/24") + there + addressed("lb2", "bond0 192.0.2.2/24")
    assert reached(text, B) == dev("bond0", "lb2")
    back = segments(text).unicast(dev("eno2", "lb2"), parse_mac(A))
    assert isinstance(back, Reached)


def test_a_group_is_heard_by_all_of_the_subnet() -> None:
    text = BOTH + nic("lb3", C, "192.0.2.3/24") + nic("lb4", "02:00:00:00:00:0d", "192.0.3.4/24")
    heard = segments(text).group(dev("eth0", "lb1"))
    assert [found.dev.host for found in heard] == ["lb2", "lb3"]


def test_of_two_nics_in_one_subnet_nothing_tells_which() -> None:
    second = links(link(3, "eth1", C), host="lb2") + addressed("lb2", "eth1 192.0.2.12/24")
    assert segments(BOTH + second).group(dev("eth0", "lb1")) == ()
    assert reached(BOTH + second, B) is None


def test_one_namespace_of_one_host_is_no_matter() -> None:
    alone = nic("lb1", A, "192.0.2.1/24") + links(link(3, "eth1", B), host="lb1")
    assert segments(alone + addressed("lb1", "eth1 192.0.2.2/24")) == Segments()
    assert Segments().unicast(dev("eth0", "lb1"), Mac(1)) is None
