"""Cases of routing that chance seldom draws: one each for what decides in few packets only."""

from collections.abc import Sequence

from tests.fidelity.areas.route_cases import RouteCase, framed
from tests.kernel.route_spec import FIRST_PORT, TAPS, Family, Own, RouteSpec, RuleSpec, Setup, Via

_KEYS = ("rp_filter", "accept_local", "src_valid_mark", "route_localnet", "send_redirects")
_LINKS = "ignore_routes_with_linkdown"


def _settings(**changed: int) -> tuple[tuple[str, int], ...]:
    """The host routes, and everything else is off but what is ``changed`` for all devices."""
    found = {"ipv6.conf.all.forwarding": changed.pop("forwarding6", 1)}
    for name in ("all", *TAPS):
        found |= {f"ipv4.conf.{name}.{key}": 0 for key in (*_KEYS, _LINKS)}
    found |= {f"ipv4.conf.{name}.forwarding": 1 for name in TAPS}
    found |= {f"ipv6.conf.{name}.{_LINKS}": 0 for name in TAPS}
    found |= {f"ipv4.conf.all.{key}": value for key, value in changed.items()}
    return tuple(found.items())


def _rules(*between: tuple[int, str, str], family: Family = 4) -> tuple[RuleSpec, ...]:
    usual = ((0, "from all", "lookup local"), (32766, "from all", "lookup main"))
    return tuple(RuleSpec(family, *rule) for rule in sorted((*usual, *between)))


def _to(to: str, dev: str, via: str = "", table: str = "main", metric: int = 0) -> RouteSpec:
    family: Family = 6 if ":" in to else 4
    return RouteSpec(family, to, table, hops=(Via(dev, via),), metric=metric)


_STRICT = _settings(rp_filter=1, src_valid_mark=1)
_BACK = (_to("8.8.8.8", "t0", table="100"), _to("8.8.8.8", "t3"), _to("10.6.0.0/16", "t1"))

DIRECTED: Sequence[RouteCase] = (
    RouteCase(  # goto passes rules over
        Setup(
            (_to("8.8.8.8", "t1", "10.0.1.2", "100"),),
            _rules(
                (1, "from all", "goto 50"),
                (9, "from all", "blackhole"),
                (50, "from all", "lookup 100"),
            ),
            _settings(),
        ),
        (framed("t0", "10.0.0.2", "8.8.8.8"),),
    ),
    RouteCase(  # tables local and main are one, and then comes default
        Setup(
            (
                RouteSpec(4, "10.5.1.0/24", "local", "local", (Via("lo"),)),
                RouteSpec(4, "10.5.2.1", kind="throw"),
                _to("10.5.1.128/25", "t1", "10.0.1.2"),
                _to("10.5.2.1", "t3", table="default"),
            ),
            settings=_settings(),
        ),
        (
            framed("t0", "10.0.0.2", "10.5.1.129", 0),
            framed("t0", "10.0.0.2", "10.5.1.1", 1),
            framed("t0", "10.0.0.2", "10.5.2.1", 2),
        ),
    ),
    RouteCase(  # a host that is no router goes by the gateway that answers
        Setup(
            (
                _to("fd06::/16", "t0", "fd00::f", metric=5),
                _to("fd06::/16", "t1", "fd00:1::2", metric=9),
            ),
            _rules(family=6),
            _settings(forwarding6=0),
        ),
        (Own("fd00::1", "fd06::1", 0),),
    ),
    RouteCase(  # the way back is looked up with the mark
        Setup(_BACK, _rules((9, "from all fwmark 0x1", "lookup 100")), _STRICT),
        (framed("t0", "8.8.8.8", "10.0.0.1", port=FIRST_PORT + 1),),
    ),
    RouteCase(  # … as if it came in by the device of the way out
        Setup(_BACK, _rules((9, "from all iif t1", "lookup 100")), _STRICT),
        (framed("t0", "8.8.8.8", "10.6.0.1"),),
    ),
    RouteCase(  # … with the ports the other way round
        Setup(_BACK, _rules((9, "from all sport 5000", "lookup 100")), _STRICT),
        (framed("t0", "8.8.8.8", "10.0.0.1"),),
    ),
    RouteCase(  # loopback addresses from the wire
        Setup(settings=_settings(route_localnet=1)),
        (framed("t0", "10.0.0.2", "127.0.0.1"),),
    ),
)
