"""Random settings and filters of a namespace that bridges and routes, and the packets it gets."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from random import Random

from msgspec.structs import replace as changed

from hopback.frames import ethernet, udp
from hopback.frames.build import arp_request
from hopback.frames.codec import encode
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import DONT_FRAGMENT, Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import BROADCAST, ZERO, Mac
from hopback.frames.raw import Raw
from hopback.frames.udp import Udp
from tests.fidelity.shrink import changed_at, fewer
from tests.kernel.router_rig import (
    ADDRESSES,
    BRIDGE,
    MACS,
    PORTS,
    ROUTED,
    STATIONS,
    TAPS,
    Family,
    Hook,
    IpRule,
    Setup,
)

FRAMES = 30
ASKER = IPv4Address("10.0.0.3")
"""Who sends ARP requests in a case; the host sends its own."""

_VIRTUAL, _VIRTUAL6 = "10.0.0.200", "fd00::200"
"""Nobody's addresses, which rules turn into others."""

_OWN = [str(a).split("/")[0] for given in ADDRESSES.values() for a in given]
_V4 = [a for a in (*STATIONS, *_OWN, _VIRTUAL) if ":" not in a]
_V6 = [a for a in (*STATIONS, *_OWN, _VIRTUAL6) if ":" in a]
_FAR = ["10.8.0.1", "10.9.0.1", "10.6.0.1", "10.7.0.1", "8.8.8.8"]
_ODD_SOURCES = ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"]
_GROUPS = ["10.0.0.255", "255.255.255.255", "224.0.0.1"]
_FAR6 = ["fd08::1", "fd09::1", "fd07::1"]
_SIZES = (20, 20, 20, 20, 700, 1264, 1272, 1274, 1300)
_RULES_MAX = 4


@dataclass(frozen=True)
class IpCase:
    """Frames by the taps they come in by."""

    setup: Setup
    frames: tuple[tuple[str, bytes], ...] = ()


def random_case(chance: Random) -> IpCase:
    """Any settings, few rules, and ``FRAMES`` packets of every kind."""
    rules = tuple(_rule(chance) for _ in range(chance.randint(0, _RULES_MAX)))
    frames = tuple(_frame(chance, number) for number in range(FRAMES))
    return IpCase(Setup(chance.random() < 0.4, _settings(chance), rules), frames)


def smaller_case(case: IpCase) -> Iterator[IpCase]:
    """Fewer frames and rules, no hairpin."""
    for frames in fewer(case.frames):
        yield replace(case, frames=frames)
    for rules in fewer(case.setup.rules):
        yield replace(case, setup=replace(case.setup, rules=rules))
    if case.setup.hairpin:
        yield replace(case, setup=replace(case.setup, hairpin=False))
    for index, (key, value) in enumerate(case.setup.settings):
        if value:
            settings = changed_at(case.setup.settings, index, (key, 0))
            yield replace(case, setup=replace(case.setup, settings=settings))


def _settings(chance: Random) -> tuple[tuple[str, int], ...]:
    def on(share: float) -> int:
        return int(chance.random() < share)

    found = [("ipv4.ip_forward", on(0.7)), ("ipv6.conf.all.forwarding", on(0.7))]
    for name in ("all", BRIDGE, *ROUTED):
        found.append((f"ipv4.conf.{name}.rp_filter", chance.choice((0, 0, 0, 1, 2))))
        found.append((f"ipv4.conf.{name}.accept_local", on(0.15)))
    calls = ("iptables", "ip6tables", "arptables")
    found += [(f"bridge.bridge-nf-call-{name}", on(0.7)) for name in calls]
    return tuple(found)


def _rule(chance: Random) -> IpRule:
    kind = chance.random()
    if kind < 0.1:
        return IpRule("arp", "forward")
    family: Family = "ip" if chance.random() < 0.7 else "ip6"
    targets = (*_V4, *_FAR) if family == "ip" else (*_V6, *_FAR6)
    virtual = _VIRTUAL if family == "ip" else _VIRTUAL6
    stations = [a for a in (*_V4, *_V6) if (":" in a) == (family == "ip6")]
    if kind < 0.35:
        to = chance.choice(stations)
        return IpRule(family, "prerouting", target=virtual, to=to)
    if kind < 0.4:
        others = [a for a in stations if a in STATIONS]
        return IpRule(family, "output", target=virtual, to=chance.choice(others))
    if kind < 0.45:
        return IpRule(family, "postrouting", target=chance.choice(stations), source=virtual)
    hooks: tuple[Hook, ...] = ("prerouting", "forward", "postrouting", "input", "output")
    hook = chance.choice(hooks)
    rule = IpRule(family, hook, target=chance.choice(targets) if chance.random() < 0.5 else "")
    if hook not in ("input", "output") and chance.random() < 0.5:
        return _physical(chance, rule)
    if hook not in ("postrouting", "output") and chance.random() < 0.5:
        rule = replace(rule, indev=chance.choice((BRIDGE, *ROUTED)))
    if hook in ("forward", "postrouting", "output") and chance.random() < 0.5:
        rule = replace(rule, outdev=chance.choice((BRIDGE, *ROUTED)))
    if rule == IpRule(family, hook):
        return replace(rule, target=chance.choice(targets))
    return rule


