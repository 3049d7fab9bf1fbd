"""The verdict: what decides, what forbids ``clear``, and what is said first."""

import pytest

from tests.build import (
    GUEST0,
    HYPERVISOR,
    LINKS,
    TWIN0,
    brctl_show,
    checks,
    dmesg,
    domiflist,
    fdb,
    link,
    links,
    listing,
    only,
    own_address,
    report,
)

AT_HOME = (f"{GUEST0} dev vnet0 used 1/1 master br0", f"{TWIN0} dev vnet0 master br0 permanent")
AWAY = (f"{GUEST0} dev eth0 used 1/1 master br0", AT_HOME[1])
HEALTHY = HYPERVISOR + fdb(*AT_HOME)
DOWN = link(9, "vnet9", "fe:54:00:00:00:09", master="br0", port="", flags="BROADCAST")


def test_what_was_given_is_all_well() -> None:
    given = report(HEALTHY)
    assert given.verdict == "clear"
    assert checks(given) == {"healthy"}
    assert (given.gaps, given.next) == ((), ())


def test_flags_alone_show_that_nothing_comes_back() -> None:
    assert report(HYPERVISOR).verdict == "clear"


def test_another_fault_explains_the_trouble() -> None:
    given = report(HEALTHY + links(DOWN))
    assert given.verdict == "clear"
    assert given.sentence == only(given, "wiring-broken").summary


def test_a_likely_cause_wins_over_everything_left_open() -> None:
    given = report(HYPERVISOR + fdb(*AWAY) + listing("mpls-tool show", ["12: x y z"]))
    assert given.verdict == "comes-back"


def gap(text: str) -> str:
    given = report(text)
    assert given.verdict == "undecided"
    assert given.sentence.startswith("Not decided: ")
    assert "healthy" not in checks(given)
    return given.gaps[0].reason


def test_a_filtered_table_forbids_clear() -> None:
    text = HYPERVISOR + fdb(*AT_HOME).replace("br br0", "br br0 | grep 52:54")
    assert "does not show the whole table" in gap(text)


def test_a_listing_that_was_not_read_forbids_clear() -> None:
    assert "is not evaluated" in gap(HEALTHY + listing("ovs-vsctl show", ["    Bridge br-int"]))


@pytest.mark.parametrize(
    ("setting", "what"), [("vlan_filtering 1", "filters VLANs"), ("mcast_querier 1", "a querier")]
)
def test_a_setting_that_is_not_evaluated_forbids_clear(setting: str, what: str) -> None:
    assert what in gap(HEALTHY.replace("stp_state 0", f"stp_state 0 {setting}"))


def guarded(rule: str) -> str:
    lines = [
        "table bridge guard {",
        "\tchain forward {",
        "\t\ttype filter hook forward priority 0; policy accept;",
        f"\t\t{rule}",
        "\t}",
        "}",
    ]
    return HEALTHY + listing("nft list ruleset", lines)


def test_a_packet_filter_forbids_clear_where_a_rule_is_not_understood() -> None:
    assert "is not evaluated" in gap(guarded('oifname "vnet0" osf name "Linux" drop'))
    assert report(guarded('oifname "vnet0" drop')).verdict == "clear"


def test_a_failed_duplicate_detection_without_a_cause_forbids_clear() -> None:
    failed = dmesg("IPv6: eth0: IPv6 duplicate address fe80::1 used by 02:00:00:00:00:31 detected!")
    given = report(HEALTHY + failed.replace("kvm1#", "web9#"))
    assert given.verdict == "undecided"
    assert "failed duplicate detection for fe80::1" in given.sentence
    assert "healthy" not in checks(given)


def test_an_open_symptom_forbids_clear() -> None:
    elsewhere = fdb(f"{GUEST0} dev vnet1 used 1/1 master br0", AT_HOME[1])
    given = report(HYPERVISOR + elsewhere)
    assert given.verdict == "undecided"
    assert any("bridge -t monitor fdb" in step.command for step in given.next)


