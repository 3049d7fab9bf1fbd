"""The four messages of a DHCP exchange, and what becomes of each."""

import pytest

from hopback.datapath.effects import Place
from hopback.engines.dhcp import MESSAGES, Exchange, follow, server_place
from tests.build import (
    BRIDGE,
    GUEST0,
    HYPERVISOR,
    LINKS,
    RING,
    TUN,
    TWIN0,
    brctl_show,
    dev,
    domiflist,
    fdb,
    link,
    links,
    listing,
    model,
)

GUEST = domiflist(f"vnet0 br0 {GUEST0}")
OWN = f"{TWIN0} dev vnet0 master br0 permanent"
AT_HOME = HYPERVISOR + GUEST + fdb(f"{GUEST0} dev vnet0 master br0", OWN)
AWAY = HYPERVISOR + GUEST + fdb(f"{GUEST0} dev eth0 master br0", OWN)
OUTSIDE = Place(dev("eth0"), "in")
ON_HOST = Place(dev("br0"), "out")


def exchange(text: str, server: Place | None = None) -> Exchange:
    built = model(text)
    station = next(s for s in built.network.stations if s.port == dev("vnet0"))
    return follow(built, station, server)


def lost(found: Exchange) -> dict[str, str]:
    return {leg.message: leg.lost.why.rule for leg in found.legs if leg.lost}


def test_a_healthy_exchange() -> None:
    found = exchange(AT_HOME)
    assert found.server == OUTSIDE
    assert [leg.message for leg in found.legs] == list(MESSAGES)
    assert lost(found) == {}
    assert found.first_lost is None
    assert found.ring is None


def test_each_message_knows_where_it_arrived() -> None:
    found = exchange(AT_HOME)
    ways = {
        leg.message: [f"{h.place.dev.name} {h.place.way}" for h in leg.trace.path(leg.arrived)]
        for leg in found.legs
    }
    assert ways["DISCOVER"] == ["vnet0 in", "eth0 out"]
    assert ways["OFFER"] == ["eth0 in", "vnet0 out"]


def test_with_the_entry_on_the_uplink_the_offer_is_dropped_where_it_came_in() -> None:
    found = exchange(AWAY)
    assert lost(found) == {"OFFER": "same-port", "ACK": "same-port"}
    assert found.first_lost is not None
    assert found.first_lost.message == "OFFER"


def test_a_server_on_the_host_sends_it_out_of_the_wrong_port() -> None:
    found = exchange(AWAY, ON_HOST)
    offer = found.legs[1]
    assert offer.lost is not None
    assert (offer.lost.fate, offer.lost.dev) == ("left", dev("eth0"))
    assert lost(exchange(AT_HOME, ON_HOST)) == {}


def test_the_echo_of_the_discover_moves_the_entry_away() -> None:
    move = exchange(AT_HOME).taught
    assert move is not None
    assert (move.before, move.port) == (dev("vnet0"), dev("eth0"))


def test_an_entry_that_is_away_already_moves_home_with_each_discover() -> None:
    """Tables are not changed on the way: the echo finds the entry where it would put it."""
    found = exchange(AWAY)
    assert found.echo is not None
    assert [m.port for m in found.echo.learnt] == [dev("vnet0")]
    assert found.taught is not None, "with the guest at home a moment before"
    assert (found.taught.before, found.taught.port) == (dev("vnet0"), dev("eth0"))


@pytest.mark.parametrize(
    "text",
    [
        AT_HOME.replace("learning on", "learning off", 1),
        AT_HOME.replace(f"{GUEST0} dev vnet0 master br0", f"{GUEST0} dev vnet0 master br0 sticky"),
    ],
    ids=["the uplink does not learn", "the entry is pinned"],
)
def test_an_echo_that_moves_nothing(text: str) -> None:
    found = exchange(text)
    assert found.echo is not None
    assert found.taught is None


def test_without_an_uplink_there_is_nothing_to_echo() -> None:
    found = exchange(links(*LINKS[1:]) + GUEST)
    assert found.server == ON_HOST
    assert (found.echo, found.taught) == (None, None)


def test_with_several_ways_out_the_host_is_taken() -> None:
    second = link(6, "eth1", "0c:c4:7a:00:00:09", master="br0", port="")
    built = model(links(*LINKS, second) + GUEST)
    (station,) = built.network.stations
    assert server_place(built, station) == ON_HOST