def _physical(chance: Random, rule: IpRule) -> IpRule:
    if rule.hook in ("prerouting", "forward"):
        rule = replace(rule, physin=chance.choice(PORTS))
    if rule.hook == "postrouting" or (rule.hook == "forward" and chance.random() < 0.5):
        rule = replace(rule, physout=chance.choice(PORTS))
    return rule


def _frame(chance: Random, number: int) -> tuple[str, bytes]:
    """A packet that its number makes unlike all others, mostly from whom it may come."""
    if chance.random() < 0.08:
        return "", _own_frame(chance, number)
    tap = chance.choice(TAPS)
    kind = chance.random()
    if kind < 0.05:
        sender = chance.choice([mac for name, mac in STATIONS.values() if name == tap])
        asked = IPv4Address(0x0A00_0000 + number)
        return tap, encode(arp_request(sender, ASKER, asked))
    six = tap != "lr1" and kind < 0.35
    source, target = _pair6(chance, tap) if six else _pair4(chance, tap)
    mac = _mac(chance, tap, target)
    own = next(mac for name, mac in STATIONS.values() if name == tap)
    return tap, encode(
        Frame(mac, own, (), *_packet(chance, source, target, number, chance.choice(_SIZES)))
    )


def _own_frame(chance: Random, number: int) -> bytes:
    """A packet of the host's own to somebody else."""
    source = chance.choice([a for a in _OWN if ":" not in a])
    target = chance.choice([a for a in (*STATIONS, *_FAR, _VIRTUAL) if ":" not in a])
    kind, packet = _packet(chance, source, target, number, chance.choice((20, 700)))
    assert isinstance(packet, Ipv4)
    return encode(Frame(ZERO, ZERO, (), kind, changed(packet, ident=number + 1, checksum=None)))


def _pair4(chance: Random, tap: str) -> tuple[str, str]:
    own = [a for a, (name, _) in STATIONS.items() if name == tap and ":" not in a]
    source = chance.choice(own)
    kind = chance.random()
    if kind < 0.15:
        source = chance.choice((*_V4, *_FAR))
    elif kind < 0.2:
        source = chance.choice(_ODD_SOURCES)
    target = chance.choice((*_V4, *_V4, *_FAR, *_GROUPS[: 2 - (source in _ODD_SOURCES)]))
    return source, target


def _pair6(chance: Random, tap: str) -> tuple[str, str]:
    own = [a for a, (name, _) in STATIONS.items() if name == tap and ":" in a]
    source = chance.choice(own) if chance.random() < 0.8 else chance.choice((*_V6, "fe80::5"))
    return source, chance.choice((*_V6, *_V6, *_FAR6))


def _mac(chance: Random, tap: str, target: str) -> Mac:
    """The device's own, that of whoever has the address, or anybody's."""
    if target in _GROUPS or chance.random() < 0.05:
        return BROADCAST
    up = BRIDGE if tap in PORTS else tap
    if target in STATIONS and chance.random() < 0.5:
        return STATIONS[target][1]
    return MACS[up] if chance.random() < 0.9 else chance.choice(list(MACS.values()))


def _packet(
    chance: Random, source: str, target: str, number: int, size: int
) -> tuple[int, Ipv4 | Ipv6]:
    datagram = Udp(4000 + number, 5000, Raw(number.to_bytes(2, "big").ljust(size, b"\0")))
    hops = chance.choice((64, 64, 64, 64, 2, 1))
    if ":" in source:
        packet6 = Ipv6(IPv6Address(source), IPv6Address(target), udp.PROTOCOL, datagram, hops)
        return ethernet.IPV6, packet6
    packet = Ipv4(IPv4Address(source), IPv4Address(target), udp.PROTOCOL, datagram, hops)
    # What is too big must not be cut: the model does not follow fragments.
    checksum = 1 if chance.random() < 0.03 else None
    return ethernet.IPV4, changed(packet, flags=DONT_FRAGMENT, checksum=checksum)
