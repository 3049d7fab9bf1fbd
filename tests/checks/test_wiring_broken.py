"""wiring-broken: a guest is not plugged in, or its bridge leads nowhere."""

from tests.build import (
    GUEST0,
    GUEST1,
    HYPERVISOR,
    LINKS,
    TUN,
    brctl_show,
    domiflist,
    link,
    links,
    of,
    only,
    report,
)

NAME = "wiring-broken"
PLUGGED = domiflist(f"vnet0 br0 {GUEST0}")
DOWN = "BROADCAST,MULTICAST"
NO_CARRIER = "NO-CARRIER,BROADCAST,MULTICAST,UP"


def kind(text: str) -> tuple[str, str]:
    finding = only(report(text), NAME)
    return finding.subject, finding.details["kind"]


def test_all_in_place() -> None:
    assert not of(report(HYPERVISOR + PLUGGED), NAME)


def test_a_tap_that_is_a_port_of_no_bridge() -> None:
    loose = link(4, "vnet0", "fe:54:00:00:00:01", TUN)
    given = report(links(*LINKS[:2], loose) + PLUGGED)
    finding = only(given, NAME)
    assert (finding.group, finding.severity) == ("other-fault", "warning")
    assert (finding.subject, finding.details["kind"]) == ("vnet0", "not-enslaved")
    assert given.verdict == "clear"


def test_a_tap_that_the_whole_list_of_ports_lacks() -> None:
    assert kind(HYPERVISOR + domiflist(f"vnet7 br0 {GUEST0}")) == ("vnet7", "not-enslaved")


def test_a_list_of_ports_that_is_not_whole_lacks_nothing() -> None:
    cut = brctl_show("eth0", "vnet1").replace("brctl show", "brctl show | grep -A1 br0")
    assert not of(report(cut + PLUGGED), NAME)


def test_a_tap_on_another_bridge() -> None:
    given = HYPERVISOR + domiflist(f"vnet0 br7 {GUEST0}")
    assert kind(given) == ("vnet0", "other-bridge")


def test_a_port_that_is_down() -> None:
    down = link(2, "eth0", "0c:c4:7a:00:00:01", master="br0", port="", flags=DOWN)
    assert kind(links(down, *LINKS[1:])) == ("eth0", "down")


def test_a_way_out_without_carrier() -> None:
    dark = link(2, "eth0", "0c:c4:7a:00:00:01", master="br0", port="", flags=NO_CARRIER)
    assert kind(links(dark, *LINKS[1:])) == ("eth0", "no-carrier")


def test_a_guest_that_is_switched_off_has_no_carrier_either() -> None:
    dark = link(4, "vnet0", "fe:54:00:00:00:01", TUN, master="br0", port="", flags=NO_CARRIER)
    assert not of(report(links(*LINKS[:2], dark)), NAME)


def test_an_isolated_network_needs_no_way_out() -> None:
    assert not of(report(links(*LINKS[1:])), NAME)


def test_a_bridge_of_neutron_s_always_has_a_way_out() -> None:
    lines = [line.replace("br0", "brq5dddda71-76") for line in LINKS[1:]]
    assert kind(links(*lines)) == ("brq5dddda71-76", "no-uplink")
    assert not of(report(links(LINKS[0].replace("br0", "brq5dddda71-76"), *lines)), NAME)


def test_open_vswitch_has_ports_that_no_bridge_lists() -> None:
    slave = TUN + "\n    openvswitch_slave"
    text = links(
        link(3, "ovs-system", "0a:00:00:00:00:01", "openvswitch"),
        link(4, "br-int", "0a:00:00:00:00:02", "openvswitch"),
        link(5, "vnet0", "fe:54:00:00:00:01", slave, master="ovs-system"),
    )
    assert not of(report(text + domiflist(f"vnet0 br-int {GUEST1}")), NAME)


def test_a_loose_tap_needs_no_whole_list_of_ports() -> None:
    cut = brctl_show("eth0", "vnet1").replace("brctl show", "brctl show | grep -A1 br0")
    loose = links(link(4, "vnet0", "fe:54:00:00:00:01", TUN)).replace("show", "show dev vnet0")
    assert kind(cut + loose + PLUGGED) == ("vnet0", "not-enslaved")
    taken = loose.replace(" state UP", " master vrf9 state UP")
    assert not of(report(cut + taken + PLUGGED), NAME)
