"""Listings become bridge states: flags, tables, what blinds, and which kernel it is."""

import pytest

from hopback.datapath.bridge.state import BridgeState
from hopback.datapath.kernel import CURRENT, behaviour_of
from hopback.frames.mac import parse_mac
from tests.build import (
    GUEST0,
    GUEST1,
    HYPERVISOR,
    LINKS,
    TWIN0,
    brctl_show,
    dev,
    fdb,
    links,
    listing,
    model,
)

M0, M1 = parse_mac(GUEST0), parse_mac(GUEST1)


def state(text: str) -> BridgeState:
    return model(text).bridges[dev("br0")]


def where(text: str, mac: str = GUEST0) -> str | None:
    entry = state(text).fdb.get((parse_mac(mac), 0))
    return entry.port.name if entry and entry.port else None


def test_flags_and_their_citations() -> None:
    text = links(LINKS[1], LINKS[2].replace("hairpin off", "hairpin on"))
    port = state(text).ports[dev("vnet0")]
    assert port.hairpin is True
    assert port.why("hairpin") != ()
    assert port.mac == parse_mac(TWIN0)


def test_own_addresses_are_local_entries() -> None:
    found = state(HYPERVISOR)
    assert found.fdb[parse_mac(TWIN0), 0].local
    assert found.fdb[parse_mac(TWIN0), 0].port == dev("vnet0")
    assert found.mac == parse_mac("0c:c4:7a:00:00:01")


def test_the_last_whole_listing_replaces_what_came_before() -> None:
    first = fdb(f"{GUEST0} dev vnet0 master br0")
    second = fdb(f"{GUEST1} dev vnet1 master br0")
    found = state(HYPERVISOR + first + second)
    assert ((M0, 0) in found.fdb, (M1, 0) in found.fdb) == (False, True)
    assert found.table_complete


def test_a_filtered_listing_adds_to_what_came_before() -> None:
    grep = fdb(f"{GUEST0} dev eth0 master br0").replace("br br0", "br br0 | grep :01")
    text = HYPERVISOR + fdb(f"{GUEST0} dev vnet0 master br0", f"{GUEST1} dev vnet1 master br0")
    assert (where(text + grep), where(text + grep, GUEST1)) == ("eth0", "vnet1")
    assert not state(HYPERVISOR + grep).table_complete
    assert state(text + grep).table_complete


def test_entries_of_a_vlan_are_not_looked_up() -> None:
    rows = fdb(f"{GUEST0} dev eth0 vlan 1 master br0 static", f"{GUEST0} dev vnet0 master br0")
    assert where(HYPERVISOR + rows) == "vnet0"


def test_sticky_entries() -> None:
    pinned = state(HYPERVISOR + fdb(f"{GUEST0} dev vnet0 master br0 sticky static"))
    assert pinned.fdb[M0, 0].sticky


@pytest.mark.parametrize(("release", "found"), [("4.9.0", None), ("4.14.0", "eth0")])
def test_old_kernels_do_not_find_an_entry_past_its_time(release: str, found: str | None) -> None:
    text = HYPERVISOR + fdb(f"{GUEST0} dev eth0 used 400/301 master br0")
    assert where(text + listing("uname -r", [release])) == found


def test_an_entry_that_does_not_age_is_found_by_old_kernels_too() -> None:
    text = HYPERVISOR + fdb(f"{GUEST0} dev eth0 used 400/400 master br0 static")
    assert where(text + listing("uname -r", ["3.10.0-1160.el7.x86_64"])) == "eth0"


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (("stp_state 0", "stp_state 0 vlan_filtering 1"), "VLAN filtering, and no listing"),
        (("eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500", "eth0: <UP> mtu 1500 xdp"), None),
    ],
    ids=["VLAN filtering", "XDP"],
)
def test_what_cannot_be_evaluated_blinds(changed: tuple[str, str], what: str | None) -> None:
    blind = state(HYPERVISOR.replace(*changed, 1)).blind
    assert blind is not None
    assert what is None or blind[0].startswith(what)
    assert blind[1] != ()


