"""Link rows become devices, and the two ends of veth pairs find each other."""

from hopback.network.facts import DevId
from hopback.network.model import Network
from tests.build import TUN, VETH, dev, link, links, network

MAC0, MAC1 = "02:00:00:00:00:01", "02:00:00:00:00:02"


def peer(net: Network, of: DevId) -> DevId | None:
    found = net.devices[of].peer
    return found.value if found else None


def in_namespace(index: int, name: str, mac: str, where: str) -> str:
    return link(index, name, mac, VETH, extra=f" {where}")


def test_ends_in_one_namespace_name_each_other() -> None:
    net = network(links(link(4, "v0@v1", MAC0, VETH), link(5, "v1@v0", MAC1, VETH)))
    assert peer(net, dev("v0")) == dev("v1")
    assert peer(net, dev("v1")) == dev("v0")


def test_an_end_in_another_namespace_is_found_by_its_index_there() -> None:
    net = network(
        links(in_namespace(4, "lxc1@if2", MAC0, "link-netns pod1"))
        + links(in_namespace(2, "eth0@if4", MAC1, "link-netnsid 0"), netns="pod1")
    )
    assert peer(net, dev("lxc1")) == dev("eth0", netns="pod1")
    assert peer(net, dev("eth0", netns="pod1")) == dev("lxc1")


def test_a_namespace_that_nobody_can_name_gives_no_peer() -> None:
    net = network(
        links(
            in_namespace(4, "lxc1@if2", MAC0, "link-netnsid 3"),
            link(2, "eth0", "0c:c4:7a:00:00:01"),
        )
    )
    assert peer(net, dev("lxc1")) is None


def test_a_vlan_s_lower_device_is_no_peer() -> None:
    net = network(
        links(
            link(2, "eth0", MAC0),
            link(3, "eth0.7@eth0", MAC0, "vlan protocol 802.1Q id 7"),
        )
    )
    assert peer(net, dev("eth0.7")) is None


def test_a_pair_made_at_the_prompt_joins_both_ends() -> None:
    net = network(
        "kvm1# ip link add v0 type veth peer name v1\n"
        + links(link(4, "v0@v1", MAC0, VETH), link(5, "v1@v0", MAC1, VETH))
    )
    assert (peer(net, dev("v0")), peer(net, dev("v1"))) == (dev("v1"), dev("v0"))


def test_the_later_listing_is_the_newer() -> None:
    text = links(link(4, "tap1", MAC0, TUN, flags="BROADCAST,MULTICAST")) + links(
        link(4, "tap1", MAC1, TUN)
    )
    device = network(text).devices[dev("tap1")]
    assert device.up is not None
    assert device.mac is not None
    assert device.up.value is True
    assert device.mac.value == 0x0200_0000_0002
    assert len(device.refs) == 2


def test_what_a_listing_does_not_say_stays_as_it_was() -> None:
    text = links(link(4, "tap1", MAC0, TUN)) + "kvm1# ip -br link show\ntap1  UP  " + MAC0 + "\n"
    device = network(text).devices[dev("tap1")]
    assert device.kind is not None
    assert device.kind.value == "tun"


def test_hosts_and_namespaces_are_told_apart() -> None:
    text = (
        links(link(2, "eth0", MAC0))
        + links(link(2, "eth0", MAC1), host="kvm2")
        + links(link(2, "eth0", "02:00:00:00:00:03"), netns="blue")
    )
    macs = {id_: d.mac.value for id_, d in network(text).devices.items() if d.mac}
    assert macs == {
        dev("eth0"): 0x0200_0000_0001,
        dev("eth0", "kvm2"): 0x0200_0000_0002,
        dev("eth0", netns="blue"): 0x0200_0000_0003,
    }
