"""A packet to an address and its answer, followed through one set of tables."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from hopback.engines.flow import Flow, follow
from tests.build import GUEST0, GUEST1, HYPERVISOR, domiflist, fdb, listing, model

FLOATING, FIXED, OTHER = "203.0.113.10", "10.0.0.3", "10.0.0.4"
GUESTS = domiflist(f"vnet0 br0 {GUEST0}", guest="web") + domiflist(
    f"vnet1 br0 {GUEST1}", guest="db"
)
TABLE = fdb(f"{GUEST0} dev vnet0 master br0", f"{GUEST1} dev vnet1 master br0")
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
NEIGHBOURS = listing(
    "ip neigh show",
    [
        f"{FIXED} dev br0 lladdr {GUEST0} REACHABLE",
        f"{OTHER} dev br0 lladdr {GUEST1} REACHABLE",
    ],
)
NAT = (
    "*nat",
    ":PREROUTING ACCEPT [0:0]",
    ":POSTROUTING ACCEPT [0:0]",
    f"-A PREROUTING -d {FLOATING}/32 -j DNAT --to-destination {FIXED}",
    f"-A POSTROUTING -s {FIXED}/32 -d {FIXED}/32 -j SNAT --to-source {FLOATING}",
    "COMMIT",
)
HOST = HYPERVISOR + GUESTS + TABLE + ADDRESSES + ROUTES + NEIGHBOURS


def settings(call: int, forward: int = 1) -> str:
    lines = [f"net.ipv4.ip_forward = {forward}", f"net.bridge.bridge-nf-call-iptables = {call}"]
    return listing("sysctl net", lines)


def flow(text: str, guest: str = "web", target: str = FLOATING, port: int | None = None) -> Flow:
    known = model(text)
    (station,) = [s for s in known.network.stations if s.name == guest]
    found = follow(known, station, IPv4Address(target), port=port)
    assert found is not None
    return found


def saved(*rules: str) -> str:
    return listing("iptables-save", rules)


@pytest.mark.parametrize("port", [None, 80])
def test_a_guest_reaches_its_own_floating_ip_by_the_host_s_routing(port: int | None) -> None:
    found = flow(HOST + settings(call=0) + saved(*NAT), port=port)
    assert (found.end, str(found.answered_by)) == ("answered", FLOATING)
    assert found.request is not None
    names = [f"{h.place.dev.name} {h.place.way}" for h in found.request.trace.hops]
    assert names == ["vnet0 in", "br0 in", "br0 out", "vnet0 out"]


def test_bridged_it_needs_hairpin_and_the_loss_names_port_and_nat() -> None:
    found = flow(HOST + settings(call=1) + saved(*NAT))
    assert found.end == "request-lost"
    assert found.lost is not None
    assert found.lost.why.rule == "same-port"
    snapshot = model(HOST + settings(call=1) + saved(*NAT)).network.snapshots["kvm1"]
    texts = [
        (snapshot.sources[ref.cite.source].text or "").splitlines()[
            ref.cite.line - snapshot.sources[ref.cite.source].first_line
        ]
        for ref in found.lost.why.refs
    ]
    assert any("DNAT" in text for text in texts)
    assert any("bridge-nf-call-iptables" in text for text in texts)


def test_another_guest_gets_its_answer_past_the_nat() -> None:
    found = flow(HOST + settings(call=0) + saved(*NAT), guest="db")
    assert (found.end, str(found.answered_by)) == ("another-address", FIXED)
    bridged = flow(HOST + settings(call=1) + saved(*NAT), guest="db")
    assert (bridged.end, str(bridged.answered_by)) == ("answered", FLOATING)


def test_without_nat_of_its_own_source_a_guest_drops_what_comes_from_itself() -> None:
    found = flow(HOST + settings(call=0) + saved(*NAT[:4], "COMMIT"))
    assert found.lost is not None
    assert (found.end, found.lost.why.rule) == ("request-lost", "ip-martian")


def test_a_rule_that_drops_is_cited() -> None:
    drop = ("*filter", ":FORWARD ACCEPT [0:0]", f"-A FORWARD -d {FIXED}/32 -j DROP", "COMMIT")
    found = flow(HOST + settings(call=0) + saved(*NAT) + saved(*drop))
    assert found.lost is not None
    assert found.lost.why.rule == "filter-drop"


def test_guests_on_one_bridge_answer_each_other_in_its_tables() -> None:
    found = flow(HOST + settings(call=0), target=OTHER)
    assert (found.end, str(found.answered_by)) == ("answered", OTHER)
    found = flow(HYPERVISOR + GUESTS + TABLE + NEIGHBOURS, target=OTHER)
    assert found.end == "answered", "what the host routes is not asked for"


def test_what_nothing_tells_is_out_of_sight() -> None:
    assert flow(HYPERVISOR + GUESTS + TABLE + NEIGHBOURS).end == "out-of-sight"
    assert flow(HOST + settings(call=0), target="198.51.100.1").end == "request-lost"
    known = model(HYPERVISOR + GUESTS)
    assert follow(known, known.network.stations[0], IPv4Address(FLOATING)) is None
    assert follow(model(HOST), model(HOST).network.stations[0], IPv6Address("fd00::1")) is None


def balanced(conntrack: int = 0) -> str:
    """kvm1 balances its floating address, by NAT, to the other guest."""
    table = [f"-A -t {FLOATING}:80 -s rr", f"-a -t {FLOATING}:80 -r {OTHER}:8080 -m -w 1"]
    return (
        HOST
        + settings(call=0)
        + listing("sysctl net.ipv4.vs", [f"net.ipv4.vs.conntrack = {conntrack}"])
        + listing("ipvsadm -Sn", table)
        + saved(
            "*nat",
            ":POSTROUTING ACCEPT [0:0]",
            f"-A POSTROUTING -d {OTHER}/32 -j SNAT --to-source 10.0.0.1",
            "COMMIT",
        )
    )


def test_a_server_behind_ipvs_answers_its_neighbour_itself() -> None:
    found = flow(balanced(), port=80)
    assert (found.end, str(found.answered_by)) == ("another-address", OTHER)


def test_where_conntrack_goes_along_its_answer_comes_back_through_ipvs() -> None:
    found = flow(balanced(conntrack=1), port=80)
    assert (found.end, str(found.answered_by)) == ("answered", FLOATING)
