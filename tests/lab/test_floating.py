"""The guest and its own floating address, as the model foretells it and as a kernel does it."""

from typing import Any

import pytest

from hopback.engines.flow import FlowEnd
from hopback.lab.compare import compare
from hopback.lab.floating import REACHING
from hopback.lab.netns.isolate import facilities
from hopback.lab.netns.runner import NetnsRunner
from hopback.lab.plan import Design, design
from hopback.lab.steps import Facility
from tests.build import GUEST0, HYPERVISOR, case, domiflist, fdb, listing
from tests.kernel.filter_rig import filter_refusal

FLOATING, FIXED = "203.0.113.10", "10.0.0.3"
ALL: tuple[Facility, ...] = ("ipv6", "nf_tables", "nf_tables_ip", "br_netfilter")
ADDRESSES = listing(
    "ip addr show",
    [
        "3: br0: <UP> mtu 1500 state UP",
        "    inet 10.0.0.1/24 scope global br0",
        "9: lo: <UP> mtu 65536 state UNKNOWN",
        f"    inet {FLOATING}/32 scope global lo",
    ],
)
ROUTES = listing("ip route show", ["10.0.0.0/24 dev br0 proto kernel scope link"])
GUEST = (
    domiflist(f"vnet0 br0 {GUEST0}")
    + fdb(f"{GUEST0} dev vnet0 master br0")
    + listing("ip neigh show", [f"{FIXED} dev br0 lladdr {GUEST0} REACHABLE"])
)
DNAT = f"-A PREROUTING -d {FLOATING}/32 -j DNAT --to-destination {FIXED}"
SNAT = f"-A POSTROUTING -s {FIXED}/32 -d {FIXED}/32 -j SNAT --to-source {FLOATING}"


def saved(*rules: str) -> str:
    chains = (":PREROUTING ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]")
    return listing("iptables-save", ("*nat", *chains, *rules, "COMMIT"))


def host(call: bool = False, hairpin: bool = True, rules: tuple[str, ...] = (DNAT, SNAT)) -> str:
    settings = [f"net.bridge.bridge-nf-call-iptables = {int(call)}", "net.ipv4.ip_forward = 1"]
    links = HYPERVISOR.replace("hairpin off", "hairpin on") if hairpin else HYPERVISOR
    return links + GUEST + ADDRESSES + ROUTES + listing("sysctl net", settings) + saved(*rules)


def made(text: str, **options: Any) -> Design:
    given = case(text)
    return design(given.model, given.network.stations[0], **{"capable": ALL, **options})


VARIANTS: tuple[tuple[bool, bool, bool, FlowEnd, str], ...] = (
    (False, False, True, "answered", ""),
    (False, True, True, "answered", ""),
    (True, False, True, "request-lost", "vnet0"),
    (True, True, True, "answered", ""),
    (True, True, False, "request-lost", "the guest"),
    (False, False, False, "request-lost", "the guest"),
)
"""br_netfilter, hairpin, NAT of the source too; how the ping ends, and where."""


@pytest.mark.parametrize(("call", "hairpin", "snat", "end", "at"), VARIANTS)
def test_hairpin_is_needed_only_with_br_netfilter(
    call: bool, hairpin: bool, snat: bool, end: FlowEnd, at: str
) -> None:
    rules = (DNAT, SNAT) if snat else (DNAT,)
    (one,) = made(host(call, hairpin, rules)).reaches
    assert (one.end, one.lost_at) == (end, at)


@pytest.mark.kernel("tc")
@pytest.mark.parametrize(("call", "hairpin", "snat", "end", "at"), VARIANTS)
def test_kernel_agrees(call: bool, hairpin: bool, snat: bool, end: FlowEnd, at: str) -> None:
    rules = (DNAT, SNAT) if snat else (DNAT,)
    ready = made(host(call, hairpin, rules), capable=able())
    result = compare(ready, NetnsRunner().run(ready.plan))
    assert (result.differences, result.deaf) == ((), ())
    (one,) = result.reaches
    assert (one.end, one.lost_at) == (end, at)


@pytest.mark.kernel("tc")
@pytest.mark.parametrize(("fix", "mended"), [("port_filter", True), ("hairpin_off", False)])
def test_remedy_has_to_leave_it_alone(fix: str, mended: bool) -> None:
    """Turning hairpin off mends duplicate detection, and takes the floating address away."""
    ready = made(host(call=True), fix=fix, capable=able())
    assert ready.fixed is not None
    assert (ready.fixed.keeps, ready.fixed.well) == (mended, mended)
    result = compare(ready, NetnsRunner().run(ready.plan))
    assert (result.differences, result.mended) == ((), mended)
    assert [d.phase for d in result.detections] == ["dadfailed"]
    assert [d.phase for d in result.fixed_detections] == ["preferred"]
    assert [r.end for r in result.reaches] == ["answered"]
    assert [r.end for r in result.fixed_reaches] == ["answered" if mended else "request-lost"]


def able() -> tuple[Facility, ...]:
    if reason := filter_refusal(brouting=False):
        pytest.skip(reason)
    capable = facilities()
    if not {*ALL} <= {*capable}:
        pytest.skip("needs nf_tables and br_netfilter")
    return capable


def test_addresses_are_there_for_the_scene_alone() -> None:
    ready = made(host())
    scene = next(s for s in ready.plan.scenes if s.name == REACHING)
    before = [(s.space, s.line) for s in scene.before if s.tool == "ip"]
    assert ("host", "address add 10.0.0.1/24 dev br0") in before
    assert ("host", f"address add {FLOATING}/32 dev lo") in before
    assert ("guest", f"address add {FIXED}/24 dev nic0") in before
    flushed = {(s.space, s.line.split()[-1]) for s in scene.afterwards if "flush" in s.line}
    assert flushed == {("host", "br0"), ("host", "lo"), ("guest", "nic0")}
    assert [ping.target for ping in scene.pings] == ["10.0.0.1", FLOATING]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (host().replace(ROUTES, ""), "its host's addresses and routes were not all listed"),
        (host().replace("10.0.0.1/24", "10.9.0.1/24"), "no address in the guest's subnet"),
        (
            host() + listing("ip rule show", ["0: from all lookup local", "9: from all lookup 7"]),
            "its host has policy routing",
        ),
        (
            host(rules=(DNAT, SNAT, "-A PREROUTING -m physdev --physdev-in vnet0 -j ACCEPT")),
            "the field physdev in",
        ),
    ],
)
def test_what_is_more_is_not_played_and_said(text: str, why: str) -> None:
    ready = made(text)
    assert ready.reaches == ()
    assert all(scene.name != REACHING for scene in ready.plan.scenes)
    (gap,) = [gap for gap in ready.segment.gaps if "NAT" in gap]
    assert why in gap


def test_kernel_without_these_filters_plays_the_rest() -> None:
    ready = made(host(), capable=("nf_tables",))
    assert ready.reaches == ()
    assert any("NAT leads back" in gap for gap in ready.segment.gaps)


def test_rule_about_a_port_is_about_no_ping() -> None:
    rule = (
        f"-A PREROUTING -d {FLOATING}/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination {FIXED}"
    )
    assert made(host(rules=(rule,))).reaches == ()
