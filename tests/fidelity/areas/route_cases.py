"""Random tables, policy rules and settings, and packets that they decide about."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from random import Random

from hopback.frames import ethernet, udp
from hopback.frames.codec import encode
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import BROADCAST
from hopback.frames.raw import Raw
from hopback.frames.udp import Udp
from tests.fidelity.shrink import changed_at, fewer, plainer
from tests.kernel.route_spec import (
    ADDRESSES,
    CUT,
    ENSLAVED,
    FAR,
    FIRST_PORT,
    GATEWAYS,
    MACS,
    MARKS,
    TABLES,
    TAPS,
    VRF,
    VRF_TABLE,
    Family,
    Own,
    RouteSpec,
    RuleSpec,
    Setup,
    Via,
    everybody,
    own_addresses,
    station,
)

FRAMES = 60

_PREFIXES: dict[Family, tuple[str, ...]] = {
    4: ("default", "10.4.0.0/14", "10.5.0.0/16", "10.5.1.0/24", "10.5.1.128/25", "10.5.1.129",
        "10.6.0.0/16", "10.0.0.0/8", "8.8.8.8", "10.0.1.0/25"),
    6: ("default", "fd04::/14", "fd05::/16", "fd05::1:0/112", "fd05::1:80/121", "fd05::1:81",
        "fd06::/16", "fd00::/8", "2001:db8::/32"),
}  # fmt: skip
_BOTH: tuple[Family, ...] = (4, 6)
_HOSTS: dict[Family, tuple[str, ...]] = {
    4: tuple(a for a in everybody() if ":" not in a),
    6: tuple(a for a in everybody() if ":" in a),
}
_WITH_GATEWAYS = ("default", "10.0.0.0/8", "10.0.1.0/25", "fd00::/8")
_GROUPS = ("10.0.0.255", "10.0.0.0", "10.0.1.255", "10.0.2.255", "255.255.255.255", "224.0.0.1")
_ODD = ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "10.0.0.255", "10.0.1.0")
_ODD6 = ("::", "::1", "ff02::1", "fe80::b", "fe80::a1", "fd00::")
_TOS = ("0x08", "0x10")
_KINDS = ("unreachable", "prohibit", "blackhole", "throw", "throw")
_IN = tuple(name for name in TAPS if name != CUT)


@dataclass(frozen=True)
class RouteCase:
    """Frames by the taps they come in by, and what programs of the host send."""

    setup: Setup
    frames: tuple[tuple[str, bytes] | Own, ...] = ()


def random_case(chance: Random, *, vrf: bool = False) -> RouteCase:
    """Any tables, rules and settings, and ``FRAMES`` packets; with a VRF or without."""
    drawn = [_route(chance) for _ in range(chance.randint(2, 16))]
    rules = [rule for family in _BOTH for rule in _rules(chance, family)]
    frames = [_frame(chance, number) for number in range(FRAMES)]
    if vrf:
        drawn = [_in_vrf(chance, route) for route in drawn]
        rules = [rule for family in _BOTH for rule in _with_vrf(chance, family)]
        frames = [_own_of_vrf(chance, f) if isinstance(f, Own) else f for f in frames]
    routes = dict(map(_keyed, drawn))
    setup = Setup(tuple(routes.values()), tuple(rules), _settings(chance), vrf)
    return RouteCase(setup, tuple(frames))


def _in_vrf(chance: Random, route: RouteSpec) -> RouteSpec:
    """In the VRF's table, or out by the VRF's device, or as it is."""
    kind = chance.random()
    if kind < 0.4 and route.table != "local":
        return replace(route, table=VRF_TABLE)
    if kind < 0.5 and len(route.hops) == 1 and route.kind == "unicast" and not route.pref:
        return replace(route, hops=(Via(VRF),))
    return route


def _with_vrf(chance: Random, family: Family) -> list[RuleSpec]:
    """The rule that leads to its table, mostly; some that name it."""
    rules = _rules(chance, family) or [RuleSpec(family, 0, "from all", "lookup local")]
    if chance.random() < 0.9:
        rules.append(RuleSpec(family, 1000, "from all", "lookup [l3mdev-table]"))
    if chance.random() < 0.3:
        end = chance.choice(("iif", "oif"))
        rules.append(RuleSpec(family, 999, f"from all {end} {VRF}", f"lookup {TABLES[0]}"))
    return sorted(rules, key=lambda rule: rule.priority)


def _own_of_vrf(chance: Random, own: Own) -> Own:
    """A program in the VRF has an address there, any other one elsewhere."""
    inside = chance.random() < 0.5
    names = ENSLAVED if inside else [name for name in TAPS if name not in ENSLAVED]
    known = [a.split("/")[0] for name in names for a in ADDRESSES[name]]
    same = [a for a in known if (":" in a) == (":" in own.source) and not a.startswith("fe80")]
    dev = chance.choice((VRF, *ENSLAVED)) if inside else ""
    return replace(own, source=chance.choice(same), dev=dev)


def smaller_case(case: RouteCase) -> Iterator[RouteCase]:
    """Fewer frames, routes and rules, plainer ones, settings that are off."""
    setup = case.setup
    for frames in fewer(case.frames):
        yield replace(case, frames=frames)
    for routes in fewer(setup.routes):
        yield replace(case, setup=replace(setup, routes=routes))
    for rules in fewer(setup.rules):
        if any(rule.family == 6 for rule in rules):
            yield replace(case, setup=replace(setup, rules=rules))
    for index, route in enumerate(setup.routes):
        for plain in plainer(route):
            if plain.hops or plain.kind in _KINDS:
                routes = changed_at(setup.routes, index, plain)
                yield replace(case, setup=replace(setup, routes=routes))
    for index, (key, value) in enumerate(setup.settings):
        if value:
            settings = changed_at(setup.settings, index, (key, 0))
            yield replace(case, setup=replace(setup, settings=settings))


def _keyed(route: RouteSpec) -> tuple[tuple[object, ...], RouteSpec]:
    """By what no two routes may share; IPv6's without gateway only not the device."""
    hop = route.hops[0] if route.hops else Via("lo")
    dev = hop.dev if route.family == 6 and not hop.via else ""
    metric = route.metric or 1024 * (route.family == 6)
    return (route.family, route.to, route.table, metric, route.tos, dev), route


