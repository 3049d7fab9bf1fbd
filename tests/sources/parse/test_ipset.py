"""``ipset save`` and ``ipset list``."""

import pytest

from hopback.snapshot.keys import said
from hopback.snapshot.rows import FilterSet, Span
from hopback.sources.parse import ipset
from tests.sources.parse.given import listing, recorded, rows

NET = 10 << 24


def one(kind: str, *entries: str, options: str = "") -> FilterSet:
    lines = [f"create s {kind} family inet{options}", *(f"add s {entry}" for entry in entries)]
    (row,) = rows(ipset.parse(listing("\n".join(lines), "ipset save")), FilterSet)
    return row


@pytest.mark.parametrize(
    ("kind", "entry", "element"),
    [
        ("hash:ip", "10.0.0.1", (NET + 1,)),
        ("hash:net", "10.0.0.0/8", (Span(NET, NET + 2**24 - 1),)),
        ("hash:ip", "10.0.0.1-10.0.0.3", (Span(NET + 1, NET + 3),)),
        ("hash:ip,port", "10.0.0.1,tcp:80", (NET + 1, 6 << 16 | 80)),
        ("hash:ip,port", "10.0.0.1,udp:53-55", (NET + 1, Span(17 << 16 | 53, 17 << 16 | 55))),
        ("hash:ip,port", "10.0.0.1,icmp:echo-request", (NET + 1, 1 << 16 | 8 << 8)),
        ("hash:ip,port", "10.0.0.1,gre:0", (NET + 1, 47 << 16)),
        ("bitmap:port", "22", (22,)),
        ("bitmap:ip,mac", "10.0.0.1,02:00:00:00:00:31", (NET + 1, 0x020000000031)),
        ("hash:net,iface", "10.0.0.0/8,eth0", (Span(NET, NET + 2**24 - 1), "eth0")),
        ("hash:ip,mark", "10.0.0.1,0x63", (NET + 1, 0x63)),
        ("list:set", "other", ("other",)),
        ("hash:net,port", "fd00::1,ipv6-icmp:128/0", ((0xFD00 << 112) + 1, 58 << 16 | 128 << 8)),
    ],
)
def test_an_entry(kind: str, entry: str, element: tuple[object, ...]) -> None:
    row = one(kind, f'{entry} timeout 299 comment "a b"')
    assert (row.kind, row.elements, row.whole) == (kind, (element,), True)
    assert row.backend == "ipset"


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("hash:net,iface", "10.0.0.0/8,physdev:eth0"),
        ("bitmap:ip,mac", "10.0.0.1"),
        ("hash:net,port", "10.0.0.0/8,tcp:80 nomatch"),
        ("hash:ip", "host.example"),
    ],
)
def test_what_rows_cannot_say_leaves_the_set_open(kind: str, entry: str) -> None:
    row = one(kind, entry)
    assert (row.elements, row.whole) == ((), False)


def test_an_exception_is_taken_out_of_what_holds_it() -> None:
    row = one("hash:net", "10.0.0.0/24", "10.0.0.16/28 nomatch", "10.0.0.17", "10.1.0.0/24")
    assert row.elements == (
        (Span(NET, NET + 15),),
        (Span(NET + 32, NET + 255),),
        (NET + 17,),
        (Span(NET + 2**16, NET + 2**16 + 255),),
    )
    assert row.whole


def test_under_a_netmask_an_address_is_its_network() -> None:
    assert one("hash:ip", "10.0.3.0", options=" netmask 24").elements == (
        (Span(NET + 768, NET + 1023),),
    )


def test_both_listings_tell_the_same() -> None:
    saved = ipset.parse(recorded("xtables/ipset-save.txt"))
    listed = ipset.parse(recorded("xtables/ipset-list.txt"))
    assert [said(row) for row in saved.rows] == [said(row) for row in listed.rows]
    assert [row.name for row in rows(saved, FilterSet)] == ["trusted", "loops", "services"]
    assert not saved.problems
    assert not listed.problems


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("Name: s\nType: hash:ip\nHeader: family inet\nNumber of entries: 5", "ipset list -t"),
        ("Name: s\nType: hash:ip\nMembers:", "ipset list -t"),
        ("create s hash:ip family inet\n[...]\nadd s 10.0.0.1", "ipset save"),
    ],
)
def test_members_that_were_not_shown(text: str, command: str) -> None:
    (row,) = rows(ipset.parse(listing(text, command)), FilterSet)
    assert not row.whole


def test_error_message_is_a_problem() -> None:
    parsed = ipset.parse(listing("ipset v7.17: Kernel error received: Operation not permitted"))
    assert not parsed.rows
    assert len(parsed.problems) == 1
