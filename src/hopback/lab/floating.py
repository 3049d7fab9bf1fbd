"""The guest and an address that the host translates to its own: nova's floating IP.

The guest's namespace gets its IPv4 address and a route by the host's, the host's namespace its own
addresses on the rebuilt bridge; the guest then pings the address from outside. That is one bridge,
one host and what its NAT rules name: whatever is more is not played, and said.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.bridge.state import NeighbourEntry
from hopback.datapath.effects import Ask
from hopback.datapath.ip.fib import Hop, Route, table_of
from hopback.datapath.ip.forwarding import forwards
from hopback.datapath.ip.host import Host, Own
from hopback.datapath.ip.local import local_routes
from hopback.datapath.ip.policy import USUAL, is_usual
from hopback.datapath.model import Model
from hopback.datapath.netfilter.addresses import Addresses
from hopback.datapath.netfilter.addresses import Own as OwnAddress
from hopback.datapath.netfilter.listings import Listed, chosen
from hopback.datapath.rules import RULES
from hopback.datapath.skb import Ip
from hopback.engines.flow import Flow, FlowEnd, follow
from hopback.frames.build import echo_request
from hopback.frames.codec import encode
from hopback.frames.icmp import Icmp
from hopback.frames.ipv4 import Ipv4
from hopback.frames.mac import ZERO, Mac, format_mac
from hopback.frames.raw import Raw
from hopback.lab.devices import GUEST, GUEST_DEVICE, HOST
from hopback.lab.predict import Labels, Passing, rule_text
from hopback.lab.segment import Segment
from hopback.lab.steps import Ping, Scene, Step
from hopback.network.addresses import addresses_of
from hopback.network.facts import Fact
from hopback.snapshot.rows import Field, FilterRule, Match, Nat, Span

REACHING = "floating address"
FIXED_REACHING = "floating address, fixed"

_TARGETS_MAX = 2
_LOOPBACK = "lo"
_ANY_PACKET = frozenset({"ip daddr", "ip saddr", "meta iifname", "meta nfproto", "meta iif"})
"""Fields that a rule may compare so that it still is about pings."""

_HEADERS = 34  # of Ethernet and IPv4, in front of ICMP
_SETTLE = 0.05
_PATIENCE = 2.0  # on a busy machine; who is answered does not wait


class Floating(Struct, frozen=True):
    """The guest has ``own``, the host ``gateway`` on the bridge; NAT leads ``targets`` to ``own``.

    ``host`` is the IP layer that the lab builds, ``held`` those targets that the host itself has.
    """

    own: IPv4Address
    gateway: IPv4Interface
    targets: tuple[IPv4Address, ...]
    held: tuple[IPv4Address, ...]
    host: Host

    @property
    def addresses(self) -> Addresses:
        """The host's, as its filters ask for them."""
        bridge = next(own.dev for own in self.host.addresses.values() if own.at == self.gateway)
        held = tuple(OwnAddress(IPv4Interface(address)) for address in self.held)
        return Addresses({bridge: (OwnAddress(self.gateway),), _LOOPBACK: held}, whole=True)


class Reach(Struct, frozen=True):
    """What the model says of a ping: ``path`` is the request's, to the guest or ``lost_at``."""

    message: str
    target: IPv4Address
    end: FlowEnd
    path: tuple[Passing, ...] = ()
    lost_at: str = ""
    why: str = ""
    filter: str = ""


def floating_of(model: Model, segment: Segment) -> tuple[Floating | None, str]:
    """What is to be played, or None and why it is not ("" if there is nothing)."""
    here, station = segment.bridge.id, segment.station
    snapshot = model.network.snapshots[here.host]
    own = [a for a in addresses_of(model.network, station) if isinstance(a, IPv4Address)]
    led = list(_led_to(chosen(snapshot, here.netns), own))
    if not led:
        return None, ""
    host = model.hosts.get(here[:2])
    if host is None or 4 not in host.families:
        return None, "its host's addresses and routes were not all listed"
    if host.unsure or not is_usual(host.policies[4], 4):
        return None, "its host has policy routing"
    if segment.mac is None or segment.name != here.name:
        return None, f"nothing tells the address of {here.name}"
    fixed, _ = led[0]
    on_bridge = (at.at for at in host.addresses.values() if at.dev == here.name)
    gateway = next((at for at in on_bridge if fixed in at.network and at.ip != fixed), None)
    if not isinstance(gateway, IPv4Interface):
        return None, f"{here.name} has no address in the guest's subnet"
    targets = tuple(dict.fromkeys(target for address, target in led if address == fixed))
    held = tuple(target for target in targets if target in host.addresses)
    built = _host(host, segment, (fixed, gateway), held)
    return Floating(fixed, gateway, targets[:_TARGETS_MAX], held, built), ""