def _settings(chance: Random) -> tuple[tuple[str, int], ...]:
    def on(share: float) -> int:
        return int(chance.random() < share)

    ignoring = "ignore_routes_with_linkdown"
    found = [("ipv6.conf.all.forwarding", on(0.75))]
    for name in ("all", *TAPS):
        found.append((f"ipv4.conf.{name}.rp_filter", chance.choice((0, 0, 0, 1, 2))))
        found.append((f"ipv4.conf.{name}.accept_local", on(0.15)))
        found.append((f"ipv4.conf.{name}.src_valid_mark", on(0.2)))
        found.append((f"ipv4.conf.{name}.route_localnet", on(0.1)))
        found.append((f"ipv4.conf.{name}.send_redirects", on(0.5)))
        found.append((f"ipv4.conf.{name}.{ignoring}", on(0.2)))
    for name in TAPS:
        found.append((f"ipv4.conf.{name}.forwarding", on(0.9)))
        found.append((f"ipv6.conf.{name}.{ignoring}", on(0.3)))
    found.append(("ipv4.fib_multipath_hash_policy", on(0.5)))
    return tuple(found)


def _route(chance: Random) -> RouteSpec:
    family: Family = 4 if chance.random() < 0.6 else 6
    table = chance.choice(("main", "main", "default", *TABLES, *TABLES))
    metric = chance.choice((0, 0, 0, 5, 20))
    to = chance.choice(_PREFIXES[family])
    plain = RouteSpec(family, to, table, metric=metric)
    if chance.random() < 0.2:
        return replace(plain, kind=chance.choice(_KINDS))
    if chance.random() < 0.06 and to not in _WITH_GATEWAYS:
        local = chance.choice(("local", table))
        return replace(plain, kind="local", table=local, hops=(Via("lo"),), metric=0)
    if family == 4 and chance.random() < 0.15:
        plain = replace(plain, tos=chance.choice(_TOS))
    if family == 6 and chance.random() < 0.4:
        hop = Via(chance.choice(TAPS))
        return replace(plain, hops=(hop,), pref=chance.choice(("", "low", "high")))
    count = chance.choice((1, 1, 1, 1, 1, 1, 2, 3))
    drawn = [_hop(chance, family, gateway=count > 1) for _ in range(count)]
    return replace(plain, hops=tuple({(hop.dev, hop.via): hop for hop in drawn}.values()))


