"""Routing by rules and tables against the running kernel, packet for packet."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from random import Random
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from hopback.datapath.effects import Send
from hopback.datapath.ip import policy
from hopback.datapath.ip.choose import Chosen
from hopback.network.facts import Ref
from hopback.snapshot.rows import Route
from tests.build import pasted
from tests.fidelity.areas import route as area
from tests.fidelity.areas.route import (
    AREA,
    What,
    described,
    first_of,
    made_of,
    played,
    worlds,
)
from tests.fidelity.areas.route_cases import RouteCase, framed, random_case
from tests.fidelity.areas.route_directed import DIRECTED
from tests.fidelity.mutants import faithful
from tests.fidelity.report import told
from tests.fidelity.run import run
from tests.kernel.route_rig import RouteRig
from tests.kernel.route_spec import TAPS, Own, RouteSpec, Setup, Via
from tests.kernel.tap import TUN

pytestmark = [
    pytest.mark.kernel(TUN),
    pytest.mark.skipif(AREA.refusal() is not None, reason=str(AREA.refusal())),
]

CASES = 120
FOR_WRONG_ONES = 120

Change = Callable[..., Any]
Answers = Sequence[tuple[RouteCase, Sequence[What]]]


def test_random_packets_agree_and_every_mutant_is_caught() -> None:
    tally = run(AREA, Random(1), lambda tally: tally.cases >= CASES)
    assert tally.first is None, told(AREA.name, tally.first, 1)
    assert tally.caught == AREA.rules


@pytest.fixture(scope="module")
def answers() -> Answers:
    chance = Random(2)
    with RouteRig() as rig:
        cases = [*DIRECTED, *(random_case(chance) for _ in range(FOR_WRONG_ONES))]
        return [(case, played(rig, case)) for case in cases]


class Wrong(NamedTuple):
    """A function of the model, and what makes a wrong one of it."""

    where: str
    made: Callable[[Change], Change]


def _giving(where: str, **changes: object) -> Wrong:
    """What the function gives has other fields."""
    return Wrong(where, lambda right: lambda *given: replace(right(*given), **changes))


def _always(where: str, value: object) -> Wrong:
    return Wrong(where, lambda _: lambda *given, **named: value)


def _first_hop(right: Change) -> Change:
    def wrong(*given: Any) -> Any:
        found = right(*given)
        return found._replace(hops=found.hops[:1]) if isinstance(found, Chosen) else found

    return wrong


def _throwing_away(right: Change) -> Change:
    def wrong(*given: Any) -> Any:
        found = right(*given)
        return replace(found, kind="blackhole") if found.kind == "throw" else found

    return wrong


_RULE, _ROUTE, _KEY = "hosts.policy_of", "hosts._route", "source.key_back"
WRONG: Mapping[str, Wrong] = {
    "from": _giving(_RULE, source=None),
    "to": _giving(_RULE, target=None),
    "tos of a rule": _giving(_RULE, tos=None),
    "fwmark": _giving(_RULE, mask=0),
    "mask": _giving(_RULE, mask=0xFFFF_FFFF),
    "iif": _giving(_RULE, iif=None),
    "oif": _giving(_RULE, oif=None),
    "uidrange": _giving(_RULE, uids=None),
    "ipproto": _giving(_RULE, protocol=None),
    "sport": _giving(_RULE, source_ports=None),
    "dport": _giving(_RULE, target_ports=None),
    "not": _giving(_RULE, inverted=False),
    "suppress_prefixlength": _giving(_RULE, longer=-1),
    "goto": _giving(_RULE, goto=None),
    "throw": Wrong(_ROUTE, _throwing_away),
    "tos of a route": _giving(_ROUTE, tos=0),
    "metric": _giving(_ROUTE, metric=0),
    "preference": _giving(_ROUTE, preference=1),
    "several next hops": Wrong("route.choose4", _first_hop),
    "several next hops of IPv6": Wrong("route.choose6", _first_hop),
    "no carrier": _always("choose._lives", value=True),
    "one table before there was a rule": _always("route._alike", value=True),
    "whether gateways answer": _always("route._answering", value=None),
    "the mark of the way back": _giving(_KEY, mark=0),
    "the device of the way back": _giving(_KEY, iif=""),
    "the ports of the way back": _giving(_KEY, source_port=0, target_port=0),
    "packets that turn back": _always("source.turns_back", value=False),
    "loopback on the wire": _always("source._routes_loopback", value=None),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_model_is_noticed(
    name: str, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, made = WRONG[name]
    module, function = where.split(".")
    place = import_module(f"hopback.datapath.ip.{module}")
    monkeypatch.setattr(place, function, made(getattr(place, function)))
    area.made_of.cache_clear()
    try:
        noticed = any(
            AREA.model(case, faithful).result != first_of(case, heard) for case, heard in answers
        )
    finally:
        area.made_of.cache_clear()
    assert noticed


_HOPS = (Via("t0", "10.0.0.2"), Via("t1", "10.0.1.2", weight=2), Via("t3", "10.0.3.2"))
_HOPS6 = (Via("t0", "fd00::2"), Via("t1", "fd00:1::2"))


@pytest.mark.parametrize(
    ("flow", "hops"),
    [
        (lambda n: framed("t0", "10.0.0.3", "8.8.8.8", n, 4100 + n), {"t0", "t1", "t3"}),
        (lambda n: framed("t0", "fd00::2", "2001:db8::1", n, 4100 + n), {"t0", "t1"}),
        (lambda n: Own("10.0.0.1", "8.8.8.8", n, 4100 + n), None),
        (lambda n: Own("fd00::1", "2001:db8::1", n, 4100 + n), {"t0", "t1"}),
    ],
)
def test_each_next_hop_that_is_asked_for_takes_some_flow(
    flow: Callable[[int], tuple[str, bytes] | Own], hops: set[str] | None
) -> None:
    """The host's own packets are asked about as many as the kernel's version has (6.16)."""
    settings = [(f"ipv{n}.fib_multipath_hash_policy", 1) for n in (4, 6)]
    settings += [(f"ipv4.conf.{name}.forwarding", 1) for name in TAPS]
    settings += [(f"ipv4.conf.{name}.rp_filter", 0) for name in ("all", *TAPS)]
    settings += [("ipv6.conf.all.forwarding", 1)]
    routes = (RouteSpec(4, "8.8.8.8", hops=_HOPS), RouteSpec(6, "2001:db8::/32", hops=_HOPS6))
    case = RouteCase(Setup(routes, settings=tuple(settings)), tuple(map(flow, range(80))))
    with RouteRig() as rig:
        taken = {name for name, _ in played(rig, case)}
    found = worlds(made_of(case.setup), case.frames[0])
    named = {e.dev.name for _, effects in found for e in effects if isinstance(e, Send)}
    assert named == taken
    assert hops in (None, named)


def test_the_listings_of_a_case_are_what_ip_prints() -> None:
    chance = Random(3)
    with RouteRig() as rig:
        for _ in range(10):
            setup = random_case(chance).setup
            rig.set(setup)
            shown = "".join(
                f"$ {command}\n{rig.shown(*command.split())}\n"
                for command in ("ip route show table all", "ip rule show", "ip -6 rule show")
            )
            assert _rules(shown) >= _rules(described(setup))
            assert _routes(shown) == _routes(described(setup))


def _rules(text: str) -> set[tuple[object, ...]]:
    found = [(r, policy.policy_of(r, Ref("", r.cite))) for r in pasted(text)[0].rules.rows]
    return {(row.family, replace(rule, refs=())) for row, rule in found}


def _routes(text: str) -> list[tuple[object, ...]]:
    """Those that somebody entered, and what they say that matters."""
    return sorted(
        (str(row.destination), row.table, row.family, row.kind, row.metric, row.tos or "",
         str([hop for hop in row.hops if hop.dev != "lo"]), row.preference or "")
        for row in pasted(text)[0].routes.rows
        if isinstance(row, Route) and row.protocol == "static"
    )  # fmt: skip