def _led_to(
    listed: Listed, own: Sequence[IPv4Address]
) -> Iterator[tuple[IPv4Address, IPv4Address]]:
    """The guest's address, and one that a rule translates to it, whatever the protocol."""
    for rules in listed.rules.values():
        for rule in rules:
            nat = next((step for step in rule.steps if isinstance(step, Nat)), None)
            target = _target(rule)
            if nat is None or nat.kind != "dnat" or target is None:
                continue
            yield from ((address, target) for address in own if int(address) == nat.address)


def _target(rule: FilterRule) -> IPv4Address | None:
    found = None
    for step in rule.steps:
        if not isinstance(step, Match):
            continue
        if any(field.key not in _ANY_PACKET for field in step.fields):
            return None
        if step.fields == (Field("ip daddr"),) and step.op == "==" and len(step.values) == 1:
            (value,) = step.values[0]
            first = value.first if isinstance(value, Span) and value.first == value.last else value
            found = IPv4Address(first) if isinstance(first, int) else None
    return found


def _host(
    host: Host,
    segment: Segment,
    known: tuple[IPv4Address, IPv4Interface],
    held: tuple[IPv4Address, ...],
) -> Host:
    """The recorded host with no more than the lab gives it; whether it forwards is settled."""
    fixed, gateway = known
    bridge = segment.bridge.id.name
    told = forwards(host, {}, bridge, 4)
    on = told.question.default == "yes" if isinstance(told, Ask) else isinstance(told, Fact)
    checks = [_setting(host, f"ipv4.conf.{name}.rp_filter") for name in ("all", bridge)]
    own: dict[Ip, Own] = {
        gateway.ip: Own(bridge, gateway),
        **{address: Own(_LOOPBACK, IPv4Interface(address)) for address in held},
    }
    return replace(
        host,
        families=frozenset({4}),
        addresses=own,
        tables={
            (4, "local"): table_of(local_routes(own.values(), 4, {})),
            (4, "main"): table_of([Route(IPv4Network(gateway.network), hops=(Hop(bridge),))]),
        },
        policies=USUAL,
        neighbours={(bridge, fixed): NeighbourEntry(segment.station.mac)},
        failed={},
        settings={
            "ipv4.ip_forward": Fact(int(on), ()),
            f"ipv4.conf.{bridge.replace('.', '/')}.rp_filter": Fact(max(checks), ()),
            "ipv4.conf.all.rp_filter": Fact(0, ()),
        },
    )


def _setting(host: Host, key: str) -> int:
    fact = host.settings.get(key)
    return fact.value if fact else 0


def message_for(target: IPv4Address) -> str:
    """What the guest's pings of an address are called."""
    return f"PING {target}"


def reached(
    model: Model, segment: Segment, floating: Floating, labels: Labels
) -> tuple[Reach, ...]:
    """What the model says: its host as the lab has it."""
    here = segment.bridge.id[:2]
    filters = model.netfilter.get(here)
    if filters is not None:
        rules = replace(filters.rules, addresses=floating.addresses)
        filters = replace(filters, rules=rules)
    model = replace(
        model, hosts={here: floating.host}, netfilter={here: filters} if filters else {}
    )
    return tuple(_reach(model, segment, floating, t, labels) for t in floating.targets)


