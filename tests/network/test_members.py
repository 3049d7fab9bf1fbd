"""Which devices are ports of which bridge, from each kind of listing."""

import pytest

from hopback.network.model import BridgeView
from tests.build import (
    BRIDGE,
    GUEST0,
    HYPERVISOR,
    LINKS,
    brctl_show,
    bridge,
    dev,
    dmesg,
    domiflist,
    link,
    links,
    listing,
    network,
)


def names(view: BridgeView) -> set[str]:
    return {id_.name for id_ in view.ports}


BRIDGE_LINK = listing(
    "bridge -d link show",
    [
        "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 master br0 state forwarding"
        " priority 32 cost 4 ",
        "    hairpin off guard off root_block off fastleave off learning on flood on ",
        "4: vnet0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 master br0 state blocking"
        " priority 32 cost 100 ",
        "    hairpin on guard off root_block off fastleave off learning on flood on ",
    ],
)
SHOWSTP = listing(
    "brctl showstp br0",
    [
        "br0",
        " bridge id\t\t8000.0cc47a000001",
        " ageing time\t\t 300.00",
        "",
        "eth0 (1)",
        " port id\t\t8001\t\t\tstate\t\t     forwarding",
        " flags\t\t\t",
        "",
        "vnet0 (2)",
        " port id\t\t8002\t\t\tstate\t\t     forwarding",
        " flags\t\t\t",
        "",
    ],
)


@pytest.mark.parametrize(
    "text",
    [
        brctl_show("eth0", "vnet0"),
        BRIDGE_LINK,
        SHOWSTP,
        links(LINKS[0], LINKS[1], LINKS[2]),
        listing("bridge fdb show", [f"{GUEST0} dev {p} master br0" for p in ("eth0", "vnet0")]),
        dmesg(
            *(
                f"br0: port {n}({p}) entered forwarding state"
                for n, p in ((1, "eth0"), (2, "vnet0"))
            )
        ),
    ],
    ids=["brctl show", "bridge link", "brctl showstp", "ip -d link", "bridge fdb", "dmesg"],
)
def test_every_kind_of_listing_shows_the_ports(text: str) -> None:
    assert names(bridge(text)) == {"eth0", "vnet0"}


def test_libvirt_s_definition_counts_where_nothing_else_is_known() -> None:
    assert names(bridge(domiflist(f"vnet0 br0 {GUEST0}"))) == {"vnet0"}
    assert names(bridge(brctl_show("eth0") + domiflist(f"vnet0 br0 {GUEST0}"))) == {"eth0"}


def test_the_log_tells_of_the_past_where_the_ports_are_listed() -> None:
    gone = dmesg("br0: port 3(vnet9) entered disabled state")
    assert names(bridge(brctl_show("eth0", "vnet0") + gone)) == {"eth0", "vnet0"}


def test_a_bond_s_legs_are_not_ports_of_a_bridge() -> None:
    text = links(
        link(2, "eth0", "0c:c4:7a:00:00:01", master="bond0"),
        link(3, "bond0", "0c:c4:7a:00:00:01", "bond mode 802.3ad", master="br0", port=""),
        link(4, "br0", "0c:c4:7a:00:00:01", BRIDGE),
    )
    assert {b.name: names(v) for b, v in network(text).bridges.items()} == {"br0": {"bond0"}}


def test_flags_and_settings_with_their_sources() -> None:
    view = bridge(BRIDGE_LINK)
    port = view.port("vnet0")
    assert port is not None
    assert port.flags["hairpin"].value is True
    assert port.state is not None
    assert port.state.value == "blocking"
    assert "isolated" not in port.flags, "an old tool that does not print it leaves it unknown"
    settings = bridge(HYPERVISOR).settings
    assert (settings["stp"].value, settings["forward_delay"].value) == (0, 15_000_000_000)
    assert view.port("eth9") is None


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        (HYPERVISOR, True),
        (brctl_show("eth0", "vnet0"), True),
        (HYPERVISOR.replace("show", "show | grep -A3 br0", 1), False),
        (dmesg("br0: port 1(eth0) entered forwarding state"), False),
    ],
    ids=["ip -d link", "brctl show", "filtered", "dmesg"],
)
def test_whether_all_ports_are_known(text: str, complete: bool) -> None:
    assert bridge(text).ports_complete is complete


def test_two_bridges_of_one_name_in_two_namespaces() -> None:
    red = (
        link(3, "br0", "02:00:00:00:0b:01", BRIDGE),
        link(5, "eth0", "02:00:00:00:0b:02", master="br0", port=""),
    )
    net = network(HYPERVISOR + links(*red, netns="red"))
    assert {id_: names(view) for id_, view in net.bridges.items()} == {
        dev("br0"): {"eth0", "vnet0", "vnet1"},
        dev("br0", netns="red"): {"eth0"},
    }
    found = net.bridge_of(dev("eth0", netns="red"))
    assert found is not None
    assert found.id == dev("br0", netns="red")


def test_ways_out_lead_to_no_guest() -> None:
    net = network(HYPERVISOR)
    assert [p.id.name for p in net.ways_out(dev("br0"))] == ["eth0"]
