"""Who lives behind which port."""

from tests.build import (
    BRIDGE,
    GUEST0,
    GUEST1,
    HYPERVISOR,
    RING,
    TWIN0,
    VETH,
    brctl_show,
    dev,
    domiflist,
    fdb,
    link,
    links,
    network,
    showmacs,
)


def stations(text: str) -> set[tuple[str, str]]:
    return {(f"{s.mac:012x}", s.port.name) for s in network(text).stations}


MAC0 = GUEST0.replace(":", "")


def test_libvirt_defines_it() -> None:
    (station,) = network(HYPERVISOR + domiflist(f"vnet0 br0 {GUEST0}")).stations
    assert (station.name, station.port, station.bridge) == ("web1", dev("vnet0"), dev("br0"))
    assert station.how == ("the guest's definition puts it there",)


def test_a_definition_whose_tap_is_on_no_bridge_places_nobody() -> None:
    assert stations(HYPERVISOR + domiflist(f"vnet9 br0 {GUEST0}")) == set()


def test_the_tap_s_address_is_the_guest_s_twin() -> None:
    assert stations(HYPERVISOR + fdb(f"{GUEST0} dev eth0 master br0")) == {(MAC0, "vnet0")}


def test_the_twin_may_be_known_from_the_table_alone() -> None:
    rows = fdb(f"{GUEST0} dev eth0 master br0", f"{TWIN0} dev vnet0 master br0 permanent")
    assert stations(rows) == {(MAC0, "vnet0")}


def test_a_numbered_port_s_twin() -> None:
    text = brctl_show("eth0", "vnet0") + showmacs(f"2 {TWIN0} yes 0.00", f"1 {GUEST0} no 1.00")
    ((mac, port),) = stations(text)
    assert mac == MAC0
    assert port in ("vnet0", "port 2")


def test_a_guest_that_starts_with_fe_has_a_tap_that_starts_with_fa() -> None:
    rows = fdb(
        "fe:54:00:00:00:31 dev eth0 master br0", "fa:54:00:00:00:31 dev vnet7 master br0 permanent"
    )
    assert stations(rows) == {("fe5400000031", "vnet7")}


def test_a_tap_that_nobody_spoke_through_has_no_known_station() -> None:
    assert stations(HYPERVISOR + fdb(f"{TWIN0} dev vnet0 master br0 permanent")) == set()


def test_two_ways_of_knowing_make_one_station() -> None:
    text = HYPERVISOR + domiflist(f"vnet0 br0 {GUEST0}") + fdb(f"{GUEST0} dev vnet0 master br0")
    (station,) = network(text).stations
    assert len(station.how) == 2
    assert len(station.refs) == 2


def test_the_far_end_of_a_veth_in_another_namespace() -> None:
    text = links(
        link(3, "br0", "02:00:00:00:0a:01", BRIDGE),
        link(
            4,
            "lxc1@if2",
            "02:00:00:00:0a:02",
            VETH,
            master="br0",
            port="",
            extra=" link-netns pod1",
        ),
    ) + links(link(2, "eth0@if4", GUEST1, VETH, extra=" link-netnsid 0"), netns="pod1")
    (station,) = network(text).stations
    assert (station.port, station.device) == (dev("lxc1"), dev("eth0", netns="pod1"))


def test_a_veth_between_two_bridges_has_no_station() -> None:
    assert stations(links(*RING)) == set()


def test_each_host_has_its_own() -> None:
    other = HYPERVISOR.replace("kvm1", "kvm2") + fdb(f"{GUEST0} dev vnet0 master br0", host="kvm2")
    found = network(HYPERVISOR + fdb(f"{GUEST1} dev vnet1 master br0") + other).stations
    assert {(s.port.host, s.port.name) for s in found} == {("kvm1", "vnet1"), ("kvm2", "vnet0")}
