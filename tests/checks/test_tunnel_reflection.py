"""tunnel-reflection: a VXLAN device gets back what it sends."""

from pathlib import Path

import pytest

from hopback.checks.diagnose import diagnose
from hopback.sources.open import open_source
from tests.build import BRIDGE, TUN, checks, cited, link, links, listing, of, only, report

NAME = "tunnel-reflection"
FIXTURES = Path(__file__).parents[1] / "fixtures"
ZEROS = "00:00:00:00:00:00"
GUEST = "52:54:00:00:00:01"


def vxlan(name: str = "vx7", vni: int = 7, more: str = "", master: str = "br0") -> str:
    words = f"vxlan id {vni} {more} srcport 0 0 dstport 4789 ttl auto ageing 300"
    index = 10 + vni
    return link(index, name, f"02:00:00:00:0f:{index:02x}", words, master=master, port="")


def host(*devices: str, label: str = "kvm1", last: str = "1") -> str:
    return links(
        link(3, "br0", f"02:00:00:00:0a:0{last}", BRIDGE),
        link(4, "vnet0", f"fe:54:00:00:00:0{last}", TUN, master="br0", port=""),
        *devices,
        host=label,
    ) + listing(
        "ip addr show",
        [
            "2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default qlen 1000",
            f"    inet 10.0.0.{last}/24 scope global eth0",
        ],
        label,
    )


def table(*entries: str, label: str = "kvm1") -> str:
    return listing("bridge fdb show", entries, label)


def flood(dst: str, name: str = "vx7") -> str:
    return f"{ZEROS} dev {name} dst {dst} self permanent"


def test_flood_list_that_names_its_own_host() -> None:
    given = report(host(vxlan()) + table(flood("10.0.0.2"), flood("10.0.0.1")))
    finding = only(given, NAME)
    assert given.verdict == "comes-back"
    assert (finding.severity, finding.confidence, finding.evidence) == (
        "error",
        "certain",
        "simulated",
    )
    assert (finding.subject, finding.details["kind"]) == ("vx7", "flood-list")
    assert finding.details["address"] == "10.0.0.1"
    assert finding.details["entries"] == [ZEROS]
    assert finding.details["endless"] is False
    assert cited(finding) == [flood("10.0.0.1"), "inet 10.0.0.1/24 scope global eth0"]
    assert [(s.device, s.direction) for s in finding.path] == [("vx7", "out"), ("vx7", "in")]


def test_flood_list_of_others_alone() -> None:
    given = report(host(vxlan()) + table(flood("10.0.0.2"), flood("10.0.0.3")))
    assert NAME not in checks(given)


def test_an_entry_for_one_address() -> None:
    given = report(
        host(vxlan()) + table(flood("10.0.0.2"), f"{GUEST} dev vx7 dst 10.0.0.1 self static")
    )
    finding = only(given, NAME)
    assert finding.details["kind"] == "entry"
    assert GUEST in finding.summary


def test_an_address_learned_from_the_host_itself_has_happened() -> None:
    learned = f"{GUEST} dev vx7 dst 127.0.0.1 self"
    finding = only(report(host(vxlan()) + table(flood("10.0.0.2"), learned)), NAME)
    assert (finding.details["kind"], finding.evidence, finding.confidence) == (
        "learned",
        "reported",
        "likely",
    )
    both = only(report(host(vxlan()) + table(flood("10.0.0.1"), learned)), NAME)
    assert (both.details["kind"], both.evidence) == ("flood-list", "reported")
    assert {e.rule for e in both.because} == {"encap_bypass_if_local", "vxlan_snoop"}


def test_own_address_with_a_vni_that_is_not_here() -> None:
    away = f"{ZEROS} dev vx7 dst 10.0.0.1 vni 99 self permanent"
    assert NAME not in checks(report(host(vxlan()) + table(away)))


def test_it_explains_what_the_bridge_learned_behind_the_tunnel() -> None:
    moved = f"{GUEST} dev vx7 master br0"
    twin = "fe:54:00:00:00:01 dev vnet0 master br0 permanent"
    given = report(host(vxlan()) + table(flood("10.0.0.1"), moved, twin))
    assert "fdb-misplaced" in checks(given)
    assert "uplink-echo" not in checks(given), "nothing beyond the tunnel returns anything"
    assert only(given, NAME).explains == ("fdb-misplaced",)
    assert only(given, NAME).fixes == ()


def test_two_hosts_in_a_full_mesh_are_no_ring() -> None:
    text = host(vxlan()) + table(flood("10.0.0.2"))
    text += host(vxlan(), label="kvm2", last="2") + table(flood("10.0.0.1"), label="kvm2")
    assert NAME not in checks(report(text))


def ring(second: str) -> str:
    both = (vxlan(), vxlan("vx8", 8))
    text = host(*both) + table(flood("10.0.0.2"), flood("10.0.0.2", "vx8"))
    text += host(*both, label="kvm2", last="2")
    return text + table(flood("10.0.0.1"), flood(second, "vx8"), label="kvm2")


def test_two_tunnels_between_two_bridges_are_a_ring() -> None:
    given = report(ring("10.0.0.1"))
    (finding,) = of(given, NAME)
    assert given.verdict == "comes-back"
    assert (finding.details["kind"], finding.details["endless"]) == ("ring", True)
    assert {s.host for s in finding.path} == {"kvm1", "kvm2"}
    assert "kvm2" in finding.summary
    assert any("dst 10.0.0.2" in line for line in cited(finding))


def test_one_direction_is_enough_for_a_ring() -> None:
    """vx8 of kvm2 floods to a third host: what goes out by vx8 of kvm1 still comes back by vx7."""
    (finding,) = of(report(ring("10.0.0.3")), NAME)
    assert (finding.subject, finding.details["endless"]) == ("vx8", True)


def test_two_tunnels_that_are_answered_by_none_are_no_ring() -> None:
    both = (vxlan(), vxlan("vx8", 8))
    text = host(*both) + table(flood("10.0.0.2"), flood("10.0.0.2", "vx8"))
    text += host(*both, label="kvm2", last="2")
    text += table(flood("10.0.0.3"), flood("10.0.0.3", "vx8"), label="kvm2")
    assert NAME not in checks(report(text))


def test_recorded_on_a_host_whose_guest_has_sent_one_broadcast() -> None:
    """6.18: the entry moved to the tunnel, and the tunnel learned the guest behind 127.0.0.1."""
    (snapshot,) = open_source(str(FIXTURES / "vxlan-own-endpoint" / "paste.txt")).snapshots
    given = diagnose([snapshot])
    finding = only(given, NAME)
    assert given.verdict == "comes-back"
    assert (finding.details["kind"], finding.evidence) == ("flood-list", "reported")
    assert finding.details["entries"] == [ZEROS, "52:54:00:12:34:56"]
    assert finding.explains == ("fdb-misplaced",)
    assert checks(given) == {NAME, "fdb-misplaced"}


@pytest.mark.parametrize("blanked", ["dst 10.0.0.2", "local 10.0.0.1"])
def test_where_addresses_are_blanked_the_way_there_is_not_looked_up(blanked: str) -> None:
    text = (FIXTURES / "vxlan-own-endpoint" / "paste.txt").read_text()
    assert blanked in text
    given = report(text.replace(blanked, f"{blanked.split()[0]} x.x.x.x"))
    assert of(given, NAME)
