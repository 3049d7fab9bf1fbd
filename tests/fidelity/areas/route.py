"""Routing by policy rules and tables, of both families, with several next hops or one.

Which of several next hops takes a flow is a secret hash: what the kernel did is taken for what the
model's first world says if any of its worlds says so.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface
from random import Random

from msgspec.structs import replace as changed

from hopback.datapath.effects import Ask, Blind, Deliver, Effect, Place, Send, Why, World
from hopback.datapath.ip.key import Key
from hopback.datapath.ip.layer import ROUND_A_VRF
from hopback.datapath.ip.output import transmit
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.model import Model
from hopback.datapath.netfilter.hooks import Netfilter
from hopback.datapath.netfilter.packet import Outcome, Passed, Seen
from hopback.datapath.netfilter.ruleset import Ruleset
from hopback.datapath.path import ip_layer, step
from hopback.datapath.skb import Skb
from hopback.frames import ethernet, udp
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import ZERO, format_mac
from hopback.frames.raw import Raw
from hopback.frames.udp import Udp
from tests.build import TUN, dev, link, links, listing, model
from tests.fidelity.area import Prediction, Received, Result
from tests.fidelity.areas.route_cases import RouteCase, random_case, smaller_case
from tests.fidelity.areas.route_directed import DIRECTED
from tests.fidelity.mutants import Mutation, Spot, rule_of
from tests.kernel.route_rig import RouteRig, gives_marks, has_vrf, route_refusal
from tests.kernel.route_spec import (
    ADDRESSES,
    CUT,
    ENSLAVED,
    FIRST_PORT,
    MACS,
    SILENT,
    TAPS,
    VRF,
    VRF_TABLE,
    Own,
    RouteSpec,
    Setup,
    Via,
    everybody,
    station,
)

HERE = ("kvm1", "")
_VRF_SHARE = 0.4
What = tuple[str, bytes]
"""What became of a packet: the tap that it left by, or "host", and what was seen of it."""


class RouteArea:
    """Two namespaces for all cases; tables, rules, settings and packets differ."""

    name = "route"
    rules = frozenset(
        {"ip-forward", "ip-output", "ip-forwarding-off", "ip-no-route", "ip-unreachable"}
        | {"ip-prohibit", "ip-blackhole", "ip-martian", "ip-rp-filter", "ip-ttl", "ip-link-local"}
        | {"ip-no-neighbour", "ip-not-for-host"}
    )
    enumerated = DIRECTED
    not_covered = (
        "which next hop of several takes a flow: a hash with a secret seed; that it is one of"
        " those that the model names is covered, and that each is taken by some flow",
        "routes by their source (from) and rules by tunnel keys: the model does not evaluate them",
        "fib_multipath_use_neigh, nexthop groups",
        "ports of what is neither TCP nor UDP, fragments, IP options, IPsec",
    )

    def refusal(self) -> str | None:
        return route_refusal()

    def generate(self, chance: Random) -> RouteCase:
        return random_case(chance, vrf=has_vrf() and chance.random() < _VRF_SHARE)

    def smaller(self, case: RouteCase) -> Iterator[RouteCase]:
        return smaller_case(case)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[RouteCase], Result]]:
        with RouteRig() as rig:

            def run(case: RouteCase) -> Result:
                return first_of(case, played(rig, case))

            yield run

    def model(self, case: RouteCase, mutation: Mutation) -> Prediction:
        given = made_of(case.setup)
        fired: set[str] = set()
        seen: list[What] = []
        for frame in case.frames:
            _, effects = next(worlds(given, frame))
            fired.update(filter(None, map(rule_of, effects)))
            tap = frame.dev if isinstance(frame, Own) else frame[0]
            spot = Spot(dev(tap or "t0"), None, _frame_of(frame))
            seen += _told(mutation(effects, spot))
        return Prediction(_result(seen), frozenset(fired))


AREA = RouteArea()


def worlds(
    given: Model, frame: tuple[str, bytes] | Own, world: World | None = None
) -> Iterator[tuple[World, Sequence[Effect]]]:
    """What becomes of a packet by every set of answers, that of the defaults first."""
    world = world or {}
    if isinstance(frame, Own):
        effects = _sent(given, world, frame)
    else:
        effects = step(given, world, Place(dev(frame[0]), "in"), decode(frame[1]))
    asked = next((effect for effect in effects if isinstance(effect, Ask)), None)
    if asked is None:
        yield world, effects
        return
    question = asked.question
    others = [answer for answer in question.answers if answer != question.default]
    for answer in (question.default, *others):
        yield from worlds(given, frame, {**world, question: answer})


def _sent(given: Model, world: World, own: Own) -> Sequence[Effect]:
    layer = ip_layer(given, world, dev(""))
    assert layer is not None, "its addresses and routes are known"
    key = Key(
        target=ip_address(own.target),
        source=ip_address(own.source),
        mark=own.mark,
        oif=own.dev,
        protocol=udp.PROTOCOL,
        source_port=own.port,
        target_port=5000,
        tos=own.tos,
    )
    way = lookup(layer.host, world, key)
    if not isinstance(way, Way):
        return [way]
    frame = _frame_of(own)
    if way.kind != "out":
        why = Why("ip-output")
        return [Deliver(dev("lo"), frame, "host", why)] if way.kind == "local" else []
    return [transmit(layer, frame, Skb(mark=own.mark), way)]


def _frame_of(frame: tuple[str, bytes] | Own) -> Frame:
    """The packet, in a frame whose MACs may still be open."""
    if not isinstance(frame, Own):
        return decode(frame[1])
    datagram = Udp(frame.port, 5000, Raw(frame.number.to_bytes(2, "big") + bytes(18)))
    source, target = ip_address(frame.source), ip_address(frame.target)
    if isinstance(source, IPv4Address) and isinstance(target, IPv4Address):
        packet = Ipv4(source, target, udp.PROTOCOL, datagram, tos=frame.tos)
        return Frame(ZERO, ZERO, (), ethernet.IPV4, packet)
    assert isinstance(source, IPv6Address)
    assert isinstance(target, IPv6Address)
    packet6 = Ipv6(source, target, udp.PROTOCOL, datagram, traffic_class=frame.tos)
    return Frame(ZERO, ZERO, (), ethernet.IPV6, packet6)


def _told(effects: Sequence[Effect]) -> Iterator[What]:
    """What of the effects can be seen from outside: nothing leaves by a tap without carrier."""
    for effect in effects:
        match effect:
            case Send(dev=out, frame=frame) if out.name != CUT:
                found = _seen(out.name, encode(frame))
                assert found is not None
                yield found
            case Deliver(frame=frame, packet_type=type_) if type_ != "otherhost":
                yield "host", _payload(frame)
            case Blind(what=what) if what == ROUND_A_VRF:
                pass  # left out, by kernel and model
            case Ask() | Blind():
                raise AssertionError(f"the model leaves it open: {effect}")


def _seen(name: str, raw: bytes) -> What | None:
    """A datagram that left by a tap, without what its sender chose at random; None: none of ours.

    The host also sends errors and redirects.
    """
    frame = decode(raw)
    packet = frame.payload
    if not isinstance(packet, Ipv4 | Ipv6) or not isinstance(packet.payload, Udp):
        return None
    body = changed(packet.payload, checksum=None)
    if isinstance(packet, Ipv4):
        plain = changed(packet, ident=0, flags=0, checksum=None, payload=body)
        return name, encode(changed(frame, payload=plain))
    return name, encode(changed(frame, payload=changed(packet, flow_label=0, payload=body)))


def _payload(frame: Frame) -> bytes:
    packet = frame.payload
    assert isinstance(packet, Ipv4 | Ipv6)
    assert isinstance(packet.payload, Udp)
    assert isinstance(packet.payload.payload, Raw)
    return packet.payload.payload.raw


def _number(what: What) -> int:
    data = what[1] if what[0] == "host" else _payload(decode(what[1]))
    return int.from_bytes(data[:2], "big")


def played(rig: RouteRig, case: RouteCase) -> Sequence[What]:
    """What the kernel does with a case."""
    rig.set(case.setup)
    egress = rig.play(case.frames)
    seen = [(name, raw) for name, frames in egress.items() for raw in frames]
    told = [s for name, raw in seen if (s := _seen(name, raw)) is not None]
    return [*told, *(("host", datagram[8:]) for datagram in rig.delivered())]


def first_of(case: RouteCase, told: Sequence[What]) -> Result:
    """What the kernel did, as the model's first world has it where some world of its does."""
    return _result(_first_of(case, told))