def _hop(chance: Random, family: Family, *, gateway: bool) -> Via:
    dev = chance.choice(TAPS)
    if not gateway and chance.random() < 0.3:
        return Via(dev)
    silent = {"t0": "fd00::f", "t1": "fd00:1::f"}.get(dev)
    known = [a for a in GATEWAYS[dev] if (":" in a) == (family == 6)]
    known += [silent] if family == 6 and silent else []
    if family == 4 and chance.random() < 0.1:
        known = [a for a in GATEWAYS[dev] if ":" in a]
    return Via(dev, chance.choice(known), chance.choice((1, 1, 2, 5)) if gateway else 1)


def _rules(chance: Random, family: Family) -> list[RuleSpec]:
    """None (IPv4 only), or the usual ones, moved or not, and some between them."""
    if family == 4 and chance.random() < 0.25:
        return []
    local = 0 if chance.random() < 0.8 else 60
    found = [RuleSpec(family, local, "from all", "lookup local")]
    if chance.random() < 0.95:
        found.append(RuleSpec(family, 32766, "from all", "lookup main"))
    found.append(RuleSpec(family, 32767, "from all", "lookup default"))
    between = chance.sample((1, 10, 20, 30, 40, 50, 70, 32768), chance.randint(0, 5))
    found += [_rule(chance, family, priority) for priority in between]
    return sorted(found, key=lambda rule: rule.priority)


def _rule(chance: Random, family: Family, priority: int) -> RuleSpec:
    words = ["not"] if chance.random() < 0.15 else []
    prefixes = [*_PREFIXES[family][1:], *_HOSTS[family]]
    words += ["from", chance.choice(prefixes) if chance.random() < 0.4 else "all"]
    if chance.random() < 0.3:
        words += ["to", chance.choice(prefixes)]
    if chance.random() < 0.1:
        words += ["tos", chance.choice(_TOS)]
    if chance.random() < 0.25:
        words += ["fwmark", chance.choice(("0x1", "0x2", "0x1/0x1", "0x0/0x2", "0x3/0x2"))]
    if chance.random() < 0.25:
        words += ["iif", chance.choice((*TAPS, "lo", "gone"))]
    if chance.random() < 0.1:
        words += ["oif", chance.choice((*TAPS, "gone"))]
    if chance.random() < 0.1:
        words += ["uidrange", chance.choice(("0-0", "0-100", "1-100"))]
    if chance.random() < 0.15:
        words += ["ipproto", chance.choice(("udp", "udp", "tcp"))]
    for end, low in (("sport", FIRST_PORT), ("dport", 5000)):
        if chance.random() < 0.15:
            first = low + chance.randint(0, 2)
            words += [end, chance.choice((f"{first}", f"{first}-{first + 1}"))]
    return RuleSpec(family, priority, " ".join(words), _action(chance, priority))


