"""``bridge monitor``: events, stamps, labels."""

import pytest

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import FdbEvent
from hopback.sources.parse import bridge_monitor
from tests.sources.parse.given import facts, listing, recorded, rows

FLAP = parse_mac("02:00:00:00:00:0a")


def test_recorded_moves() -> None:
    parsed = bridge_monitor.parse(recorded("vm61-bond/bridge-monitor-fdb.txt"))
    found = rows(parsed, FdbEvent)
    assert [event.dev for event in found] == ["vnet0", "bond0"] * 11
    assert {(event.bridge, event.vlan, event.deleted) for event in found} == {("br0", 1, False)}
    assert not parsed.problems


@pytest.mark.parametrize(
    ("name", "moments"),
    [
        ("bridge-monitor-fdb.txt", [None, None]),
        ("bridge-monitor-all.txt", [None, None]),
        ("bridge-t-monitor-fdb.txt", [1795172289372853000, 1795172289395422000]),
        ("bridge-t-s-monitor-fdb.txt", [1795172289374834000, 1795172289395535000]),
        ("bridge-t-monitor-all.txt", [1795172289368440000, 1795172289395177000]),
    ],
)
def test_recorded_dialects(name: str, moments: list[int | None]) -> None:
    parsed = bridge_monitor.parse(recorded(f"vm61-iproute/{name}"))
    found = rows(parsed, FdbEvent)
    assert [(e.mac, e.dev, e.vlan, e.deleted) for e in found] == [
        (FLAP, "v0", 1, False),
        (FLAP, "v0", 1, True),
    ]
    assert [event.at for event in found] == moments
    assert not parsed.problems


def test_short_stamps() -> None:
    parsed = bridge_monitor.parse(
        listing("[2024-04-05T12:34:56.000007] [NEIGH]Deleted 02:00:00:00:00:0a dev v0 master br0 ")
    )
    assert [facts(row) for row in rows(parsed, FdbEvent)] == [
        {
            "mac": FLAP,
            "dev": "v0",
            "bridge": "br0",
            "vlan": 0,
            "deleted": True,
            "local": False,
            "at": 1712320496_000007_000,
        }
    ]


def test_damage_is_a_problem_and_filters_of_devices_are_no_events() -> None:
    parsed = bridge_monitor.parse(
        listing("""
            Timestamp: Fri Xyz 20 10:58:09 2026 1 usec
            02:00:00:00:00:xx dev v0 master br0
            33:33:00:00:00:01 dev v0 self permanent
            something else
        """)
    )
    assert not parsed.rows
    assert [problem.line for problem in parsed.problems] == [1, 2, 4]


def test_shape() -> None:
    assert bridge_monitor.SHAPE is not None
    for name in ("bridge-t-monitor-fdb.txt", "bridge-monitor-all.txt"):
        assert bridge_monitor.SHAPE.match(recorded(f"vm61-iproute/{name}").lines[0])
    assert not bridge_monitor.SHAPE.match(recorded("vm61-iproute/bridge-fdb.txt").lines[0])
    assert not bridge_monitor.SHAPE.match("[NEIGH] is what monitor prints")


@pytest.mark.parametrize("clock", ["[22:05:00.456] ", "22:05:00 "])
def test_time_of_day_that_a_shell_loop_put_in_front(clock: str) -> None:
    parsed = bridge_monitor.parse(listing(f"{clock}02:00:00:00:00:0a dev veth1 vlan 5 master br0"))
    (event,) = rows(parsed, FdbEvent)
    assert (event.mac, event.dev, event.vlan, event.at) == (FLAP, "veth1", 5, None)
    assert not parsed.problems
