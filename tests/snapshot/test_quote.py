"""The text behind a citation."""

import tracemalloc

import pytest
from hypothesis import given, settings

from hopback.frames.mac import parse_mac
from hopback.snapshot.model import Builder, Snapshot
from hopback.snapshot.patch import Add, patch
from hopback.snapshot.quote import quote
from hopback.snapshot.render import render
from hopback.snapshot.rows import (
    Address,
    BridgePort,
    DadEvent,
    Fdb,
    FdbEvent,
    FilterChain,
    FilterRule,
    GuestNic,
    IpvsServer,
    IpvsService,
    Link,
    Neighbour,
    NextHop,
    OwnSource,
    PortEvent,
    PortVlan,
    Route,
    Row,
    Sysctl,
    VlanDevice,
    Vxlan,
)
from hopback.snapshot.table import Cite, Rows, Source
from tests.snapshot.samples import any_row, snapshots

HERE = Cite(0, 1)
VM = parse_mac("fa:16:3e:56:ea:fa")
ENTRY = Fdb(cite=HERE, mac=VM, dev="bond0", bridge="br0")


def one(text: str | None, row: Row = ENTRY, first: int = 1) -> Snapshot:
    builder = Builder()
    builder.open(Source("bridge fdb show", "", first, text))
    builder.add([row])
    return builder.build()


def test_line_as_read() -> None:
    text = "$ bridge fdb show\n  fa:16:3e:56:ea:fa dev bond0 master br0 \nlast"
    snapshot = one(text, first=41)
    assert quote(snapshot, Cite(0, 41)) == "$ bridge fdb show"
    assert quote(snapshot, Cite(0, 42)) == "fa:16:3e:56:ea:fa dev bond0 master br0"
    assert quote(snapshot, Cite(0, 43)) == "last"


@pytest.mark.parametrize(
    "cite", [Cite(0, 40), Cite(0, 42), Cite(1, 41), Cite(-1, 41), Cite(0, 10**30)]
)
def test_citation_of_nothing(cite: Cite) -> None:
    assert quote(one("x", first=41), cite) == ""


def test_live_row_is_written_as_iproute2_would() -> None:
    assert quote(one(None), HERE) == "fa:16:3e:56:ea:fa dev bond0 master br0"


def test_long_line_gives_the_row() -> None:
    snapshot = one("[" + "x" * 1000)
    assert quote(snapshot, HERE) == "fa:16:3e:56:ea:fa dev bond0 master br0"
    assert quote(Snapshot(sources=snapshot.sources), HERE) == "[" + "x" * 198 + "…"