def test_hairpin_that_harms_nobody_forbids_clear() -> None:
    given = report(links(*(line.replace("hairpin off", "hairpin on") for line in LINKS[1:3])))
    assert checks(given) == {"hairpin-reflection"}
    assert given.verdict == "undecided"


def test_a_possible_cause_decides_nothing() -> None:
    old = fdb(AWAY[0].replace("1/1", "99/99"), AWAY[1])
    assert report(HYPERVISOR + old).verdict == "undecided"


@pytest.mark.parametrize(
    "text",
    [
        brctl_show("eth0", "vnet0"),
        brctl_show("eth0", "vnet0") + domiflist(f"vnet0 br0 {GUEST0}"),
        links(*(line.split("    bridge_slave")[0] for line in LINKS)),
        brctl_show("eth0", "vnet0") + fdb("33:33:00:00:00:01 dev eth0 self permanent"),
    ],
    ids=["brctl show", "and libvirt", "ip link without flags", "a NIC's filter list"],
)
def test_wiring_alone_decides_nothing(text: str) -> None:
    given = report(text)
    assert given.verdict == "undecided"
    assert "how it is wired" in given.sentence


@pytest.mark.parametrize("text", ["", "The net is slow since Monday.\n", "kvm1# uptime\n up\n"])
def test_nothing_to_go_by(text: str) -> None:
    given = report(text)
    assert given.verdict == "undecided"
    assert "healthy" not in checks(given)


@pytest.mark.parametrize(
    ("command", "line", "said"),
    [
        (
            "tcpdump -n -i eth0",
            "10:00:00.000001 IP 192.0.2.1 > 192.0.2.2: ICMP echo request, id 1, seq 1, length 64",
            "shows packets, and not by which ports they go",
        ),
        (
            "bridge monitor fdb",
            f"{GUEST0} dev vnet0 master br0",
            "shows no address that was learned there and back",
        ),
        ("ping -c 1 192.0.2.1", "PING 192.0.2.1 (192.0.2.1) 56(84) bytes of data.", "no bridge"),
    ],
)
def test_what_was_shown_is_not_denied(command: str, line: str, said: str) -> None:
    given = report(listing(command, [line]))
    assert given.verdict == "undecided"
    assert said in given.sentence
    assert given.next


def test_the_worst_is_said_first_and_what_it_explains_after() -> None:
    echo = dmesg(own_address("eth0", "0c:c4:7a:00:00:01"))
    given = report(HYPERVISOR + fdb(*AWAY) + echo + links(DOWN))
    assert [f.check for f in given.findings] == [
        "uplink-echo",
        "fdb-misplaced",
        "own-source",
        "wiring-broken",
    ]


def test_steps_are_few_and_none_twice() -> None:
    taps = [
        link(20 + i, f"vnet{20 + i}", f"fe:54:00:00:01:{i:02x}", "tun", master="br0", port="")
        for i in range(20)
    ]
    rows = [f"52:54:00:00:01:{i:02x} dev vnet0 master br0" for i in range(20)]
    given = report(HYPERVISOR + links(*taps) + fdb(*rows))
    assert len(given.findings) >= 20
    assert len(set(given.next)) == len(given.next) == 8


def test_hosts_keep_their_findings_apart() -> None:
    other = links(*LINKS, host="kvm2") + fdb(*AT_HOME, host="kvm2")
    given = report(HYPERVISOR + fdb(*AWAY) + other.replace("52:54", "52:55"))
    assert {f.host for f in given.findings if f.check == "fdb-misplaced"} == {"kvm1"}
    assert given.hosts == ("kvm1", "kvm2")


FILTERED = fdb(*AT_HOME).replace("br br0", "br br0 | grep 52:54")


def test_a_filtered_look_takes_nothing_from_a_whole_one() -> None:
    assert report(HEALTHY + FILTERED).verdict == "clear"


def test_a_whole_look_in_one_namespace_covers_no_other() -> None:
    red = FILTERED.replace("kvm1# ", "kvm1# ip netns exec red ")
    assert "does not show the whole table" in gap(HEALTHY + red)
