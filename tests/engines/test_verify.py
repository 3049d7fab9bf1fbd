"""A proof over whole tables, a witness that trace confirms, or what stands against a proof."""

import pytest
from msgspec.structs import replace

from hopback.checks.diagnose import diagnose
from hopback.datapath.model import Model, model_of
from hopback.engines.entries import entries
from hopback.engines.trace import trace
from hopback.engines.verify import Proof, verify
from hopback.network.build import build
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Blind, Fdb
from hopback.snapshot.table import Cite, Extent, Missing, Rows
from tests.build import (
    BRIDGE,
    GUEST0,
    GUEST1,
    HYPERVISOR,
    LINKS,
    RING,
    VETH,
    domiflist,
    fdb,
    link,
    links,
    listing,
    pasted,
)

GUESTS = domiflist(f"vnet0 br0 {GUEST0}", f"vnet1 br0 {GUEST1}")
TABLE = fdb(f"{GUEST0} dev vnet0 master br0", f"{GUEST1} dev vnet1 master br0")
HOST = HYPERVISOR.replace("stp_state 0", "stp_state 0 mcast_snooping 0") + GUESTS + TABLE


def whole(text: str) -> Snapshot:
    """The host of a paste, as if the tables that it lacks had been listed and were empty."""
    (snapshot,) = pasted(text)
    lacking = [n for n, table in snapshot.tables() if isinstance(table, Missing)]
    return replace(snapshot, **{name: Rows((), (Extent(0),)) for name in lacking})


def model(*hosts: Snapshot) -> Model:
    return model_of(build(hosts))


def proof(text: str) -> Proof:
    return verify(model(whole(text)))


def witnesses(found: Proof) -> set[tuple[str, str, str]]:
    return {(w.fate, w.kind, " ".join(d.name for d in w.devices)) for w in found.witnesses}


def test_a_plain_host_is_proved_as_far_as_its_way_out() -> None:
    found = proof(HOST)
    assert found.holds, found.open
    assert [dev.name for dev in found.beyond] == ["eth0"]
    assert (found.places, found.frames > 20) == (4, True)


def test_a_hairpin_port_returns_floods_to_its_station_and_unknown_ones_to_no_station() -> None:
    one = HOST.replace("hairpin off", "hairpin on", 2).replace("hairpin on", "hairpin off", 1)
    expected = {("returned", kind, "vnet0") for kind in ("broadcast", "multicast", "unicast")}
    assert witnesses(proof(one)) == expected
    to_itself = [w for w in proof(one).witnesses if w.kind == "unicast"]
    assert [w.frame.dst == w.frame.src for w in to_itself] == [True]
    unlike = proof(HOST.replace("hairpin off", "hairpin on", 1))
    strangers = [w for w in unlike.witnesses if w.kind == "unicast"]
    assert [w.frame.dst == w.frame.src for w in strangers] == [False], "a switch floods it on"


def test_a_ring_is_found_and_trace_shows_each_witness() -> None:
    ring = model(whole(links(*RING)))
    found = verify(ring)
    assert ("cycle", "broadcast", "a0 a1 b0 b1") in witnesses(found)
    assert ("returned", "broadcast", "br0") in witnesses(found)
    for witness in found.witnesses:
        (entry,) = (e for e in entries(ring) if e.place == witness.entry)
        journey = trace(ring, entry.place, witness.frame, sender=entry.sender)[0]
        assert journey.end(witness.fate) is not None
    cut = links(*RING[:-1], RING[-1].replace("forwarding", "blocking"))
    assert witnesses(proof(cut)) == set()


