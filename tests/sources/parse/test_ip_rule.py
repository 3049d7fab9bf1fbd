"""``ip rule``, text and JSON."""

import pytest

from hopback.snapshot.rows import Rule
from hopback.sources.parse import ip_rule
from tests.sources.parse.given import facts, listing, recorded, rows


def rules(name: str) -> list[dict[str, object]]:
    parsed = ip_rule.parse(recorded(f"vm61-iproute/{name}"))
    assert not parsed.problems
    return [facts(row) for row in rows(parsed, Rule)]


@pytest.mark.parametrize(
    ("text", "json"),
    [
        ("ip-rule.txt", "ip-j-rule.json"),
        ("ip-d-rule.txt", "ip-d-j-rule.json"),
        ("ip-rule.txt", "ip-d-rule.txt"),
        ("ip-6-rule.txt", "ip-6-j-rule.json"),
    ],
)
def test_dialects_tell_the_same(text: str, json: str) -> None:
    assert rules(text) == rules(json)


def test_recorded_selectors() -> None:
    found = {said["priority"]: said for said in rules("ip-rule.txt")}
    assert found[99] == {
        "priority": 99,
        "family": 4,
        "selector": "from all fwmark 0x1/0xff iif br0",
        "action": "blackhole",
    }
    assert found[97]["selector"] == "not from 10.3.0.0/16 ipproto tcp dport 80"
    assert found[97]["action"] == "lookup main suppress_prefixlength 0"
    assert found[98]["action"] == "goto 32766"


def test_family_is_that_of_the_listing() -> None:
    text = recorded("vm61-iproute/ip-6-rule.txt")._replace(command=())
    assert {row.family for row in rows(ip_rule.parse(text), Rule)} == {6}


def test_half_a_rule_is_a_problem() -> None:
    parsed = ip_rule.parse(
        listing("0:\tfrom all lookup local\n9:\tfrom all loo\n10:\tfrom all lookup")
    )
    assert [row.priority for row in rows(parsed, Rule)] == [0]
    assert [problem.line for problem in parsed.problems] == [2, 3]


def test_shape() -> None:
    assert ip_rule.SHAPE is not None
    for name in ("ip-rule.txt", "ip-6-rule.txt", "ip-j-rule.json"):
        assert ip_rule.SHAPE.match(recorded(f"vm61-iproute/{name}").lines[0]), name
    assert not ip_rule.SHAPE.match("1: from here on it is fine")
