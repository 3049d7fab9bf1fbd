"""What is offered for a reflection, in which order, and what has to follow."""

import pytest
from msgspec.structs import replace

from hopback.frames.mac import parse_mac
from hopback.remedies import alternatives, hairpin_off, port_filter, port_filter_nwfilter
from hopback.remedies.attach import with_remedies
from hopback.remedies.reflected import BY_NAME, OFFERED
from tests.build import BRIDGE, GUEST0, GUEST1, LINKS, VETH, link, links, listing, pasted
from tests.remedies.scene import FLOWS, GUESTS, HOST, OFF, TAP, fixes, treated, vepa


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


def test_a_failure_without_a_finding_of_its_cause_carries_the_fixes_itself() -> None:
    report = treated(pasted(HOST))
    (reflected,) = (f for f in report.findings if f.check == "dad-reflection")
    alone = replace(report, findings=(reflected,))
    (finding,) = with_remedies(pasted(HOST), alone).findings
    assert {fix.name for fix in finding.fixes} >= {hairpin_off.NAME, port_filter.NAME}


def test_every_remedy_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(OFFERED) + len(alternatives.REMEDIES)
    assert all(name == remedy.name for name, remedy in BY_NAME.items())


def test_the_station_is_the_one_whose_mac_the_log_names() -> None:
    assert parse_mac(GUEST0) != parse_mac(GUEST1)
    other = HOST.replace(f"used by {GUEST0}", f"used by {GUEST1}")
    assert port_filter.NAME not in fixes(other)
