"""duplicate-mac: two real stations use one MAC."""

import pytest

from tests.build import (
    BRIDGE,
    GUEST0,
    HYPERVISOR,
    TUN,
    VETH,
    checks,
    domiflist,
    fdb,
    link,
    links,
    of,
    only,
    report,
)

NAME = "duplicate-mac"
MAC = "52:54:00:00:00:31"


def machine(host: str, mac: str = MAC) -> str:
    return links(link(2, "eth0", mac), host=host)


def silent(text: str) -> bool:
    return not of(report(text), NAME)


def test_two_guests_of_one_host() -> None:
    text = HYPERVISOR + domiflist(f"vnet0 br0 {MAC}") + domiflist(f"vnet1 br0 {MAC}", guest="web2")
    given = report(text)
    finding = only(given, NAME)
    assert (finding.group, finding.severity, finding.subject) == ("other-fault", "error", MAC)
    assert finding.details["holders"] == ["web1 on vnet0", "web2 on vnet1"]
    assert given.verdict == "clear"
    assert given.sentence == finding.summary


def test_guests_without_a_name_are_not_called_by_the_mac() -> None:
    nics = "".join(
        f"<interface type='bridge'><mac address='{MAC}'/><source bridge='br0'/>"
        f"<target dev='{tap}'/></interface>\n"
        for tap in ("vnet0", "vnet1")
    )
    finding = only(report(HYPERVISOR + "kvm1# cat nics.xml\n" + nics), NAME)
    assert finding.details["holders"] == ["a guest on vnet0", "a guest on vnet1"]


def test_two_machines() -> None:
    finding = only(report(machine("web1") + machine("web2")), NAME)
    assert finding.details["holders"] == ["eth0 of web1", "eth0 of web2"]


def test_a_guest_and_a_machine_that_is_not_its_inside() -> None:
    text = HYPERVISOR + domiflist(f"vnet0 br0 {MAC}") + machine("web1") + machine("desk")
    assert only(report(text), NAME).details["holders"] == ["web1 on vnet0", "eth0 of desk"]


def test_a_guest_seen_from_outside_and_from_inside_is_one_station() -> None:
    assert silent(HYPERVISOR + domiflist(f"vnet0 br0 {MAC}") + machine("web1"))


SHARING = [
    (link(2, "eth0", MAC), link(3, "eth0.7@eth0", MAC, "vlan protocol 802.1Q id 7")),
    (link(2, "eth0", MAC, master="br0"), link(3, "br0", MAC, BRIDGE)),
    (
        link(2, "eth0", MAC, master="bond0"),
        link(3, "eth1", MAC, master="bond0"),
        link(4, "bond0", MAC, "bond mode 802.3ad"),
    ),
    (link(2, "eth0", MAC), link(3, "mv0@eth0", MAC, "macvlan mode bridge")),
]


@pytest.mark.parametrize("lines", SHARING, ids=["vlan", "bridge", "bond", "macvlan"])
def test_devices_of_one_host_that_share_by_design(lines: tuple[str, ...]) -> None:
    assert silent(links(*lines))


@pytest.mark.parametrize(
    "mac",
    [
        "02:42:ac:11:00:02",
        "00:00:5e:00:01:0a",
        "00:00:5e:00:02:0a",
        "ee:ee:ee:ee:ee:ee",
        "fe:ff:ff:ff:ff:ff",
        "00:00:00:00:00:00",
    ],
    ids=["docker", "VRRP", "VRRP over IPv6", "Calico", "Xen", "none"],
)
def test_addresses_that_hosts_share_by_design(mac: str) -> None:
    assert silent(machine("web1", mac) + machine("web2", mac))


def test_taps_of_two_hosts_bear_one_address_and_send_nothing() -> None:
    tap = link(4, "vnet0", "fe:54:00:00:00:01", TUN)
    assert silent(links(tap, host="kvm1") + links(tap, host="kvm2"))


def test_ends_of_veth_pairs_in_namespaces_are_nobody_s_machine() -> None:
    inside = link(2, "eth0@if7", MAC, VETH)
    assert silent(links(inside, netns="blue") + links(inside, netns="red"))


def test_a_duplicate_explains_the_symptoms_of_its_own_address_only() -> None:
    """An unrelated clone must not clear a misplaced guest."""
    misplaced = fdb(f"{GUEST0} dev vnet1 master br0")
    given = report(HYPERVISOR + misplaced + machine("web1") + machine("web2"))
    assert checks(given) == {"fdb-misplaced", NAME}
    assert given.verdict == "undecided"
