"""Packet filters in the lab: what is loaded, what is refused by name, and what a kernel does."""

from typing import Any

import pytest

from hopback.lab.compare import compare
from hopback.lab.netns.isolate import facilities
from hopback.lab.netns.runner import NetnsRunner
from hopback.lab.plan import Design, design
from hopback.lab.steps import Facility, Refused
from tests.build import GUEST0, HYPERVISOR, case, domiflist, fdb, listing
from tests.kernel.filter_rig import filter_refusal

ALL: tuple[Facility, ...] = ("nf_tables", "nf_tables_ip", "br_netfilter")
HOST = HYPERVISOR + domiflist(f"vnet0 br0 {GUEST0}") + fdb(f"{GUEST0} dev vnet0 master br0")
CALLED = listing("sysctl net.bridge", ["net.bridge.bridge-nf-call-iptables = 1"])
DHCP = "-A FORWARD -p udp -m udp --dport 67 -j DROP"


def saved(*rules: str) -> str:
    chains = (":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]")
    return listing("iptables-save", ("*filter", *chains, *rules, "COMMIT"))


def ruleset(*lines: str) -> str:
    return listing("nft list ruleset", lines)


def forward(*rules: str) -> str:
    head = ("table bridge t {", "\tchain c {", "\t\ttype filter hook forward priority 0;")
    return ruleset(*head, *(f"\t\t{rule}" for rule in rules), "\t}", "}")


def made(text: str, **options: Any) -> Design:
    given = case(text)
    return design(given.model, given.network.stations[0], **{"capable": ALL, **options})


def steps(design: Design, tool: str) -> list[str]:
    return [step.line for step in design.plan.steps if step.tool == tool]


def test_rules_are_loaded_in_front_of_the_rebuilt_bridge() -> None:
    lines = steps(made(HOST + forward('iifname "vnet0" counter packets 7 bytes 9 drop')), "nft")
    assert lines == [
        "add table bridge t",
        "add chain bridge t c { type filter hook forward priority 0; policy accept; }",
        'add rule bridge t c meta iifname "vnet0" drop',
    ]


def test_br_netfilter_is_set_as_recorded_and_off_if_nothing_tells() -> None:
    switch = "net/bridge/bridge-nf-call-iptables"
    assert f"{switch}=1" in steps(made(HOST + CALLED), "sysctl")
    assert f"{switch}=0" in steps(made(HOST), "sysctl")
    assert steps(made(HOST, capable=("nf_tables",)), "sysctl") == []


def test_filters_of_ip_are_loaded_where_bridged_packets_meet_them() -> None:
    assert steps(made(HOST + saved(DHCP)), "nft") == []
    loaded = made(HOST + CALLED + saved(DHCP))
    assert steps(loaded, "nft")[-1].startswith("add rule ip legacy-filter FORWARD ")
    assert "rules of iptables are loaded as nftables" in loaded.notes


@pytest.mark.parametrize(
    ("capable", "what"),
    [
        ((), "filters of ip need a kernel that has them"),
        (("nf_tables", "nf_tables_ip"), "needs br_netfilter"),
    ],
)
def test_kernel_that_lacks_something_is_refused(capable: tuple[Facility, ...], what: str) -> None:
    with pytest.raises(Refused, match=what) as refused:
        made(HOST + CALLED + saved(DHCP), capable=capable)
    assert refused.value.denied
    partial = made(HOST + CALLED + saved(DHCP), capable=capable, partial=True)
    assert steps(partial, "nft") == []
    assert any("rebuilt" in gap for gap in partial.segment.gaps)
    assert all(message.arrives for message in partial.recorded)


def test_rule_that_is_not_understood_is_refused_by_name_or_left_out_of_both() -> None:
    text = HOST + forward("xt match statistic drop", 'iifname "vnet0" drop')
    with pytest.raises(Refused, match="the rule “xt match statistic drop” of bridge t c"):
        made(text)
    partial = made(text, partial=True)
    assert steps(partial, "nft")[-1] == 'add rule bridge t c meta iifname "vnet0" drop'
    assert any("xt match statistic" in gap for gap in partial.segment.gaps)
    assert not partial.recorded[0].arrives
    alone = made(HOST + forward("xt match statistic drop"), partial=True)
    assert all(message.arrives for message in alone.recorded)


def test_chain_that_was_not_listed_whole_is_refused() -> None:
    text = HOST + listing("ebtables -t filter -L", ["Bridge table: filter", "", "..."])
    assert made(text).plan.scenes
    cut = forward('iifname "vnet0" drop').replace("\t}\n}\n", "...\n")
    with pytest.raises(Refused, match="not all of its rules were listed"):
        made(HOST + cut)


def test_chain_of_another_device_is_left_alone() -> None:
    chain = ("table netdev t {", "\tchain c {")
    for device, count in (("vnet0", 3), ("eth7", 0)):
        hook = f'\t\ttype filter hook ingress device "{device}" priority 0; policy accept;'
        text = HOST + ruleset(*chain, hook, "\t\tether type arp drop", "\t}", "}")
        assert len(steps(made(text), "nft")) == count


def test_filter_that_only_libvirt_names_is_a_gap() -> None:
    text = listing(
        "virsh dumpxml web1",
        [
            "<domain type='kvm'><name>web1</name><devices><interface type='bridge'>",
            f"<mac address='{GUEST0}'/><source bridge='br0'/><target dev='vnet0'/>",
            "<filterref filter='clean-traffic'/></interface></devices></domain>",
        ],
    )
    gaps = made(HOST + text).segment.gaps
    assert "libvirt filter clean-traffic on vnet0 is not rebuilt" in gaps


@pytest.mark.kernel("tc")
@pytest.mark.parametrize(
    ("filters", "rule"),
    [
        (CALLED + saved(DHCP), f"filter FORWARD: {DHCP}"),
        (forward("udp dport 67 drop"), "t c: udp dport 67 drop"),
        (
            forward("ether type ip goto d", "\t}", "\tchain d {", "udp dport { 67, 68 } drop"),
            "t d: udp dport { 67, 68 } drop",
        ),
    ],
    ids=["br_netfilter", "bridge", "chains"],
)
def test_kernel_drops_where_and_by_what_is_foretold(filters: str, rule: str) -> None:
    if reason := filter_refusal(brouting=False):
        pytest.skip(reason)
    capable = facilities()
    if not {*ALL} <= {*capable}:
        pytest.skip("needs nf_tables and br_netfilter")
    ready = made(HOST + filters, uplink="switch", capable=capable)
    lost = ready.recorded[0]
    assert (lost.arrives, lost.lost_at, lost.filter) == (False, "vnet0", rule)
    result = compare(ready, NetnsRunner().run(ready.plan))
    assert result.differences == ()
    assert (result.recorded[0].arrived, result.recorded[0].lost_at) == (False, "vnet0")


@pytest.mark.kernel("tc")
def test_br_netfilter_that_is_off_stays_off() -> None:
    """A new namespace has it on (net/bridge/br_netfilter_hooks.c:brnf_init_net)."""
    if "br_netfilter" not in facilities():
        pytest.skip("needs br_netfilter")
    off = listing("sysctl net.bridge", ["net.bridge.bridge-nf-call-iptables = 0"])
    text = HOST + off + saved(DHCP) + forward("udp dport 1 drop")
    ready = made(text, uplink="switch", capable=facilities())
    result = compare(ready, NetnsRunner().run(ready.plan))
    assert (result.differences, result.arrives) == ((), True)