def _first_of(case: RouteCase, told: Sequence[What]) -> Iterator[What]:
    given = made_of(case.setup)
    by_number: dict[int, list[What]] = {}
    for what in told:
        by_number.setdefault(_number(what), []).append(what)
    for frame in case.frames:
        seen = by_number.get(int.from_bytes(_payload(_frame_of(frame))[:2], "big"), [])
        found = [effects for _, effects in worlds(given, frame)]
        if any(isinstance(e, Blind) for effects in found for e in effects):
            continue
        possible = [list(_told(effects)) for effects in found]
        yield from possible[0] if seen in possible else seen


def _result(seen: Iterable[What]) -> Result:
    egress: dict[str, list[bytes]] = {}
    for name, raw in seen:
        egress.setdefault(name, []).append(raw)
    local = tuple(Received("host", each) for each in sorted(egress.pop("host", [])))
    sent = {name: tuple(sorted(frames)) for name, frames in egress.items()}
    return Result(sent, {"host": local})


@lru_cache(maxsize=8)
def made_of(setup: Setup) -> Model:
    filters = Netfilter(Ruleset(dev("")), frozenset(("ip", "ip6")), ask=_marking)
    return changed(model(described(setup)), netfilter={HERE: filters})


def _marking(_: Ruleset, world: World, seen: Seen, priorities: range) -> Outcome:
    """The rig's filter, which gives marks by the source port."""
    packet = seen.frame.payload
    marked = seen.hook == "prerouting" and gives_marks()
    if not marked or not isinstance(packet, Ipv4 | Ipv6):
        return Passed(seen.frame, seen.skb)
    assert isinstance(packet.payload, Udp)
    return Passed(seen.frame, changed(seen.skb, mark=packet.payload.sport - FIRST_PORT))


