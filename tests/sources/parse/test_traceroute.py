"""traceroute, tracepath, mtr and tracert: who answers at which distance."""

import pytest

from hopback.snapshot.rows import TraceHop
from hopback.sources.parse import traceroute
from tests.sources.parse.given import listing, pasted, recorded, rows

TARGET = "198.51.100.30"


def hops(text: str, command: str = f"traceroute {TARGET}") -> list[tuple[int, str]]:
    parsed = traceroute.parse(listing(text, command))
    assert not parsed.problems
    return [(row.distance, row.address) for row in rows(parsed, TraceHop)]


@pytest.mark.parametrize("program", ["traceroute", "tracepath"])
def test_recorded_ring(program: str) -> None:
    found = rows(traceroute.parse(recorded(f"traces/{program}-n-{TARGET}.txt")), TraceHop)
    assert [(row.distance, row.address) for row in found][-4:] == [
        (3, "192.0.2.1"),
        (4, "203.0.113.7"),
        (5, "192.0.2.1"),
        (6, "203.0.113.7"),
    ]
    assert {(row.target, row.sign, row.reached) for row in found} == {(TARGET, "", False)}


def test_recorded_report_of_mtr() -> None:
    parsed = traceroute.parse(recorded(f"traces/mtr-n-r-{TARGET}.txt"))
    assert not parsed.problems
    found = rows(parsed, TraceHop)
    assert [(row.distance, row.address) for row in found] == [(2, "203.0.113.7"), (3, "192.0.2.1")]
    assert found[0].target == TARGET


def test_names_loads_and_silence() -> None:
    text = f"""
        traceroute to web.example ({TARGET}), 30 hops max, 60 byte packets
         1  gw.example.net (192.0.2.1) [AS64500]  0.4 ms * r2.example.net (192.0.2.2)  0.3 ms
         2  * * *
         3  192.0.2.5 (192.0.2.5)  0.7 ms !H  0.8 ms !H *
        """
    parsed = traceroute.parse(listing(text, "traceroute web.example"))
    found = rows(parsed, TraceHop)
    assert [(r.distance, r.address, r.sign) for r in found] == [
        (1, "192.0.2.1", ""),
        (1, "192.0.2.2", ""),
        (3, "192.0.2.5", "!H"),
    ]
    assert found[0].target == TARGET


def test_a_router_of_which_only_the_name_is_shown() -> None:
    text = " 1:  _gateway   0.412ms \n 2:  no reply\n 3:  core.example  1.2ms asymm  2"
    assert hops(text, f"tracepath {TARGET}") == [(1, "_gateway"), (3, "core.example")]


def test_several_routers_at_one_distance_of_mtr() -> None:
    text = """
        HOST: web1            Loss%   Snt   Last   Avg  Best  Wrst StDev
          1.|-- gw.example    0.0%    10    0.3   0.3   0.2   0.4   0.0
          2.|-- 192.0.2.5     0.0%    10    0.3   0.3   0.2   0.4   0.0
            |  `|-- 192.0.2.6
        """
    found = hops(text, f"mtr -r {TARGET}")
    assert found == [(1, "gw.example"), (2, "192.0.2.5"), (2, "192.0.2.6")]


def test_windows() -> None:
    text = f"""
        Tracing route to web.example [{TARGET}]
        over a maximum of 30 hops:

          1    <1 ms    <1 ms    <1 ms  192.0.2.1
          2     *        *        *     Request timed out.
          3     1 ms     1 ms     2 ms  core.example [192.0.2.5]
        """
    assert hops(text, "tracert web.example") == [(1, "192.0.2.1"), (3, "192.0.2.5")]


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (f" 3  {TARGET}  2.4 ms", f"traceroute {TARGET}"),
        (f" 3  web.example ({TARGET})  2.4 ms", "traceroute web.example"),
        (" 3:  web.example  2.4ms reached", "tracepath web.example"),
    ],
)
def test_reached(line: str, command: str) -> None:
    (row,) = rows(traceroute.parse(listing(line, command)), TraceHop)
    assert row.reached


def test_refused_by_the_target_is_not_reached() -> None:
    line = f" 3  {TARGET}  2.4 ms !X"
    (row,) = rows(traceroute.parse(listing(line, f"traceroute {TARGET}")), TraceHop)
    assert (row.sign, row.reached) == ("!X", False)


def test_prose_is_no_hop() -> None:
    text = "and then I tried\n3 other machines, 2 of them\n 1  192.0.2.1  0.4 ms"
    found = rows(traceroute.parse(pasted(text, f"traceroute {TARGET}")), TraceHop)
    assert [row.address for row in found] == ["192.0.2.1"]


def test_a_line_of_another_kind_is_told() -> None:
    parsed = traceroute.parse(listing("nonsense", f"traceroute {TARGET}"))
    assert [problem.line for problem in parsed.problems] == [1]
