"""``bridge mdb``, old and new, text and JSON."""

import pytest

from hopback.snapshot.rows import Mdb
from hopback.sources.parse import bridge_mdb
from tests.sources.parse.given import facts, listing, recorded, rows


def members(name: str) -> list[dict[str, object]]:
    parsed = bridge_mdb.parse(recorded(f"vm61-iproute/{name}"))
    assert not parsed.problems
    return [facts(row) for row in rows(parsed, Mdb)]


@pytest.mark.parametrize(
    "name", ["bridge-d-mdb.txt", "bridge-s-d-mdb.txt", "bridge-j-mdb.json", "bridge-d-j-mdb.json"]
)
def test_dialects_tell_the_same(name: str) -> None:
    assert members(name) == members("bridge-mdb.txt")


def test_recorded_members() -> None:
    found = members("bridge-mdb.txt")
    assert {
        "bridge": "br0",
        "dev": "v0",
        "group": "239.1.1.1",
        "vlan": 10,
        "permanent": True,
    } in found
    assert {said["permanent"] for said in found if said["dev"] == "br0"} == {False}
    assert "01:00:5e:01:02:03" in {said["group"] for said in found}


def test_dialect_of_2018() -> None:
    parsed = bridge_mdb.parse(
        listing("12: br0  vnet0  239.1.1.1  temp  vid 7\nrouter ports on br0: eth0 \nwhat")
    )
    assert [facts(row) for row in rows(parsed, Mdb)] == [
        {"bridge": "br0", "dev": "vnet0", "group": "239.1.1.1", "vlan": 7, "permanent": False}
    ]
    assert [problem.line for problem in parsed.problems] == [3]


def test_truncated_json_keeps_whole_members() -> None:
    whole = recorded("vm61-iproute/bridge-d-j-mdb.json")
    parsed = bridge_mdb.parse(whole._replace(lines=[whole.lines[0][:1000]]))
    before = [facts(row) for row in bridge_mdb.parse(whole).rows]
    assert [facts(row) for row in parsed.rows] == before[: len(parsed.rows)] != []
    assert len(parsed.problems) == 1


def test_shape() -> None:
    assert bridge_mdb.SHAPE is not None
    for name in ("bridge-mdb.txt", "bridge-d-j-mdb.json"):
        assert bridge_mdb.SHAPE.match(recorded(f"vm61-iproute/{name}").lines[0]), name
    assert not bridge_mdb.SHAPE.match(recorded("vm61-iproute/bridge-fdb.txt").lines[0])
