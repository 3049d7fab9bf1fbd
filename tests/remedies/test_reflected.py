"""Remedies for a reflection: proved both ways, or rejected by what they break."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from hopback.checks.diagnose import diagnose
from hopback.findings import Fix, Report
from hopback.frames.mac import parse_mac
from hopback.remedies import alternatives, hairpin_off, port_filter, port_filter_nwfilter
from hopback.remedies.attach import with_remedies
from hopback.remedies.reflected import BY_NAME, OFFERED
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Add, Edit, patch
from hopback.snapshot.rows import Field, FilterChain, FilterRule, Match, Nat, Opaque, Step, Sysctl
from hopback.snapshot.table import Cite, Extent, Rows
from tests.build import (
    BRIDGE,
    GUEST0,
    GUEST1,
    LINKS,
    TUN,
    VETH,
    dmesg,
    domiflist,
    link,
    links,
    listing,
    pasted,
)

TAP = link(4, "vnet0", "fe:54:00:00:00:01", TUN, master="br0", port="hairpin on")
GUESTS = domiflist(f"vnet0 br0 {GUEST0}", f"vnet1 br0 {GUEST1}")
FAILED = f"IPv6: ens3: IPv6 duplicate address fe80::5054:ff:fe00:1 used by {GUEST0} detected!"
HOST = links(*LINKS[:2], TAP, LINKS[3]) + GUESTS + dmesg(FAILED, host="web1")
OFF = listing(
    "sysctl -a", [f"net.bridge.bridge-nf-call-{t} = 0" for t in ("iptables", "ip6tables")]
)
FLOWS = ("neighbour discovery and ARP both ways", "detection of true duplicates", "DHCP both ways")
GUEST_IP = "192.0.2.7"
NEIGHBOUR = listing("ip neigh show", [f"{GUEST_IP} dev br0 lladdr {GUEST0} REACHABLE"])


def treated(snapshots: Sequence[Snapshot]) -> Report:
    return with_remedies(snapshots, diagnose(snapshots))


def fixes_of(report: Report) -> dict[str, Fix]:
    return {fix.name: fix for finding in report.findings for fix in finding.fixes}


def fixes(text: str, *edits: Edit) -> dict[str, Fix]:
    """The fixes for a paste, its first host changed."""
    first, *others = pasted(text)
    return fixes_of(treated([patch(first, edits), *others]))


def dnat(to: str | None = GUEST_IP, *, step: Step | None = None) -> list[Edit]:
    """A rule that gives packets the address ``to``; the table was listed whole."""
    cite = Cite(0, 1)
    steps = (step,) if step else () if to is None else (Nat("dnat", _number(to)),)
    chain = FilterChain(
        cite=cite, family="ip", table="nat", name="PREROUTING", kind="nat", hook="prerouting"
    )
    rule = FilterRule(
        cite=cite,
        family="ip",
        table="nat",
        chain="PREROUTING",
        place=1,
        steps=steps,
        text="dnat it",
    )
    return [Add(chain), *([Add(rule)] if steps else [])]


def _number(address: str) -> int:
    return int.from_bytes(bytes(map(int, address.split("."))), "big")


def listed(snapshot: Snapshot) -> Snapshot:
    """The filters of the host are all there."""
    return replace(snapshot, filter_chains=Rows(snapshot.filter_chains.rows, (Extent(0),)))


def natted(
    to: str | None = GUEST_IP, *, step: Step | None = None, text: str = HOST
) -> dict[str, Fix]:
    first, *others = pasted(text + NEIGHBOUR)
    return fixes_of(treated([listed(patch(first, dnat(to, step=step))), *others]))


def test_hairpin_off_is_the_cure_where_ip_s_rules_see_no_bridged_packet() -> None:
    fix = fixes(HOST + OFF)[hairpin_off.NAME]
    assert (fix.proved, fix.safe, fix.rejected_because) == (True, True, None)
    assert fix.keeps == FLOWS
    assert fix.commands == ("bridge link set dev vnet0 hairpin off",)
    assert fix.undo == ("bridge link set dev vnet0 hairpin on",)


def test_it_stands_first_where_it_is_proved_and_not_where_it_is_not() -> None:
    (first, *_) = fixes(HOST + OFF).values()
    assert first.name == hairpin_off.NAME
    open_ = fixes(HOST)[hairpin_off.NAME]
    assert (open_.proved, open_.safe, open_.rejected_because) == (False, False, None)
    assert "nobody listed the rules" in open_.blast_radius


def test_an_address_that_is_translated_back_needs_hairpin_and_without_the_rule_it_does_not() -> (
    None
):
    fix = natted()[hairpin_off.NAME]
    assert not fix.proved
    assert fix.rejected_because is not None
    assert "what NAT sends back to the station is lost (dnat it)" in fix.rejected_because
    assert natted(None)[hairpin_off.NAME].proved
    assert natted("192.0.2.99")[hairpin_off.NAME].proved


def test_br_netfilter_decides_whether_the_rule_is_met_in_the_bridge() -> None:
    assert natted(text=HOST + OFF)[hairpin_off.NAME].proved
    on = HOST + OFF.replace("= 0", "= 1", 1)
    assert natted(text=on)[hairpin_off.NAME].rejected_because is not None
    forced = on.replace("= 1", "= 0").replace("stp_state 0", "stp_state 0 nf_call_iptables 1")
    assert natted(text=forced)[hairpin_off.NAME].rejected_because is not None


def test_a_rule_that_is_not_understood_leaves_it_open() -> None:
    fix = natted(step=Opaque("xt_something"))[hairpin_off.NAME]
    assert (fix.proved, fix.rejected_because) == (False, None)


def vepa(*modes: str) -> str:
    """A namespace with macvlans of these modes behind the hairpin port; its own device failed."""
    text = links(
        LINKS[0],
        link(3, "br0", "02:00:00:00:0a:01", BRIDGE),
        link(4, "lxc1@if2", "02:00:00:00:0a:02", VETH, master="br0", port="hairpin on").replace(
            " promiscuity", " link-netns pod1 promiscuity"
        ),
    )
    inside = [
        link(2, "eth0@if4", "02:00:00:00:00:01", VETH).replace(
            " promiscuity", " link-netnsid 0 promiscuity"
        )
    ]
    inside += [
        link(10 + n, f"mv{n}@eth0", f"02:00:00:00:01:0{n}", f"macvlan mode {mode}")
        for n, mode in enumerate(modes)
    ]
    text += links(*inside, netns="pod1")
    return text + listing(
        "ip -n pod1 addr show",
        [
            "2: eth0@if4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP",
            "    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff link-netnsid 0",
            "    inet6 2001:db8::11/64 scope global dadfailed tentative ",
        ],
    )


def test_stations_that_share_the_port_need_hairpin() -> None:
    fix = fixes(vepa("vepa", "vepa") + OFF)[hairpin_off.NAME]
    assert fix.rejected_because is not None
    assert "which share the port, is lost" in fix.rejected_because
    assert fixes(vepa("bridge", "bridge") + OFF)[hairpin_off.NAME].proved
    assert fixes(vepa("vepa") + OFF)[hairpin_off.NAME].proved


def test_what_mends_nothing_says_what_still_comes_back() -> None:
    found = fixes(HOST)
    for name in (alternatives.PROMISC_OFF, alternatives.MCAST_FLOOD_OFF):
        assert not found[name].safe
        assert found[name].rejected_because is not None
        assert "ARP who-has" in str(found[name].rejected_because)
        assert "still comes back" in str(found[name].rejected_because)
    assert [fix.name for fix in found.values()][-2:] == [
        alternatives.MCAST_FLOOD_OFF,
        alternatives.PROMISC_OFF,
    ]


def test_isolation_is_rejected_where_hairpin_is_needed_or_a_neighbour_is_isolated_too() -> None:
    assert alternatives.ISOLATED_ON not in fixes(HOST + OFF), "it works, and is no better"
    assert "NAT" in str(natted()[alternatives.ISOLATED_ON].rejected_because)
    apart = "isolated on".join(HOST.rsplit("isolated off", 1))
    rejected = fixes(apart + OFF)[alternatives.ISOLATED_ON].rejected_because
    assert rejected is not None
    assert "both ports are isolated" in rejected


def test_where_the_model_is_blind_nothing_is_proved_or_rejected() -> None:
    found = fixes(HOST.replace("mtu 1500", "mtu 1500 xdp", 1) + OFF)
    assert found
    assert {(f.proved, f.rejected_because) for f in found.values()} == {(False, None)}


@pytest.mark.parametrize("name", [port_filter.NAME, port_filter.EBTABLES])
def test_a_filter_names_the_port_both_ways_the_station_and_the_group_bit(name: str) -> None:
    fix = fixes(HOST)[name]
    text = " ".join((*fix.commands, *(file.content for file in fix.files)))
    assert text.count("vnet0") > 1
    assert GUEST0 in text
    assert "01:00:00:00:00:00" in text
    assert fix.undo
    assert "nothing else" in fix.blast_radius


def test_in_a_namespace_the_commands_say_so() -> None:
    inside = HOST.replace("kvm1# ip -d link", "kvm1# ip netns exec red ip -d link")
    inside = inside.replace("kvm1# virsh", "kvm1# ip netns exec red virsh")
    found = fixes(inside)
    assert found[hairpin_off.NAME].commands == ("bridge -n red link set dev vnet0 hairpin off",)
    assert found[port_filter.NAME].commands[0].startswith("ip netns exec red nft -f ")
    assert found[port_filter.NAME].undo[0].startswith("ip netns exec red nft delete table bridge ")


def test_libvirt_s_own_filter_where_the_whole_definition_is_known() -> None:
    xml = [
        "<domain type='kvm'><name>web1</name><devices>",
        "<interface type='bridge'>",
        f"<mac address='{GUEST0}'/>",
        "<source bridge='br0'/>",
        "<target dev='vnet0'/>",
        "<model type='virtio'/>",
        "</interface>",
        "</devices></domain>",
    ]
    assert port_filter_nwfilter.NAME not in fixes(HOST)
    fix = fixes(HOST + listing("virsh dumpxml web1", xml))[port_filter_nwfilter.NAME]
    contents = [file.content for file in fix.files]
    assert [content.count("hopback-no-reflection") for content in contents] == [1, 1, 0]
    assert f"<mac address='{GUEST0}'/>" in contents[1]
    assert len(fix.commands) == 2
    assert "same MAC" in str(fix.limits)
    other = [*xml[:6], "<filterref filter='clean-traffic'/>", *xml[6:]]
    kept = fixes(HOST + listing("virsh dumpxml web1", other))
    assert port_filter_nwfilter.NAME not in kept, "the filter that is there would be lost"


def test_a_name_that_nft_could_misread_is_left_alone() -> None:
    assert fixes(HOST.replace("vnet0", 'v"0;')) == {}


def test_a_finding_that_harms_nobody_gets_none() -> None:
    assert fixes(links(*LINKS[:2], TAP) + GUESTS) == {}


def test_two_findings_of_one_port_carry_its_fixes_once() -> None:
    report = treated(pasted(HOST))
    assert {f.check for f in report.findings} >= {"hairpin-reflection", "dad-reflection"}
    assert [f.check for f in report.findings if f.fixes] == ["hairpin-reflection"]


def test_towards_a_switch_hairpin_goes_off() -> None:
    facing = links(
        link(3, "br0", "02:00:00:00:0a:01", BRIDGE),
        link(4, "br1", "02:00:00:00:0b:01", BRIDGE),
        link(5, "a0@b0", "02:00:00:00:0a:01", VETH, master="br0", port="hairpin on"),
        link(6, "b0@a0", "02:00:00:00:0b:01", VETH, master="br1", port=""),
    )
    found = fixes(facing)
    assert found[hairpin_off.NAME].proved
    assert port_filter.NAME not in found, "whose frames they are is not known"


def test_afterwards_the_guest_adds_its_addresses_again() -> None:
    steps = fixes(HOST)[port_filter.NAME].afterwards
    assert steps[:2] == (
        "ip -6 addr del fe80::5054:ff:fe00:1/64 dev ens3",
        "ip -6 addr add fe80::5054:ff:fe00:1/64 dev ens3",
    )
    assert "routes" in steps[2]
    inside = fixes(vepa("vepa", "vepa"))[port_filter.NAME].afterwards
    assert inside[0] == "ip -n pod1 -6 addr del 2001:db8::11/64 dev eth0"


@pytest.mark.parametrize(
    ("bridge", "port", "name", "where"),
    [
        ("br0", "vnet0", port_filter.NAME, "libvirt"),
        ("vmbr0", "tap100i0", port_filter.NAME, "nftables.service"),
        ("brq11111111-11", "tap22222222-22", port_filter.NAME, "nftables.service"),
        ("docker0", "veth1234567", hairpin_off.NAME, "Docker"),
        ("cni0", "veth1234567", hairpin_off.NAME, "CNI"),
        ("cbr0", "veth1234567", hairpin_off.NAME, "kubelet"),
    ],
)
def test_it_is_made_to_last_where_the_port_is_made(
    bridge: str, port: str, name: str, where: str
) -> None:
    text = HOST.replace("br0", bridge).replace("vnet0", port)
    ways = [way.where for way in fixes(text)[name].persistence]
    assert any(where in way for way in ways), ways


def test_a_port_that_nobody_is_known_to_make_lasts_by_the_host_s_own_configuration() -> None:
    (way,) = fixes(vepa("bridge"))[hairpin_off.NAME].persistence
    assert "systemd-networkd" in way.where
    assert way.lines == ("[Match]", "Name=lxc1", "[Bridge]", "HairPin=false")


FLOATING, FIXED = "203.0.113.10", "10.0.0.3"
NAT = (
    "*nat",
    ":PREROUTING ACCEPT [0:0]",
    ":POSTROUTING ACCEPT [0:0]",
    f"-A PREROUTING -d {FLOATING}/32 -j DNAT --to-destination {FIXED}",
    f"-A POSTROUTING -s {FIXED}/32 -d {FIXED}/32 -j SNAT --to-source {FLOATING}",
    "COMMIT",
)


def floating(call: int = 1, nat: Sequence[str] = NAT) -> str:
    """A guest with a floating address; ``call`` is br_netfilter's setting for IPv4."""
    text = HOST + listing(
        "ip addr show",
        [
            "3: br0: <UP> mtu 1500 state UP",
            "    inet 10.0.0.1/24 scope global br0",
            "9: lo: <UP> mtu 65536 state UNKNOWN",
            f"    inet {FLOATING}/32 scope global lo",
        ],
    )
    text += listing("ip route show", ["10.0.0.0/24 dev br0 proto kernel scope link"])
    text += listing("ip neigh show", [f"{FIXED} dev br0 lladdr {GUEST0} REACHABLE"])
    text += listing(
        "sysctl net",
        [
            "net.ipv4.ip_forward = 1",
            f"net.bridge.bridge-nf-call-iptables = {call}",
            "net.bridge.bridge-nf-call-ip6tables = 0",
        ],
    )
    return text + listing("iptables-save", nat)


