"""Which device is port 6, and how surely."""

from hopback.network.model import PortNumber
from tests.build import (
    GUEST0,
    TWIN0,
    TWIN1,
    brctl_show,
    bridge,
    dmesg,
    domiflist,
    link,
    links,
    listing,
    showmacs,
)

WIRED = brctl_show("eth0", "vnet0", "vnet1")
EMPTY = showmacs("9 02:00:00:00:00:99 no 1.00")


def number(text: str, port: str) -> PortNumber | None:
    found = bridge(text).port(port)
    return found.number if found else None


def told(text: str, port: str) -> tuple[int, str] | None:
    found = number(text, port)
    return (found.value, found.strength) if found else None


def test_sysfs_is_certain() -> None:
    text = WIRED + listing("cat /sys/class/net/vnet0/brport/port_no", ["0x6"])
    assert told(text, "vnet0") == (6, "certain")


def test_showstp_is_certain() -> None:
    stp = ["br0", " bridge id\t\t8000.0cc47a000001", "", "vnet0 (6)", " port id\t\t8006", ""]
    assert told(WIRED + listing("brctl showstp br0", stp), "vnet0") == (6, "certain")


def test_the_device_s_own_address_in_the_table_is_certain() -> None:
    text = WIRED + links(link(4, "vnet0", TWIN0, "tun")) + showmacs(f"6 {TWIN0} yes 0.00")
    found = number(text, "vnet0")
    assert found is not None
    assert (found.value, found.strength) == (6, "certain")
    assert len(found.refs) == 2, "the entry and the device's address"


def test_libvirt_s_guest_address_tells_the_tap_s() -> None:
    text = WIRED + domiflist(f"vnet0 br0 {GUEST0}") + showmacs(f"6 {TWIN0} yes 0.00")
    assert told(text, "vnet0") == (6, "certain")


def test_an_address_that_two_ports_share_tells_neither() -> None:
    same = links(link(4, "vnet0", TWIN0, "tun"), link(5, "vnet1", TWIN0, "tun"))
    text = WIRED + same + showmacs(f"6 {TWIN0} yes 0.00")
    assert number(text, "vnet0") is None
    assert number(text, "vnet1") is None


def test_an_entry_that_is_not_local_tells_nothing_of_the_port() -> None:
    text = WIRED + links(link(4, "vnet0", TWIN0, "tun")) + showmacs(f"6 {TWIN0} no 0.00")
    assert number(text, "vnet0") is None


def test_the_log_makes_it_likely() -> None:
    assert told(WIRED + dmesg("br0: port 6(vnet0) entered blocking state"), "vnet0") == (
        6,
        "likely",
    )


def test_a_number_that_was_given_again_belongs_to_the_later_port() -> None:
    text = WIRED + dmesg(
        "br0: port 6(vnet0) entered disabled state", "br0: port 6(vnet1) entered blocking state"
    )
    assert number(text, "vnet0") is None
    assert told(text, "vnet1") == (6, "likely")


def test_an_old_log_does_not_outvote_a_listing() -> None:
    sysfs = listing("cat /sys/class/net/eth0/brport/port_no", ["0x1"])
    text = WIRED + sysfs + dmesg("br0: port 1(vnet1) entered forwarding state")
    assert told(text, "eth0") == (1, "certain")
    assert number(text, "vnet1") is None


def test_another_bridge_s_log_does_not_number_this_one_s_ports() -> None:
    assert number(WIRED + dmesg("br7: port 6(vnet0) entered blocking state"), "vnet0") is None


def test_what_is_left_over_is_likely() -> None:
    rows = showmacs(f"2 {TWIN0} yes 0.00", f"3 {TWIN1} yes 0.00", "1 02:00:00:00:00:99 no 1.00")
    taps = links(link(4, "vnet0", TWIN0, "tun"), link(5, "vnet1", TWIN1, "tun"))
    found = number(WIRED + taps + rows, "eth0")
    assert found is not None
    assert (found.value, found.strength) == (1, "likely")
    assert found.how == "the only number and the only port left"


def test_nothing_is_left_over_where_not_all_ports_are_listed() -> None:
    assert (
        number(domiflist(f"vnet0 br0 {GUEST0}") + showmacs(f"1 {GUEST0} no 1.00"), "vnet0") is None
    )


def test_the_only_way_out_was_enslaved_first() -> None:
    found = number(WIRED + showmacs("1 02:00:00:00:00:99 no 1.00"), "eth0")
    assert found is not None
    assert (found.value, found.strength) == (1, "likely")


def test_two_ways_out_cannot_both_have_been_first() -> None:
    text = brctl_show("eth0", "eth1", "vnet0") + showmacs("1 02:00:00:00:00:99 no 1.00")
    assert number(text, "eth0") is None
    assert number(text, "eth1") is None


def test_unknown_stays_unknown() -> None:
    view = bridge(WIRED + EMPTY)
    assert all(port.number is None for port in view.ports.values() if port.named)
    nameless = view.port("port 9")
    assert nameless is not None
    assert nameless.named is False