def test_the_way_out_may_be_a_port_of_unknown_kind() -> None:
    built = model(brctl_show("trunk", "vnet0") + GUEST)
    (station,) = built.network.stations
    assert server_place(built, station) == Place(dev("trunk"), "in")


def test_isolated_from_the_way_out() -> None:
    cut = AT_HOME.replace("isolated off", "isolated on")
    assert set(lost(exchange(cut))) == {"DISCOVER", "OFFER", "REQUEST", "ACK"}


def test_a_waiting_port_takes_in_nothing() -> None:
    lines = [LINKS[0], LINKS[1], LINKS[2].replace("forwarding", "listening")]
    assert lost(exchange(links(*lines) + GUEST))["DISCOVER"] == "state-drop"


def test_of_a_flood_s_drops_that_towards_the_server_tells() -> None:
    """All ports are isolated: the copy for the other guest is not what is missed."""
    lines = [
        link(2, "eth0", "0c:c4:7a:00:00:01", master="br0", port="isolated on"),
        link(3, "br0", "0c:c4:7a:00:00:01", BRIDGE),
        link(4, "vnet0", TWIN0, TUN, master="br0", port="isolated on"),
        link(5, "vnet1", "fe:54:00:00:00:02", TUN, master="br0", port="isolated on"),
    ]
    loss = exchange(links(*lines) + GUEST).legs[0].lost
    assert loss is not None
    assert (loss.why.rule, loss.dev) == ("isolated", dev("eth0"))


def test_blind_is_neither_lost_nor_arrived() -> None:
    found = exchange(AT_HOME.replace("stp_state 0", "stp_state 0 vlan_filtering 1", 1))
    assert {leg.lost.fate for leg in found.legs if leg.lost} == {"blind"}


def test_a_ring_in_sight() -> None:
    tap = link(9, "vnet0", TWIN0, TUN, master="br0", port="")
    assert exchange(links(*RING, tap) + GUEST).ring is not None
    assert exchange(AWAY).ring is None


def test_the_kernel_decides_whether_a_pin_holds() -> None:
    pinned = AT_HOME.replace(
        f"{GUEST0} dev vnet0 master br0", f"{GUEST0} dev vnet0 master br0 sticky"
    )
    assert exchange(pinned + listing("uname -r", ["4.19.0"])).taught is not None


VLAN_ON_BOND = links(
    link(2, "eth0", "0c:c4:7a:00:00:0a", master="bond0"),
    link(3, "eth1", "0c:c4:7a:00:00:0a", master="bond0"),
    link(4, "bond0", "0c:c4:7a:00:00:0a", "bond mode active-backup"),
    link(
        5,
        "bond0.2222@bond0",
        "0c:c4:7a:00:00:0a",
        "vlan protocol 802.1Q id 2222 <REORDER_HDR>",
        master="br0",
        port="",
    ),
    link(6, "br0", "0c:c4:7a:00:00:0a", BRIDGE),
    link(7, "vnet0", TWIN0, TUN, master="br0", port=""),
)


def bonding(mode: str, active: str, *, up: str = "up") -> str:
    return listing(
        "cat /proc/net/bonding/bond0",
        [
            "Ethernet Channel Bonding Driver: v6.1.0",
            f"Bonding Mode: fault-tolerance ({mode})",
            f"Currently Active Slave: {active}",
            "Slave Interface: eth0",
            f"MII Status: {up}",
            "Slave Interface: eth1",
            f"MII Status: {up}",
        ],
    )


def test_over_a_vlan_device_and_a_bond_down_to_the_leg() -> None:
    text = (
        VLAN_ON_BOND
        + bonding("active-backup", "eth1")
        + GUEST
        + fdb(f"{GUEST0} dev vnet0 master br0")
    )
    found = exchange(text)
    assert found.first_lost is None
    discover, offer = found.legs[0].trace, found.legs[1].trace
    names = [hop.place.dev.name for hop in discover.path(found.legs[0].arrived)]
    assert names == ["vnet0", "bond0.2222", "bond0", "eth1"]
    names = [hop.place.dev.name for hop in offer.path(found.legs[1].arrived)]
    assert names == ["eth1", "bond0", "bond0.2222", "vnet0"]
    assert found.taught is not None
    assert found.taught.port == dev("bond0.2222")


def test_a_bond_without_a_link_loses_what_the_guest_asks() -> None:
    text = VLAN_ON_BOND + GUEST + bonding("active-backup", "None", up="down")
    lost = exchange(text).legs[0].lost
    assert lost is not None
    assert lost.why.rule == "bond-no-leg"