def test_a_floating_address_passes_the_filter_and_needs_hairpin() -> None:
    found = fixes(floating())
    assert found[port_filter.NAME].proved
    rejected = found[hairpin_off.NAME].rejected_because
    assert rejected is not None
    assert f"no longer reaches itself by {FLOATING}: the destination is on the port" in rejected
    for name in (alternatives.ISOLATED_ON, alternatives.MAC_FILTER):
        assert FLOATING in str(found[name].rejected_because)


def test_routed_or_without_the_rule_it_needs_no_hairpin() -> None:
    assert fixes(floating(call=0))[hairpin_off.NAME].proved


def test_what_does_not_work_as_it_is_cannot_be_lost() -> None:
    """Without SNAT of its own source the guest drops what seems to come from itself."""
    assert fixes(floating(nat=(*NAT[:4], "COMMIT")))[hairpin_off.NAME].proved


@pytest.mark.parametrize("name", [port_filter.NAME, port_filter.EBTABLES])
def test_a_filter_that_matches_port_station_and_group_is_proved(name: str) -> None:
    fix = fixes(HOST)[name]
    assert (fix.proved, fix.rejected_because) == (True, None)
    assert fix.keeps == (*FLOWS, "traffic to itself through NAT")


def test_it_stays_proved_where_stations_share_the_port() -> None:
    found = fixes(vepa("vepa", "vepa"))
    assert found[port_filter.NAME].proved
    assert "stations that share the port" in found[port_filter.NAME].keeps
    assert "share the port" in str(found[alternatives.GROUP_FILTER].rejected_because)
    assert alternatives.GROUP_FILTER not in fixes(HOST), "it does no harm there"


