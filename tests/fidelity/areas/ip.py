"""Bridging and routing in one namespace: br_netfilter, the hooks of IP, and IP forwarding."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from ipaddress import ip_address, ip_interface
from random import Random

from msgspec.structs import replace as changed

from hopback.datapath.effects import World
from hopback.datapath.model import Model
from hopback.datapath.netfilter.hooks import Netfilter
from hopback.datapath.netfilter.packet import ChainFamily, Outcome, Passed, Seen, Stopped
from hopback.datapath.netfilter.ruleset import Ruleset
from hopback.datapath.rules import RULES
from hopback.frames.codec import decode
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import format_mac
from hopback.frames.udp import Udp
from tests.build import BRIDGE as KIND
from tests.build import TUN, dev, link, links, listing, model
from tests.fidelity.area import Prediction, Received, Result
from tests.fidelity.areas.ip_cases import ASKER, IpCase, random_case, smaller_case
from tests.fidelity.mutants import Mutation
from tests.fidelity.walk import Walk
from tests.kernel.router_rig import (
    ADDRESSES,
    BRIDGE,
    MACS,
    MTUS,
    PORTS,
    ROUTED,
    ROUTES,
    SILENT,
    STATIONS,
    TAPS,
    IpRule,
    Router,
    Setup,
    router_refusal,
)

_FAMILIES: frozenset[ChainFamily] = frozenset(("ip", "ip6", "arp"))
_ARP = b"\x08\x06"
OWN = ("kvm1", "")
"""Host and namespace of the router in the model."""


class IpArea:
    """One namespace for all cases; what is unlike in them is settings, filters and frames."""

    name = "ip"
    rules = frozenset(name for name, rule in RULES.items() if rule.area in ("ip", "bridge-nf"))
    enumerated: Sequence[IpCase] = ()
    not_covered = (
        "ICMP errors and redirects, what the host sends to itself, and of IPv6 at all",
        "fragments, IP options, IPsec; other tables and rules than the usual ones: see route",
        "groups that the host has not joined; VLAN and PPPoE inside a bridge",
        "what chains make of their rules, and NAT by connections: that is the evaluator's",
    )

    def refusal(self) -> str | None:
        return router_refusal()

    def generate(self, chance: Random) -> IpCase:
        return random_case(chance)

    def smaller(self, case: IpCase) -> Iterator[IpCase]:
        return smaller_case(case)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[IpCase], Result]]:
        with Router() as router:

            def run(case: IpCase) -> Result:
                router.set(case.setup)
                egress = router.play(case.frames)
                sent = {name: tuple(filter(_is_ours, raw)) for name, raw in egress.items()}
                return _result(sent, router.delivered())

            yield run

    def model(self, case: IpCase, mutation: Mutation) -> Prediction:
        run = Walk(_model(case.setup), mutation, frozenset(TAPS))
        for name, raw in case.frames:
            if name:
                run.receive(name, raw)
            else:
                run.originate(raw)
        result, fired = run.prediction()
        delivered = [
            datagram
            for received in result.local.values()
            for got in received
            if got.type != "otherhost" and (datagram := _datagram(got.frame))
        ]
        sent = {n: tuple(filter(_is_ours, raw)) for n, raw in result.egress.items()}
        return Prediction(_result(sent, delivered), fired)


AREA = IpArea()


def _result(egress: dict[str, tuple[bytes, ...]], delivered: Sequence[bytes]) -> Result:
    """What the host took is in the order of its numbers: IPv4 and IPv6 are heard apart."""
    heard = tuple(Received("host", datagram[8:]) for datagram in delivered)
    by_number = tuple(sorted(heard, key=lambda each: each.frame))
    return Result({n: sent for n, sent in egress.items() if sent}, {"host": by_number})


def _is_ours(raw: bytes) -> bool:
    """The host also sends errors, and asks for neighbours."""
    return _datagram(raw) is not None or (raw[12:14] == _ARP and raw[28:32] == ASKER.packed)


def _datagram(raw: bytes) -> bytes | None:
    """The UDP datagram in a frame."""
    packet = decode(raw).payload
    if not isinstance(packet, Ipv4 | Ipv6) or not isinstance(packet.payload, Udp):
        return None
    return raw[14 + (20 if isinstance(packet, Ipv4) else 40) :]


@lru_cache(maxsize=64)
def _model(setup: Setup) -> Model:
    filters = Netfilter(Ruleset(dev("")), _FAMILIES, ask=_asking(setup.rules))
    return changed(model(described(setup)), netfilter={OWN: filters})


def described(setup: Setup) -> str:
    """The router as its tables tell of it, but for its filters."""
    settings = [f"net.{key} = {value}" for key, value in setup.settings]
    return _links(setup) + _addresses() + _routes() + _neighbours() + listing("sysctl", settings)


def _links(setup: Setup) -> str:
    """The devices, the ports in the order in which they were enslaved, and the bridge's table."""
    lines = [link(9, BRIDGE, format_mac(MACS[BRIDGE]), KIND)]
    for index, name in enumerate(PORTS, 2):
        hairpin = "on" if setup.hairpin and name == "lp0" else "off"
        flags = f"hairpin {hairpin} learning off"
        lines.append(link(index, name, format_mac(MACS[name]), TUN, master=BRIDGE, port=flags))
    for index, name in enumerate(ROUTED, 4):
        lines.append(link(index, name, format_mac(MACS[name]), TUN))
    sized = (line.replace("mtu 1500", f"mtu {MTUS[n]}") for line in lines for n in _named(line))
    known = {mac: name for name, mac in STATIONS.values() if name in PORTS}
    table = [f"{format_mac(mac)} dev {name} master {BRIDGE} static" for mac, name in known.items()]
    return links(*sized) + listing(f"bridge fdb show br {BRIDGE}", table)