def test_an_object_of_json_is_quoted_by_its_own_rows() -> None:
    own = Fdb(cite=HERE._replace(item=2), mac=VM, dev="tap0", local=True)
    snapshot = patch(one("[{}, {}]"), [Add(own)])
    assert quote(snapshot, own.cite) == "fa:16:3e:56:ea:fa dev tap0 permanent"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (
            FdbEvent(cite=HERE, mac=VM, dev="vnet0", bridge="br0", vlan=1, deleted=True),
            "Deleted fa:16:3e:56:ea:fa dev vnet0 vlan 1 master br0",
        ),
        (
            FilterChain(
                cite=HERE,
                family="ip",
                table="t",
                name="c",
                hook="input",
                priority=-5,
                policy="drop",
            ),
            "chain ip t c hook input priority -5 policy drop",
        ),
        (
            FilterRule(
                cite=HERE, family="ip", table="t", chain="c", place=2, steps=(), text="counter drop"
            ),
            "rule 2 of ip t c: counter drop",
        ),
        (
            Link(cite=HERE, name="veth0", index=4, lower_index=7, up=True, mac=VM, kind="veth"),
            "4: veth0@if7: <UP> link/ether fa:16:3e:56:ea:fa veth",
        ),
        (
            BridgePort(cite=HERE, name="vnet7", bridge="br0", hairpin=True, learning=False),
            "vnet7: master br0 hairpin on learning off",
        ),
        (
            Address(cite=HERE, dev="eth0", address="fe80::1", prefix_len=64, flags=("dadfailed",)),
            "inet6 fe80::1/64 dadfailed dev eth0",
        ),
        (
            Neighbour(cite=HERE, dev="br0", address="10.0.0.1", mac=VM, state="REACHABLE"),
            "10.0.0.1 dev br0 lladdr fa:16:3e:56:ea:fa REACHABLE",
        ),
        (
            Route(cite=HERE, destination="default", family=4, hops=(NextHop("br0", "10.0.0.1"),)),
            "default via 10.0.0.1 dev br0",
        ),
        (PortVlan(cite=HERE, dev="br0", vid=1, pvid=True), "br0 1 PVID"),
        (
            VlanDevice(cite=HERE, name="bond0.10", vid=10, lower="bond0"),
            "bond0.10@bond0: vlan protocol 802.1Q id 10",
        ),
        (
            Vxlan(cite=HERE, name="vx7", vni=7, remote="10.0.0.9", port=4789, learning=False),
            "vx7: vxlan id 7 remote 10.0.0.9 dstport 4789 nolearning",
        ),
        (
            Link(cite=HERE, name="mv0", lower="eth0", kind="macvtap", macvlan_mode="vepa"),
            "mv0@eth0: macvtap mode vepa",
        ),
        (
            GuestNic(cite=HERE, guest="vm1", target="vnet7", source="br0", source_kind="bridge"),
            "guest vm1 target vnet7 bridge br0",
        ),
        (
            OwnSource(cite=HERE, dev="bond0", bridge="br0", mac=VM, vlan=0),
            "br0: received packet on bond0 with own address as source address"
            " (addr:fa:16:3e:56:ea:fa, vlan:0)",
        ),
        (
            PortEvent(cite=HERE, bridge="br0", dev="eth0", number=1, state="blocking"),
            "br0: port 1(eth0) entered blocking state",
        ),
        (
            DadEvent(cite=HERE, dev="eth0", address="fe80::1", used_by=VM),
            "eth0: IPv6 duplicate address fe80::1 used by fa:16:3e:56:ea:fa detected!",
        ),
        (Sysctl(cite=HERE, key="net.a", value="1"), "net.a = 1"),
        (
            IpvsService(
                cite=HERE,
                protocol="tcp",
                address="192.0.2.1",
                port=80,
                scheduler="sh",
                persistent=300,
                flags=("ops", "sh-port"),
            ),
            "-A -t 192.0.2.1:80 -s sh -p 300 -o -b sh-port",
        ),
        (
            IpvsServer(
                cite=HERE,
                protocol="udp",
                family=6,
                address="fd00::1",
                port=53,
                server="fd00::2",
                server_port=53,
                method="route",
                weight=0,
            ),
            "-a -u [fd00::1]:53 -r [fd00::2]:53 -g -w 0",
        ),
        (
            IpvsServer(
                cite=HERE,
                protocol="fwmark",
                family=6,
                mark=7,
                server="192.0.2.2",
                method="tunnel",
                tunnel="gue",
                tunnel_port=6080,
                upper=9,
            ),
            "-a -f 7 -6 -r 192.0.2.2:0 -i -x 9 --tun-type gue --tun-port 6080",
        ),
    ],
)
def test_rendered(row: Row, text: str) -> None:
    assert render(row) == text


@given(any_row)
@settings(max_examples=100, deadline=None)
def test_every_row_can_be_rendered(row: Row) -> None:
    assert isinstance(render(row), str)


@given(snapshots())
@settings(max_examples=30, deadline=None)
def test_every_citation_can_be_quoted(snapshot: Snapshot) -> None:
    for _, table in snapshot.tables():
        for row in table.rows:
            assert "\n" not in quote(snapshot, row.cite)


def test_one_line_of_a_million_needs_no_memory() -> None:
    snapshot = Snapshot(sources=(Source("x", text="some line\n" * 1_000_000),), fdb=Rows(()))
    tracemalloc.start()
    assert quote(snapshot, Cite(0, 999_999)) == "some line"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000
