"""``bridge fdb``: dialects, flags, damage, and tables of many rows."""

import pytest

from hopback.frames.mac import format_mac, parse_mac
from hopback.snapshot.rows import Fdb
from hopback.sources.parse import bridge_fdb
from tests.sources.parse.given import facts, listing, pasted, recorded, rows


def entries(name: str, *without: str) -> list[dict[str, object]]:
    parsed = bridge_fdb.parse(recorded(name))
    assert not parsed.problems
    found = [facts(row) for row in rows(parsed, Fdb)]
    return [{key: said[key] for key in said if key not in without} for said in found]


@pytest.mark.parametrize(
    ("text", "json"),
    [
        ("libvirt/bridge-fdb.txt", "libvirt/bridge-d-s-j-fdb.json"),
        ("vm61-bond/bridge-fdb.txt", "vm61-bond/bridge-d-s-j-fdb.json"),
        ("vm61-iproute/bridge-s-fdb.txt", "vm61-iproute/bridge-d-s-j-fdb.json"),
        (
            "vm61-iproute/bridge-fdb-show-brport-v0.txt",
            "vm61-iproute/bridge-j-fdb-show-brport-v0.json",
        ),
    ],
)
def test_text_and_json_tell_the_same(text: str, json: str) -> None:
    # They were recorded one after the other: ages differ by what passed between.
    assert entries(text, "age") == entries(json, "age")


def test_recorded_moved_mac() -> None:
    moved = [
        said
        for said in entries("vm61-bond/bridge-d-s-j-fdb.json")
        if said["mac"] == parse_mac("52:54:00:aa:bb:01")
    ]
    assert moved == [
        {
            "mac": parse_mac("52:54:00:aa:bb:01"),
            "dev": "bond0",
            "bridge": "br0",
            "vlan": 1,
            "local": False,
            "static": False,
            "sticky": False,
            "locked": False,
            "extern_learn": False,
            "offload": False,
            "on_device": False,
            "age": 1_000_000_000,
        }
    ]


def test_recorded_flags() -> None:
    found = entries("vm61-iproute/bridge-s-fdb.txt")
    by_mac = {format_mac(said["mac"]): said for said in found}  # type: ignore[arg-type]
    static, sticky, learned, remote = (by_mac[f"02:00:00:00:00:0{n}"] for n in (1, 2, 3, 4))
    assert (static["static"], static["sticky"], static["local"]) == (True, False, False)
    assert (sticky["static"], sticky["sticky"]) == (True, True)
    assert learned["extern_learn"] is True
    assert (remote["dst"], remote["on_device"], remote["local"]) == ("10.1.0.4", True, True)
    (host,) = (said for said in found if said["vlan"] == 10 and said["dev"] == "br0")
    assert (host["bridge"], host["local"], host["on_device"]) == ("br0", True, False)


def test_age_is_that_of_the_last_refresh() -> None:
    (row,) = bridge_fdb.parse(listing("02:00:00:00:00:01 dev v0 vlan 7 used 90/2 master br0 ")).rows
    assert isinstance(row, Fdb)
    assert row.age == 2_000_000_000


def test_dialect_of_2013_prints_master_as_a_flag() -> None:
    parsed = bridge_fdb.parse(
        listing("02:00:00:00:00:01 dev vnet0 master permanent\n02:00:00:00:00:02 dev vnet0 temp")
    )
    assert [(row.bridge, row.local) for row in rows(parsed, Fdb)] == [(None, True), (None, False)]


def test_half_lines_and_redacted_addresses_are_problems() -> None:
    parsed = bridge_fdb.parse(
        listing("""
            # bridge fdb
            02:00:00:00:00:01 dev v0 master br0 perman
            02:00:00:##:##:## dev v0 master br0
            02:00:00:00:00:02 dev v0 master br0 shiny permanent
            02:00:00:00:00:03 dev v0 master br0 shiny permanent
            02:00:00:00:00:04 dev v0 vlan 5000 master br0
            02:00:00:0
            02:00:00:00:00:0_ dev v0 master br0
        """)
    )
    # What a new kernel adds is said once; the rest of such lines is used.
    assert [(row.mac, row.local) for row in rows(parsed, Fdb)] == [
        (parse_mac("02:00:00:00:00:02"), True),
        (parse_mac("02:00:00:00:00:03"), True),
    ]
    assert [problem.line for problem in parsed.problems] == [2, 3, 4, 6, 7, 8]


@pytest.mark.parametrize("remark", ["← it lives there!", "<-- wrong port", "# the uplink"])
def test_remark_behind_an_entry_is_no_part_of_it(remark: str) -> None:
    parsed = bridge_fdb.parse(pasted(f"52:54:00:aa:bb:01 dev v1 master br0  {remark}"))
    (row,) = rows(parsed, Fdb)
    assert (row.dev, row.bridge) == ("v1", "br0")
    assert not parsed.problems


def test_prose_is_passed_over() -> None:
    parsed = bridge_fdb.parse(
        pasted("""
            Here the table, note port v1:
              52:54:00:AA:bb:01 dev v1 master br0
            52:54:00:aa:bb:01 is my guest
        """)
    )
    assert [(row.dev, row.cite.line) for row in rows(parsed, Fdb)] == [("v1", 2)]
    assert not parsed.problems


def test_many_rows_share_what_they_repeat() -> None:
    lines = [
        f"52:54:00:00:{n >> 8:02x}:{n & 255:02x} dev vnet{n % 9} vlan 7 master br0 "
        for n in range(20_000)
    ]
    parsed = bridge_fdb.parse(listing("")._replace(lines=lines))
    found = rows(parsed, Fdb)
    assert [row.mac for row in found] == [0x525400000000 + n for n in range(20_000)]
    assert [row.cite.line for row in found] == list(range(1, 20_001))
    assert len({id(row.dev) for row in found}) == 9
    assert len({id(row.bridge) for row in found}) <= 9
    assert not parsed.problems


def test_truncated_json_keeps_whole_objects() -> None:
    whole = recorded("libvirt/bridge-d-s-j-fdb.json")
    parsed = bridge_fdb.parse(whole._replace(lines=[whole.lines[0][:1000]]))
    assert len(parsed.problems) == 1
    before = bridge_fdb.parse(whole).rows
    assert list(parsed.rows) == list(before[: len(parsed.rows)]) != []


def test_shape() -> None:
    assert bridge_fdb.SHAPE is not None
    for line in recorded("vm61-iproute/bridge-s-fdb.txt").lines:
        assert bridge_fdb.SHAPE.match(line), line
    for line in ("52:54:00:aa:bb:01 is my guest", *recorded("vm61-iproute/ip-neigh.txt").lines):
        assert not bridge_fdb.SHAPE.match(line), line
