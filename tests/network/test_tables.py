"""Whose table an entry belongs to, and by which port."""

from tests.build import (
    GUEST0,
    GUEST1,
    HYPERVISOR,
    TWIN0,
    brctl_show,
    bridge,
    dev,
    fdb,
    link,
    links,
    listing,
    network,
    report,
    showmacs,
)

HEAD = "port no\tmac addr\t\tis local?\tageing timer"


def entries(text: str) -> dict[str, list[tuple[str, str | None]]]:
    return {
        id_.name: [
            (f"{e.row.mac:012x}"[-2:], e.port.name if e.port else None)
            for look in view.listings
            for e in look.entries
        ]
        for id_, view in network(text).bridges.items()
    }


def test_entries_name_their_port() -> None:
    assert entries(HYPERVISOR + fdb(f"{GUEST0} dev vnet0 master br0")) == {"br0": [("01", "vnet0")]}


def test_the_bridge_device_s_own_entry_has_no_port() -> None:
    rows = fdb("0c:c4:7a:00:00:01 dev br0 master br0 permanent")
    assert entries(HYPERVISOR + rows) == {"br0": [("01", None)]}


def test_a_nic_s_filter_list_is_no_table() -> None:
    rows = fdb("33:33:00:00:00:01 dev eth0 self permanent")
    assert entries(HYPERVISOR + rows) == {"br0": []}


def test_old_tools_do_not_name_the_bridge_the_port_tells() -> None:
    two = brctl_show("eth0", "vnet0") + brctl_show("eth7", "vnet7", bridge="br7")
    rows = listing("bridge fdb show", [f"{GUEST0} dev vnet0 ", f"{GUEST1} dev vnet7 "])
    assert entries(two + rows) == {"br0": [("01", "vnet0")], "br7": [("02", "vnet7")]}


def test_a_numbered_table_belongs_to_the_bridge_of_its_port_addresses() -> None:
    two = links(
        link(3, "br0", "02:00:00:00:0a:01", "bridge stp_state 0"),
        link(4, "vnet0", TWIN0, "tun", master="br0", port=""),
        link(5, "br7", "02:00:00:00:0b:01", "bridge stp_state 0"),
        link(6, "vnet7", "fe:54:00:00:00:07", "tun", master="br7", port=""),
    )
    pasted = f"{HEAD}\n  1\tfe:54:00:00:00:07\tyes\t\t   0.00\n  1\t{GUEST1}\tno\t\t   1.00\n"
    assert entries(two + "kvm1# \n" + pasted) == {
        "br0": [],
        "br7": [("07", "vnet7"), ("02", "vnet7")],
    }


def test_a_numbered_table_of_one_of_two_bridges_that_nothing_tells_is_let_go() -> None:
    text = brctl_show("eth0") + brctl_show("eth7", bridge="br7")
    text += f"kvm1# \n{HEAD}\n  1\t{GUEST1}\tno\t\t   1.00\n"
    assert entries(text) == {"br0": [], "br7": []}
    given = report(text)
    assert given.verdict == "undecided"
    assert any("which bridge's" in gap.reason for gap in given.gaps)


def test_with_one_bridge_there_is_no_doubt() -> None:
    text = brctl_show("eth0") + f"kvm1# \n{HEAD}\n  1\t{GUEST1}\tno\t\t   1.00\n"
    assert entries(text) == {"br0": [("02", "eth0")]}


def test_one_bridge_here_says_nothing_of_a_table_in_another_namespace() -> None:
    text = brctl_show("eth0") + listing("ip netns exec red bridge fdb show", [f"{GUEST1} dev v9 "])
    assert bridge(text).listings == ()


def test_each_look_is_a_listing_of_its_own() -> None:
    view = bridge(HYPERVISOR + fdb(f"{GUEST0} dev vnet0 master br0") * 2)
    assert [len(look.entries) for look in view.listings] == [1, 1]
    assert view.listings[0].source < view.listings[1].source


def test_a_bridge_that_only_its_table_shows() -> None:
    view = bridge(showmacs(f"3 {GUEST0} no 1.00"))
    port = view.ports[dev("port 3")]
    assert (port.named, port.role) == (False, "unknown")
    assert port.number is not None
    assert (port.number.value, port.number.strength) == (3, "certain")