def test_two_vlans_of_one_cable_on_one_bridge_return_nothing_into_the_same_vlan() -> None:
    vlans = (
        link(7, "eth0.10@eth0", "0c:c4:7a:00:00:01", "vlan protocol 802.1Q id 10", master="br0"),
        link(8, "eth0.20@eth0", "0c:c4:7a:00:00:01", "vlan protocol 802.1Q id 20", master="br0"),
    )
    nic = link(2, "eth0", "0c:c4:7a:00:00:01")
    text = links(nic, LINKS[1], *vlans)
    assert witnesses(proof(text)) == set()
    assert {e.place.dev.name for e in entries(model(whole(text)))} == {"br0", "eth0"}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("links", "all devices of kvm1"),
        ("blinds", "tc filters"),
        ("filters filter_chains", "packet filters"),
    ],
)
def test_a_table_that_nobody_listed_stands_against_it(table: str, said: str) -> None:
    given = replace(whole(HOST), **{name: Missing("not given", "") for name in table.split()})
    rows = getattr(whole(HOST), table.split()[0]).rows
    if rows:
        given = replace(given, **{table: Rows(rows, (Extent(0, complete=False),))})
    found = verify(model(given))
    assert not found.holds
    assert any(said in what for what in found.open)


def test_a_forwarding_table_that_was_filtered_is_an_open_question() -> None:
    snapshot = whole(HOST)
    rows: tuple[Fdb, ...] = snapshot.fdb.rows
    part = replace(snapshot, fdb=Rows(rows, (Extent(0, complete=False),)))
    assert any("does its table have" in what for what in verify(model(part)).asked)


def test_a_filter_of_tc_below_a_vlan_device_is_on_the_way() -> None:
    vlan = link(7, "eth0.10@eth0", "0c:c4:7a:00:00:01", "vlan protocol 802.1Q id 10", master="br0")
    snapshot = whole(links(link(2, "eth0", "0c:c4:7a:00:00:01"), LINKS[1], vlan))
    for dev, against in (("eth0", True), ("eth7", False)):
        row = Blind(cite=Cite(0, 1), dev=dev, what="tc filter on ingress")
        given = replace(snapshot, blinds=Rows((row,), (Extent(0),)))
        assert (f"{dev}: tc filter on ingress" in verify(model(given)).open) == against


def test_the_bound_is_a_result() -> None:
    found = verify(model(whole(HOST)), hops_max=50)
    assert found.open == ("there is more to try than 50 hops",)


def test_where_nothing_is_switched_nothing_is_proved() -> None:
    assert not proof(links(LINKS[0].replace(" master br0", ""))).holds


def test_a_clear_verdict_is_proved_or_says_why_not() -> None:
    report = diagnose([whole(HOST)])
    assert (report.verdict, report.proved, report.unproved) == ("clear", True, ())
    assert report.trusted == ("eth0",)
    doubtful = diagnose(pasted(HOST))
    assert (doubtful.verdict, doubtful.proved) == ("clear", False)
    assert len(doubtful.unproved) == 2


def test_a_large_network_is_tried_on_request_alone() -> None:
    taps = [
        link(100 + n, f"tap{n}", f"fe:54:00:00:01:{n:02x}", "tun type tap", master="br0", port="")
        for n in range(70)
    ]
    snapshot = whole(
        links(*LINKS, *taps).replace("stp_state 0", "stp_state 0 mcast_snooping 0") + TABLE
    )
    assert not diagnose([snapshot]).proved
    assert diagnose([snapshot], prove=True).proved


def test_what_no_check_finds_is_not_called_clear() -> None:
    """A ring of two VLANs over one veth pair: each VLAN leads from one bridge to the other."""
    ring = [
        link(3, "br0", "02:00:00:00:0a:01", BRIDGE),
        link(4, "br1", "02:00:00:00:0b:01", BRIDGE),
        link(5, "a0@b0", "02:00:00:00:0a:01", VETH),
        link(6, "b0@a0", "02:00:00:00:0b:01", VETH),
    ]
    number = 7
    for end, bridge in (("a0", "br0"), ("b0", "br1")):
        for vid in (10, 20):
            kind = f"vlan protocol 802.1Q id {vid}"
            ring.append(
                link(
                    number,
                    f"{end}.{vid}@{end}",
                    f"02:00:00:00:0c:{number:02x}",
                    kind,
                    master=bridge,
                    port="",
                )
            )
            number += 1
    text = links(*ring) + listing("bridge fdb show br br0", [f"{GUEST0} dev a0.10 master br0"])
    report = diagnose([whole(text)])
    assert (report.verdict, report.proved, report.findings) == ("undecided", False, ())
    (gap,) = report.gaps
    assert "goes round through a0 → a0.10 → a0.20 → b0 → b0.10 → b0.20" in gap.reason
