"""A remedy is proved both ways, or rejected by what it breaks."""

import pytest
from msgspec.structs import replace

from hopback.remedies import alternatives, hairpin_off, port_filter
from hopback.snapshot.patch import Add
from hopback.snapshot.rows import Field, FilterChain, FilterRule, Match, Opaque, Sysctl
from hopback.snapshot.table import Cite
from tests.remedies.scene import (
    FLOATING,
    FLOWS,
    HOST,
    NAT,
    OFF,
    fixes,
    floating,
    natted,
    vepa,
)


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


def test_sysctls_of_another_namespace_do_not_count() -> None:
    rows = [
        Sysctl(cite=Cite(0, 1), netns="red", key=f"net.bridge.bridge-nf-call-{t}", value="0")
        for t in ("iptables", "ip6tables")
    ]
    assert not fixes(HOST, *(Add(row) for row in rows))[hairpin_off.NAME].proved