def test_filters_that_drop_too_little_or_too_early() -> None:
    found = fixes(HOST)
    assert "ARP who-has" in str(found[alternatives.ND_FILTER].rejected_because)
    assert "still comes back" in str(found[alternatives.INGRESS_FILTER].rejected_because)


def test_a_filter_on_another_port_that_is_not_understood_does_not_matter() -> None:
    rule = FilterRule(
        cite=Cite(0, 1),
        family="bridge",
        table="t",
        chain="forward",
        place=1,
        steps=(Match((Field("meta oifname"),), (("vnet1",),)), Opaque("xt_something")),
    )
    chain = FilterChain(
        cite=Cite(0, 1),
        family="bridge",
        table="t",
        name="forward",
        hook="forward",
        priority=0,
        policy="accept",
    )
    assert fixes(HOST, Add(chain), Add(rule))[port_filter.NAME].proved
    there = replace(rule, steps=(Match((Field("meta oifname"),), (("vnet0",),)), *rule.steps[1:]))
    fix = fixes(HOST, Add(chain), Add(there))[port_filter.NAME]
    assert (fix.proved, fix.rejected_because) == (False, None)


def test_a_failure_without_a_finding_of_its_cause_carries_the_fixes_itself() -> None:
    report = treated(pasted(HOST))
    (reflected,) = (f for f in report.findings if f.check == "dad-reflection")
    alone = replace(report, findings=(reflected,))
    (finding,) = with_remedies(pasted(HOST), alone).findings
    assert {fix.name for fix in finding.fixes} >= {hairpin_off.NAME, port_filter.NAME}


def test_every_remedy_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(OFFERED) + len(alternatives.REMEDIES)
    assert all(name == remedy.name for name, remedy in BY_NAME.items())


def test_sysctls_of_another_namespace_do_not_count() -> None:
    rows = [
        Sysctl(cite=Cite(0, 1), netns="red", key=f"net.bridge.bridge-nf-call-{t}", value="0")
        for t in ("iptables", "ip6tables")
    ]
    assert not fixes(HOST, *(Add(row) for row in rows))[hairpin_off.NAME].proved


def test_the_station_is_the_one_whose_mac_the_log_names() -> None:
    assert parse_mac(GUEST0) != parse_mac(GUEST1)
    other = HOST.replace(f"used by {GUEST0}", f"used by {GUEST1}")
    assert port_filter.NAME not in fixes(other)
