"""``bridge mdb``, old and new, text and JSON."""

import pytest

from hopback.snapshot.rows import Mdb, RouterPort
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
    assert [row.dev for row in rows(parsed, RouterPort)] == ["eth0"]
    assert [problem.line for problem in parsed.problems] == [3]


@pytest.mark.parametrize("name", ["bridge-d-mdb.txt", "bridge-s-d-mdb.txt", "bridge-d-j-mdb.json"])
def test_recorded_router_ports(name: str) -> None:
    parsed = bridge_mdb.parse(recorded(f"vm61-iproute/{name}"))
    assert [facts(row) for row in rows(parsed, RouterPort)] == [{"bridge": "br0", "dev": "v0"}]
    assert RouterPort not in bridge_mdb.FILLS, "a listing without -d shows none of them"


def test_several_router_ports() -> None:
    told = "router ports on br0: eth0 vnet1 \nrouter ports on br1: v0    0.00 permanent\n"
    parsed = bridge_mdb.parse(listing(told + "router ports on br2: \n"))
    found = [(row.bridge, row.dev) for row in rows(parsed, RouterPort)]
    assert found == [("br0", "eth0"), ("br0", "vnet1"), ("br1", "v0")]
    assert parsed.problems == []


def test_a_source_specific_entry() -> None:
    sources = {
        said.get("source") for said in members("bridge-mdb.txt") if said["group"] == "239.1.1.3"
    }
    assert sources == {"10.0.0.3"}


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