def _reach(
    model: Model, segment: Segment, floating: Floating, target: IPv4Address, labels: Labels
) -> Reach:
    flow = follow(model, segment.station, target, source=floating.own)
    message = message_for(target)
    if flow is None or flow.request is None:
        return Reach(message, target, "out-of-sight")
    leg = flow.request
    last = leg.arrived or leg.lost
    hops = leg.trace.path(last.hop if last else None)
    path = [p for hop in hops if (p := labels.place(hop.place, hop.why)) is not None]
    if last is not None and last.dev == labels.nic:  # taken there, or refused
        path.append(Passing(labels.guest, "in", "received"))
    why, rule = _lost(model, flow)
    return Reach(
        message=message,
        target=target,
        end=flow.end,
        path=tuple(path),
        lost_at=path[-1].spot if leg.lost and path else "",
        why=why,
        filter=rule,
    )


def _lost(model: Model, flow: Flow) -> tuple[str, str]:
    """Why a packet is lost, and the filter's rule that drops it."""
    lost = flow.lost
    if lost is None:
        return "", ""
    rule = lost.why.rule
    text = lost.what or (RULES[rule].text if rule in RULES else rule)
    return text, rule_text(model, lost.why) if rule.startswith("filter-") else ""


def scene(
    name: str, floating: Floating, segment: Segment, at: str, before: tuple[Step, ...]
) -> Scene:
    """The guest at spot ``at`` pings each target; the addresses come before and go afterwards.

    First the host answers it, and so has the guest's header at hand: else br_netfilter would send
    packets by way of the bridge device (br_netfilter_hooks.c:br_nf_pre_routing_finish_bridge).
    """
    mac = segment.station.mac
    every = (floating.gateway.ip, *floating.targets)
    pings = tuple(_ping(floating, target, mac, at) for target in every)
    return Scene(
        name,
        (),
        (*before, *_settings(floating, segment), *_addresses(floating, segment)),
        tuple(_gone(floating, segment)),
        patience=_PATIENCE,
        settle=_SETTLE,
        pings=pings,
    )


def _ping(floating: Floating, target: IPv4Address, mac: Mac, at: str) -> Ping:
    frame = echo_request(mac, ZERO, floating.own, target)
    message = message_for(target)
    token = f"hopback {format_mac(mac)} {message}".encode()
    packet = frame.payload
    assert isinstance(packet, Ipv4) and isinstance(packet.payload, Icmp)  # noqa: S101, PT018
    echo = replace(packet.payload, body=Raw(token))
    raw = encode(replace(frame, payload=replace(packet, payload=echo)))
    return Ping(message, at, str(target), raw[_HEADERS:])


def _settings(floating: Floating, segment: Segment) -> Iterator[Step]:
    for key, fact in floating.host.settings.items():
        yield Step(HOST, "sysctl", f"net/{_path(key)}={fact.value}", "as recorded, on or off")
    for name in ("all", GUEST_DEVICE):
        yield Step(GUEST, "sysctl", f"net/ipv4/conf/{name}/rp_filter=0")


def _path(key: str) -> str:
    """A key with its parts divided by slashes; a device's dots are slashes in it."""
    return key.replace("/", "\0").replace(".", "/").replace("\0", ".")


def _addresses(floating: Floating, segment: Segment) -> Iterator[Step]:
    gateway = floating.gateway
    yield Step(HOST, "ip", f"link set dev {_LOOPBACK} up")
    yield Step(HOST, "ip", f"address add {gateway} dev {segment.name}", "as recorded")
    for address in floating.held:
        why = "an address that NAT translates"
        yield Step(HOST, "ip", f"address add {address}/32 dev {_LOOPBACK}", why)
    mac = format_mac(segment.station.mac)
    line = f"neigh replace {floating.own} lladdr {mac} dev {segment.name} nud permanent"
    yield Step(HOST, "ip", line, "the host knows the guest")
    prefix = gateway.network.prefixlen
    line = f"address add {floating.own}/{prefix} dev {GUEST_DEVICE}"
    yield Step(GUEST, "ip", line, "the guest's own")
    yield Step(GUEST, "ip", f"route add default via {gateway.ip}", "by way of the host")


def _gone(floating: Floating, segment: Segment) -> Iterator[Step]:
    yield Step(HOST, "ip", f"neigh del {floating.own} dev {segment.name}")
    yield Step(HOST, "ip", f"address flush dev {segment.name}")
    yield Step(HOST, "ip", f"link set dev {_LOOPBACK} down")
    yield Step(HOST, "ip", f"address flush dev {_LOOPBACK}")
    yield Step(GUEST, "ip", f"address flush dev {GUEST_DEVICE}")
