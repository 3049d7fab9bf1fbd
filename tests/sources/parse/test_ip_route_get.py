"""What a host said that it does with one packet."""

import pytest

from hopback.snapshot.rows import RouteAnswer
from hopback.sources.parse import ip_route_get
from tests.sources.parse.given import facts, listing, pasted, recorded, rows

TARGET = "198.51.100.30"
COMMAND = f"ip route get {TARGET}"
FORWARDED = {
    "target": TARGET,
    "kind": "unicast",
    "source": "192.0.2.10",
    "iif": "eth0",
    "via": "203.0.113.1",
    "dev": "eth0",
}
OWN = {"target": TARGET, "kind": "unicast", "via": "203.0.113.1", "dev": "eth0"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{TARGET} from 192.0.2.10 via 203.0.113.1 dev eth0 \n    cache iif eth0 ", FORWARDED),
        (f"{TARGET} via 203.0.113.1 dev eth0 src 203.0.113.7 uid 0 \n    cache ", OWN),
        (f"unicast {TARGET} via 203.0.113.1 dev eth0 table main uid 0 ", OWN),
        (
            f"local {TARGET} from 192.0.2.10 dev lo \n    cache <local> iif eth0 ",
            {**FORWARDED, "kind": "local", "via": None, "dev": "lo"},
        ),
        (
            f'[{{"dst":"{TARGET}","from":"192.0.2.10","gateway":"203.0.113.1","dev":"eth0",'
            '"flags":[],"cache":[],"iif":"eth0"}]',
            FORWARDED,
        ),
        (
            "2001:db8::5 from :: dev e0 proto kernel src 2001:db8::1 metric 256 pref medium",
            {"target": "2001:db8::5", "kind": "unicast", "dev": "e0"},
        ),
    ],
)
def test_an_answer(text: str, said: dict[str, str | None]) -> None:
    parsed = ip_route_get.parse(listing(text, COMMAND))
    assert not parsed.problems
    (row,) = rows(parsed, RouteAnswer)
    assert facts(row) == {key: value for key, value in said.items() if value is not None}


def test_recorded() -> None:
    (row,) = rows(ip_route_get.parse(recorded(f"traces/ip-route-get-{TARGET}.txt")), RouteAnswer)
    assert facts(row) == FORWARDED


@pytest.mark.parametrize("why", ["Invalid argument", "Network is unreachable", "No route to host"])
def test_refused(why: str) -> None:
    parsed = ip_route_get.parse(listing(f"RTNETLINK answers: {why}", f"{COMMAND} from 192.0.2.10"))
    (row,) = rows(parsed, RouteAnswer)
    assert facts(row) == {"target": TARGET, "kind": "refused", "source": "192.0.2.10"}


def test_prose_is_passed_over() -> None:
    text = f"and then\n{TARGET} via 203.0.113.1 dev eth0 uid 0\nlocal heroes"
    (row,) = rows(ip_route_get.parse(pasted(text, COMMAND)), RouteAnswer)
    assert row.cite.line == 2
    assert ip_route_get.parse(listing("nonsense here", COMMAND)).problems


def test_shape() -> None:
    assert ip_route_get.SHAPE is not None
    for line in (
        f"{TARGET} from 192.0.2.10 via 203.0.113.1 dev eth0 ",
        f"{TARGET} via 203.0.113.1 dev eth0 src 203.0.113.7 uid 0 ",
        f"local {TARGET} from 192.0.2.10 dev lo ",
    ):
        assert ip_route_get.SHAPE.match(line)
    for line in (
        "198.51.100.0/24 via 203.0.113.7 dev eth1 ",
        "default via 203.0.113.1 dev eth0 ",
        "local 198.51.100.5 dev lo table local proto kernel scope host src 198.51.100.5 ",
    ):
        assert not ip_route_get.SHAPE.match(line)
