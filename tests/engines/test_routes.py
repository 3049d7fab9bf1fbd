"""The search over next hops finds every ring, and no prefix that has none."""

from collections.abc import Mapping
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

from hypothesis import given, settings
from hypothesis import strategies as st

from hopback.datapath.ip.fib import Hop, Route, table_of
from hopback.datapath.ip.host import Host
from hopback.datapath.ip.local import Own
from hopback.engines import routes
from hopback.engines.routes import Candidate, Space, candidates
from hopback.network.build import build
from hopback.network.facts import DevId

NOTHING = build(())
BLOCK = int(IPv4Address("10.0.0.0"))
SIZE = 16  # addresses that are looked at one by one
NAMES = ("a", "b", "c")

Ways = Mapping[IPv4Network, str | None]
"""To whom each prefix is sent; None: to nobody who is given."""


def address(name: str) -> IPv4Address:
    return IPv4Address(f"192.0.2.{NAMES.index(name) + 1}")


def host(name: str, ways: Ways) -> Host:
    table = table_of(
        Route(to, hops=(Hop("eth0", address(to_) if to_ else IPv4Address("192.0.2.99")),))
        for to, to_ in ways.items()
    )
    own = Own("eth0", IPv4Interface(f"{address(name)}/24"))
    return Host(DevId(name, "", ""), addresses={address(name): own}, tables={(4, "main"): table})


def found(given_: Mapping[str, Ways]) -> tuple[Candidate, ...]:
    return candidates(NOTHING, {(name, ""): host(name, w) for name, w in given_.items()}).found


def following(ways: Ways, target: IPv4Address) -> str | None:
    fitting = [to for to in ways if target in to]
    return ways[max(fitting, key=lambda to: to.prefixlen)] if fitting else None


def rings(given_: Mapping[str, Ways], target: IPv4Address) -> set[frozenset[Space]]:
    """By walking from everywhere."""
    told = set()
    for start in given_:
        way: list[str] = []
        at: str | None = start
        while at is not None and at not in way:
            way.append(at)
            at = following(given_[at], target)
        if at is not None:
            told.add(frozenset((name, "") for name in way[way.index(at) :]))
    return told


@st.composite
def networks(draw: st.DrawFn) -> dict[str, Ways]:
    prefixes = st.builds(
        lambda number, length: IPv4Network((BLOCK + number, length), strict=False),
        st.integers(0, SIZE - 1),
        st.integers(28, 32),
    )
    made: dict[str, Ways] = {}
    for name in NAMES:
        others = [None, *(other for other in NAMES if other != name)]
        made[name] = draw(st.dictionaries(prefixes, st.sampled_from(others), max_size=6))
    return made


@settings(max_examples=200, deadline=None)
@given(networks())
def test_every_address_that_goes_round_is_stood_for(given_: dict[str, Ways]) -> None:
    candidates_ = found(given_)
    for number in range(SIZE):
        target = IPv4Address(BLOCK + number)
        stood_for = {frozenset(c.ring) for c in candidates_ if target in c.prefix}
        assert rings(given_, target) <= stood_for
    for candidate in candidates_:
        assert frozenset(candidate.ring) in rings(given_, IPv4Address(int(candidate.target)))


def test_what_a_longer_prefix_takes_is_left_out() -> None:
    pool, vip = IPv4Network("198.51.100.0/24"), IPv4Network("198.51.100.0/25")
    (one,) = found({"a": {pool: "b"}, "b": {IPv4Network("0.0.0.0/0"): "a", vip: None}})
    assert one.prefix == pool
    assert one.target not in vip
    assert one.ring == (("a", ""), ("b", ""))


def test_a_prefix_that_longer_ones_cover_whole() -> None:
    halves = dict.fromkeys(IPv4Network("198.51.100.0/24").subnets())
    pool = IPv4Network("198.51.100.0/24")
    ring = {"a": {pool: "b"}, "b": {pool: "a"}}
    assert found({**ring, "c": halves}), "who is in no ring takes nothing out"
    assert not found({"a": {pool: "b"}, "b": {pool: "a", **halves}})


def test_the_default_route_is_tried_with_an_address_that_is_sent_on() -> None:
    everything = IPv4Network("0.0.0.0/0")
    (one,) = found({"a": {everything: "b"}, "b": {everything: "a"}})
    assert int(one.target) >> 24 not in (0, 127, *range(224, 256))


def test_too_many_prefixes_are_told() -> None:
    most = routes.MAX_LOOKUPS // 2
    many = {IPv4Network((BLOCK + n * 16, 28)): "b" for n in range(most + 1)}
    hosts = {"a": many, "b": {IPv4Network("0.0.0.0/0"): "a"}}
    result = candidates(NOTHING, {(name, ""): host(name, ways) for name, ways in hosts.items()})
    assert result.cut
    assert result.classes == most


def test_the_default_route_of_ipv6_is_one_of_ipv6() -> None:
    everything, own = IPv6Network("::/0"), {"a": "2001:db8::1", "b": "2001:db8::2"}
    hosts = {
        (name, ""): Host(
            DevId(name, "", ""),
            addresses={IPv6Address(own[name]): Own("eth0", IPv6Interface(f"{own[name]}/64"))},
            tables={
                (6, "main"): table_of([Route(everything, hops=(Hop("eth0", IPv6Address(to)),))])
            },
        )
        for name, to in (("a", own["b"]), ("b", own["a"]))
    }
    (one,) = candidates(NOTHING, hosts).found
    assert one.prefix == everything
    assert next(routes.parts(hosts, [everything]))[0] == everything
