"""/proc/net/vlan/config."""

from hopback.sources.parse import vlan_config
from tests.sources.parse.given import facts, listing, recorded


def test_recorded() -> None:
    parsed = vlan_config.parse(recorded("vm61-bond/proc-net-vlan-config.txt"))
    assert [facts(row) for row in parsed.rows] == [
        {"name": "bond0.10", "vid": 10, "lower": "bond0"}
    ]
    assert [row.cite.line for row in parsed.rows] == [3]
    assert not parsed.problems


def test_half_line_is_a_problem() -> None:
    parsed = vlan_config.parse(listing("bond0.10       | 10  |"))
    assert not parsed.rows
    assert [problem.line for problem in parsed.problems] == [1]