def _action(chance: Random, priority: int) -> str:
    kind = chance.random()
    if kind < 0.15:
        return chance.choice(("blackhole", "unreachable", "prohibit"))
    if kind < 0.2:
        return "nop"
    if kind < 0.3:
        later = [p for p in (30, 50, 60, 70, 32766, 40000) if p > priority]
        return f"goto {chance.choice(later)}"
    table = chance.choice((*TABLES, *TABLES, "main", "default", "77"))
    suppressed = f" suppress_prefixlength {chance.choice((0, 16, 24))}"
    return f"lookup {table}" + (suppressed if chance.random() < 0.25 else "")


def _frame(chance: Random, number: int) -> tuple[str, bytes] | Own:
    """A packet that its number makes unlike all others."""
    family: Family = 4 if chance.random() < 0.6 else 6
    port, tos = FIRST_PORT + chance.choice(MARKS), chance.choice((0, 0, 0, 8, 0x10, 0xB0))
    if chance.random() < 0.2:
        return _own(chance, family, number, port, tos)
    tap = chance.choice(_IN)
    source, target = _pair(chance, family, tap)
    datagram = Udp(port, 5000 + chance.randint(0, 2), Raw(number.to_bytes(2, "big") + bytes(18)))
    mac = BROADCAST if target in _GROUPS or chance.random() < 0.03 else MACS[tap]
    hops = chance.choice((64, 64, 64, 64, 2, 1))
    kind, packet = _packet(family, source, target, datagram, hops, tos)
    return tap, encode(Frame(mac, station(0), (), kind, packet))


def framed(
    tap: str, source: str, target: str, number: int = 0, port: int = FIRST_PORT
) -> tuple[str, bytes]:
    """A plain datagram that comes in by a tap."""
    datagram = Udp(port, 5000, Raw(number.to_bytes(2, "big") + bytes(18)))
    kind, packet = _packet(6 if ":" in source else 4, source, target, datagram, 64, 0)
    return tap, encode(Frame(MACS[tap], station(0), (), kind, packet))


def _packet(
    family: Family, source: str, target: str, datagram: Udp, hops: int, tos: int
) -> tuple[int, Ipv4 | Ipv6]:
    if family == 6:
        ends6 = IPv6Address(source), IPv6Address(target)
        packet6 = Ipv6(*ends6, udp.PROTOCOL, datagram, hops, traffic_class=tos)
        return ethernet.IPV6, packet6
    ends = IPv4Address(source), IPv4Address(target)
    return ethernet.IPV4, Ipv4(*ends, udp.PROTOCOL, datagram, hops, tos)


def _pair(chance: Random, family: Family, tap: str) -> tuple[str, str]:
    near = [a for a in GATEWAYS[tap] if (":" in a) == (family == 6)]
    kind = chance.random()
    source = chance.choice(near)
    if kind < 0.4:
        source = chance.choice(_HOSTS[family])
    elif kind < 0.45:
        source = chance.choice(_ODD if family == 4 else _ODD6)
    kind = chance.random()
    target = chance.choice(_far(family))
    if kind < 0.2:
        target = chance.choice(_HOSTS[family])
    elif kind < 0.26 and family == 4:
        target = chance.choice(_GROUPS)
    elif kind < 0.26:
        target = chance.choice(("fd00::", "fd00:1::", "fe80::", "fe80::a0", "fe80::a1"))
    return source, target


def _far(family: Family) -> Sequence[str]:
    return [a for a in FAR if (":" in a) == (family == 6)]


def _own(chance: Random, family: Family, number: int, port: int, tos: int) -> Own:
    """From one of the host's own addresses to somebody else."""
    mine = [a for a in own_addresses() if (":" in a) == (family == 6) and not a.startswith("fe80")]
    source = chance.choice(mine)
    target = chance.choice(_far(family) if chance.random() < 0.7 else _HOSTS[family])
    if target.startswith("fe80"):
        target = chance.choice(_far(family))
    dev = chance.choice(TAPS) if chance.random() < 0.2 else ""
    return Own(source, target, number, port, chance.choice(MARKS), tos, dev)
