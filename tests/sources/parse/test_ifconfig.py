"""``ifconfig`` of net-tools and busybox."""

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import Address, Link
from hopback.sources.parse import ifconfig
from tests.sources.parse.given import facts, listing, pasted, recorded, rows


def test_dialects_tell_the_same() -> None:
    new = ifconfig.parse(recorded("vm61-iproute/ifconfig-a.txt", "ifconfig -a"))
    old = ifconfig.parse(recorded("vm61-iproute/busybox-ifconfig-a.txt", "busybox ifconfig -a"))
    assert [facts(row) for row in new.rows] == [facts(row) for row in old.rows]
    assert not new.problems
    assert not old.problems


def test_recorded() -> None:
    parsed = ifconfig.parse(recorded("vm61-iproute/ifconfig-a.txt", "ifconfig -a"))
    links = {row.name: row for row in rows(parsed, Link)}
    assert "br0:1" not in links
    assert facts(links["v0"]) == {
        "name": "v0",
        "mac": parse_mac("aa:28:89:43:64:09"),
        "up": True,
        "carrier": True,
        "promisc": True,
        "mtu": 1500,
    }
    assert (links["tap0"].up, links["tap0"].carrier) == (True, False)
    found = {row.address: row for row in rows(parsed, Address)}
    assert (found["10.0.0.7"].dev, found["10.0.0.7"].prefix_len) == ("br0", 24)
    assert (found["fd00::1"].scope, found["fd00::1"].prefix_len) == ("global", 64)


def test_cut_and_damaged() -> None:
    parsed = ifconfig.parse(
        pasted("""
            It says:
            eth0      Link encap:Ethernet  HWaddr 02:FF:EE:C0:FF:EE
                      inet addr:192.0.2.2 [...]
                      inet6 addr: fe80::1/64 Scope:Link
                      RX packets:15 [...] TX packets:24 [...]
            and no more
        """)
    )
    (link,) = rows(parsed, Link)
    assert (link.mac, link.up, link.master) == (parse_mac("02:ff:ee:c0:ff:ee"), None, None)
    assert [row.address for row in rows(parsed, Address)] == ["fe80::1"]
    assert [problem.line for problem in parsed.problems] == [3]


def test_no_such_device() -> None:
    parsed = ifconfig.parse(listing("br0: error fetching interface information: Device not found"))
    assert [problem.line for problem in parsed.problems] == [1]


def test_shape() -> None:
    assert ifconfig.SHAPE is not None
    for name in ("ifconfig-a.txt", "busybox-ifconfig-a.txt"):
        assert ifconfig.SHAPE.match(recorded(f"vm61-iproute/{name}").lines[0]), name
    assert not ifconfig.SHAPE.match("lo: this is the loopback")