def test_a_program_elsewhere_does_not_blind_this_bridge() -> None:
    text = HYPERVISOR + links("9: eth9: <UP> mtu 1500 xdp qdisc mq state UP mode DEFAULT")
    assert state(text).blind is None


def test_flags_that_nobody_listed_are_a_question() -> None:
    assert state(HYPERVISOR).question is None
    assert state(brctl_show("eth0", "vnet0")).question is not None


def test_ageing_time_zero_never_learns() -> None:
    assert state(HYPERVISOR).learns
    assert not state(HYPERVISOR.replace("ageing_time 30000", "ageing_time 0")).learns


FLAGS_BY_AGE = (
    ("6.18", {"tunnel_nesting"}),
    ("6.16", {"multipath_by_source"}),
    ("6.15", {"rules_name_vrfs"}),
    ("6.14", {"unicast_question_passes", "tunnels_forget_ipvs"}),
    ("6.2", {"mab"}),
    ("5.18", {"locked"}),
    ("5.15", {"bond_l2_hostorder", "bond_halves_l34_alone"}),
    ("5.9", {"ipvs_leaves_weightless"}),
    ("5.7", {"wireguard_nests"}),
    ("5.5", {"bond_hashes_icmp"}),
    ("5.0", {"bond_link_local_on_leg"}),
    ("4.20", {"sticky"}),
    ("4.19", {"backup_port"}),
    ("4.18", {"isolated"}),
    ("4.15", {"port_group_fwd_mask", "logs_name_mac"}),
    ("4.14", {"dad_all"}),
    ("4.12", {"bcast_flood"}),
    ("4.10", {"enhanced_dad", "ipvs_ttl"}),
    ("4.9", {"lldp_forwardable", "bond_halves_hash"}),
    ("4.3", {"ipvs_ignore_tunneled", "ipvs_schedule_icmp"}),
    ("4.1", {"ipvs_conn_reuse"}),
    ("3.12", {"nd_snooped"}),
    ("3.11", {"mcast_needs_querier"}),
    ("3.9", {"ipvs_backup_only"}),
)
"""What came with which kernel, the newest first."""


@pytest.mark.parametrize(
    ("release", "newer"),
    [
        ("6.1.0-18-amd64", 5),
        ("5.18.0", 5),
        ("5.15.0-91-generic", 6),
        ("5.4.0-190-generic", 10),
        ("4.19.0-26-amd64", 12),
        ("4.15.0-213-generic", 14),
        ("4.9.0-19-amd64", 18),
        ("3.10.0-1160.el7.x86_64", 23),
        ("3.8.0-44-generic", 24),
    ],
)
def test_what_a_kernel_lacks(release: str, newer: int) -> None:
    found = behaviour_of(release)
    lacks = set().union(*(came for _, came in FLAGS_BY_AGE[:newer]))
    flags = set(found.__struct_fields__) - {"lookup_checks_age"}
    assert {name for name in flags if not getattr(found, name)} == lacks


@pytest.mark.parametrize(
    ("flag", "first"),
    [
        ("lldp_forwardable", "4.9"),
        ("bcast_flood", "4.12"),
        ("port_group_fwd_mask", "4.15"),
        ("isolated", "4.18"),
        ("sticky", "4.20"),
        ("locked", "5.18"),
    ],
)
def test_the_first_kernel_that_has_it(flag: str, first: str) -> None:
    major, minor = first.split(".")
    assert getattr(behaviour_of(first), flag) is True
    assert getattr(behaviour_of(f"{major}.{int(minor) - 1}.99"), flag) is False


@pytest.mark.parametrize("release", [None, "", "unknown", "linux"])
def test_an_unknown_kernel_is_taken_to_be_a_current_one(release: str | None) -> None:
    assert behaviour_of(release) == CURRENT


@pytest.mark.parametrize(("said", "tag"), [("802.1Q", 0x8100), ("802.1ad", 0x88A8)])
def test_the_tags_that_a_bridge_looks_at(said: str, tag: int) -> None:
    text = HYPERVISOR.replace("stp_state 0", f"stp_state 0 vlan_filtering 1 vlan_protocol {said}")
    assert state(text).vlan_protocol == tag
