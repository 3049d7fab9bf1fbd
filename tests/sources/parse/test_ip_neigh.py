"""``ip neigh``, ``arp`` and /proc/net/arp."""

import pytest

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import Neighbour
from hopback.sources.parse import ip_neigh
from tests.sources.parse.given import facts, listing, recorded, rows


def neighbours(name: str, command: str | None = None) -> list[dict[str, object]]:
    parsed = ip_neigh.parse(recorded(f"vm61-iproute/{name}", command))
    assert not parsed.problems
    return [facts(row) for row in rows(parsed, Neighbour)]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("ip-neigh.txt", "ip-j-neigh.json"),
        ("ip-s-neigh.txt", "ip-s-j-neigh.json"),
        ("ip-neigh.txt", "ip-s-neigh.txt"),
        ("ip-neigh-show-proxy.txt", "ip-j-neigh-show-proxy.json"),
        ("arp-an.txt", "arp-n.txt"),
    ],
)
def test_dialects_tell_the_same(text: str, other: str) -> None:
    assert neighbours(text)
    unique = {str(said): said for said in neighbours(text)}  # arp prints a proxy entry twice
    assert list(unique.values()) == list({str(said): said for said in neighbours(other)}.values())


@pytest.mark.parametrize("name", ["ip-neigh-show-dev-br0.txt", "ip-j-neigh-show-dev-br0.json"])
def test_device_is_in_the_command(name: str) -> None:
    assert neighbours(name, "ip neigh show dev br0") == neighbours("ip-neigh.txt")


def test_recorded_states() -> None:
    found = {said["address"]: said for said in neighbours("ip-neigh.txt")}
    assert [said["state"] for said in found.values()] == [
        "STALE",
        "NOARP",
        "INCOMPLETE",
        "PERMANENT",
        "FAILED",
        "PERMANENT",
    ]
    assert found["fd00::5"] == {
        "dev": "br0",
        "address": "fd00::5",
        "mac": parse_mac("02:00:00:00:00:05"),
        "state": "PERMANENT",
        "router": True,
        "proxy": False,
    }


def test_recorded_director() -> None:
    parsed = ip_neigh.parse(recorded("vm61-director-a/ip-j-neigh.json"))
    peer = [row for row in rows(parsed, Neighbour) if row.address == "10.0.0.12"]
    assert [(row.mac, row.state) for row in peer] == [(parse_mac("02:00:00:00:00:12"), "STALE")]
    assert not parsed.problems


def test_recorded_arp() -> None:
    found = {said["address"]: said for said in neighbours("proc-net-arp.txt", "cat /proc/net/arp")}
    assert (found["10.0.0.5"].get("state"), found["10.0.0.8"].get("state")) == ("PERMANENT", None)
    assert (found["10.0.0.77"].get("state"), found["10.0.0.77"].get("mac")) == ("INCOMPLETE", None)
    assert (found["10.0.0.6"]["proxy"], found["10.0.0.6"].get("mac")) == (True, None)


def test_redacted_mac_keeps_the_rest() -> None:
    parsed = ip_neigh.parse(
        listing("10.0.0.8 dev br0 lladdr xx:xx:xx:xx:xx:xx STALE\n10.0.0.9 dev")
    )
    assert [facts(row) for row in rows(parsed, Neighbour)] == [
        {"dev": "br0", "address": "10.0.0.8", "state": "STALE", "router": False, "proxy": False}
    ]
    assert [problem.line for problem in parsed.problems] == [1, 2]


def test_shape() -> None:
    assert ip_neigh.SHAPE is not None
    for name in ("ip-neigh.txt", "ip-j-neigh.json", "arp-an.txt", "arp-n.txt", "proc-net-arp.txt"):
        assert ip_neigh.SHAPE.match(recorded(f"vm61-iproute/{name}").lines[0]), name
    for line in recorded("vm61-iproute/ip-route-show-table-all.txt").lines:
        assert not ip_neigh.SHAPE.match(line), line