def _named(line: str) -> tuple[str]:
    return (line.split()[1].rstrip(":"),)


def _addresses() -> str:
    lines = []
    for index, (name, given) in enumerate(ADDRESSES.items(), 2):
        lines.append(f"{index}: {name}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu {MTUS[name]}")
        lines += [f"    inet{'6' * (':' in a)} {a} scope global {name}" for a in given]
    return listing("ip addr show", lines)


def _routes() -> str:
    own = [
        f"{ip_interface(address).network} dev {name} proto kernel scope link"
        for name, given in ADDRESSES.items()
        for address in given
    ]
    via = {**SILENT, "10.0.0.4": BRIDGE, "fd00::4": BRIDGE}
    given = [f"{r} dev {via[r.split()[-1]]}" if " via " in r else r for r in ROUTES]
    return listing("ip route show table all", own + given)


def _neighbours() -> str:
    lines = [
        f"{address} dev {BRIDGE if name in PORTS else name} lladdr {format_mac(mac)} PERMANENT"
        for address, (name, mac) in STATIONS.items()
    ]
    lines += [f"{address} dev {dev} FAILED" for address, dev in SILENT.items()]
    return listing("ip neigh show", lines)


def _asking(rules: Sequence[IpRule]) -> Callable[[Ruleset, World, Seen, range], Outcome]:
    """Two chains at each hook, one after the other: of each the first rule that fits decides."""

    def ask(_: Ruleset, world: World, seen: Seen, priorities: range) -> Outcome:
        for phys in (False, True):
            rule = next((r for r in rules if r.phys == phys and _fits(r, seen)), None)
            if rule is not None and not (rule.to or rule.source):
                return Stopped("drop", rule.hook, ())
            if rule is not None:
                seen = changed(seen, frame=_rewritten(seen.frame, rule))
        return Passed(seen.frame, seen.skb)

    return ask


def _fits(rule: IpRule, seen: Seen) -> bool:
    packet = seen.frame.payload
    target = str(packet.dst) if isinstance(packet, Ipv4 | Ipv6) else ""
    return (
        (rule.family, rule.hook) == (seen.family, seen.hook)
        and rule.indev in ("", seen.indev)
        and rule.outdev in ("", seen.outdev)
        and rule.physin in ("", seen.physin)
        and rule.physout in ("", seen.physout)
        and rule.target in ("", target)
    )


def _rewritten(frame: Frame, rule: IpRule) -> Frame:
    packet = frame.payload
    assert isinstance(packet, Ipv4 | Ipv6)
    source, target = (
        ip_address(new) if new else old
        for new, old in ((rule.source, packet.src), (rule.to, packet.dst))
    )
    body = packet.payload
    if isinstance(body, Udp):  # what is told by ICMP is not compared here
        body = changed(body, checksum=None)
    if isinstance(packet, Ipv4):
        new = changed(packet, src=source, dst=target, payload=body, checksum=None)
        return changed(frame, payload=new)
    return changed(frame, payload=changed(packet, src=source, dst=target, payload=body))