def described(setup: Setup) -> str:
    """The router as its listings tell of it."""
    devices = [
        link(index, name, format_mac(MACS[name]), TUN, master=_vrf_of(setup, name))
        for index, name in enumerate(TAPS, 2)
    ]
    if setup.vrf:
        devices.append(link(9, VRF, "02:00:00:00:0f:00", f"vrf table {VRF_TABLE}"))
    settings = [f"net.{key} = {value}" for key, value in setup.settings]
    routes = [_listed(route, dict(setup.settings)) for route in setup.routes]
    rules = {
        family: [
            f"{rule.priority}: {rule.selector} {rule.action}"
            for rule in setup.rules
            if rule.family == family
        ]
        for family in (4, 6)
    }
    return (
        listing("uname -r", [os.uname().release])
        + links(*devices)
        + _addresses()
        + listing("ip route show table all", (*_kept(setup), *routes))
        + (listing("ip rule show", rules[4]) if rules[4] else "")
        + listing("ip -6 rule show", rules[6])
        + _neighbours()
        + listing("sysctl", settings)
    )


def _addresses() -> str:
    lines = ["1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536", "    inet 127.0.0.1/8 scope host lo"]
    for index, (name, given) in enumerate(ADDRESSES.items(), 2):
        lines.append(f"{index}: {name}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500")
        lines += [f"    inet{'6' * (':' in a)} {a} scope global {name}" for a in given]
    return listing("ip addr show", lines)


def _kept(setup: Setup) -> Iterator[str]:
    """What the kernel itself has entered."""
    router = dict(setup.settings).get("ipv6.conf.all.forwarding")
    yield "local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1"
    yield "local ::1 dev lo table local proto kernel metric 0 pref medium"
    for name, given in ADDRESSES.items():
        down = " linkdown" if name == CUT else ""
        table = f" table {VRF_TABLE}" if _vrf_of(setup, name) else ""
        local = table or " table local"
        for at in map(ip_interface, given):
            if at.version == 4:
                yield f"{at.network} dev {name}{table} proto kernel scope link src {at.ip}{down}"
                yield f"local {at.ip} dev {name}{local} proto kernel scope host src {at.ip}"
                last = at.network.broadcast_address
                yield f"broadcast {last} dev {name}{local} proto kernel scope link{down}"
                continue
            yield f"{at.network} dev {name}{table} proto kernel metric 256{down} pref medium"
            yield f"local {at.ip} dev {name}{local} proto kernel metric 0 pref medium"
            if router:
                first = at.network.network_address
                yield f"anycast {first} dev {name}{local} proto kernel metric 0 pref medium"


def _listed(route: RouteSpec, settings: Mapping[str, int]) -> str:
    """A route as ``ip route show table all`` prints it."""
    ways = [f"{hop.words}{_down(route, hop, settings)}" for hop in route.hops]
    metric = route.metric or 1024 * (route.family == 6)
    told = f"table {route.table} proto static" + (f" metric {metric}" if metric else "")
    pref = f" pref {route.pref or 'medium'}" if route.family == 6 else ""
    if len(ways) < 2:
        return f"{route.words} {''.join(ways)} {told}{pref}"
    hops = [f"\n\tnexthop {way} weight {h.weight}" for way, h in zip(ways, route.hops, strict=True)]
    return f"{route.words} {told}{pref}{''.join(hops)}"


def _vrf_of(setup: Setup, name: str) -> str:
    return VRF if setup.vrf and name in ENSLAVED else ""


def _down(route: RouteSpec, hop: Via, settings: Mapping[str, int]) -> str:
    """fib_check_nh_v6_gw does not look at the carrier; dead is what is ignored without one."""
    if hop.dev != CUT or (route.family == 4 and ":" in hop.via):
        return ""
    places = ("all", CUT) if route.family == 4 else (CUT,)
    keys = (f"ipv{route.family}.conf.{name}.ignore_routes_with_linkdown" for name in places)
    return " dead linkdown" if any(settings.get(key) for key in keys) else " linkdown"


def _neighbours() -> str:
    lines = []
    for name in TAPS:
        for index, address in enumerate(everybody()):
            if SILENT.get(address) == name:
                lines.append(f"{address} dev {name} FAILED")
            else:
                lines.append(f"{address} dev {name} lladdr {format_mac(station(index))} PERMANENT")
    return listing("ip neigh show", lines)
