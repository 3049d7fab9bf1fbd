"""Random addresses, routes and settings of a router, and packets of which senders are told."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from random import Random

from msgspec.structs import replace as changed

from hopback.frames import ethernet, icmp, udp
from hopback.frames.codec import encode
from hopback.frames.ethernet import Frame
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.ipv4 import DONT_FRAGMENT, MORE_FRAGMENTS, Ipv4
from hopback.frames.ipv6 import Fragment, Ipv6
from hopback.frames.mac import BROADCAST
from hopback.frames.raw import Raw
from hopback.frames.transport import Transport
from hopback.frames.udp import Udp
from tests.fidelity.shrink import changed_at, fewer
from tests.kernel.icmp_rig import DEVICES, GATEWAY, MACS, SIX, Setup

FRAMES = 100

_SCOPES = ("global", "global", "global", "link", "host", "site")
_V6_PREFIXES = ("2001:db8:{}::", "fd0{}::", "2002:{}::", "3ffe:{}::", "fec0:{}::", "2001:0:{}::")
_REFUSING = ("unreachable", "prohibit", "blackhole", "throw")
_ERRORS4, _OTHERS4 = (3, 4, 5, 11, 12, 1, 9, 40), (0, 8, 13, 17)
_SIZES = (0, 8, 100, 500, 540, 560, 700, 1250, 1300, 1440)


@dataclass(frozen=True)
class IcmpCase:
    """Frames by the taps they come in by."""

    setup: Setup
    frames: tuple[tuple[str, bytes], ...] = ()


def random_case(chance: Random) -> IcmpCase:
    """Any addresses and routes, and ``FRAMES`` packets, each of a sender of its own."""
    lines = [line for number, name in enumerate(DEVICES) for line in _device(chance, number, name)]
    lines += _loopback(chance)
    lines += _far(chance, lines)
    senders: list[tuple[str, str]] = []
    frames = tuple(_frame(chance, number, senders) for number in range(FRAMES))
    known = [(dev, f"10.{i}.0.2") for i, dev in enumerate(DEVICES)]
    known += [
        (dev, f"{net}2") for i, dev in enumerate(SIX) for net in (f"2001:db8:{i}::", "fe80::")
    ]
    neighbours = dict.fromkeys((*known, *senders))
    return IcmpCase(Setup(tuple(lines), _settings(chance), tuple(neighbours)), frames)


def smaller_case(case: IcmpCase) -> Iterator[IcmpCase]:
    """Fewer frames, fewer lines, settings as they are by default."""
    for frames in fewer(case.frames):
        yield replace(case, frames=frames)
    for lines in fewer(case.setup.lines):
        yield replace(case, setup=replace(case.setup, lines=lines))
    for index, (key, value) in enumerate(case.setup.settings):
        if value != _usual(key):
            settings = changed_at(case.setup.settings, index, (key, _usual(key)))
            yield replace(case, setup=replace(case.setup, settings=settings))


def _usual(key: str) -> int:
    if key.endswith(("ttl", "hop_limit")):
        return 64
    ending = ("forward", "forwarding", "send_redirects", "shared_media")
    return int(key.endswith(ending))


def _settings(chance: Random) -> tuple[tuple[str, int], ...]:
    def on(share: float) -> int:
        return int(chance.random() < share)

    found = [("ipv4.ip_forward", on(0.9)), ("ipv6.conf.all.forwarding", on(0.9))]
    found.append(("ipv4.icmp_errors_use_inbound_ifaddr", on(0.3)))
    found.append(("ipv4.ip_default_ttl", chance.choice((64, 64, 200))))
    for name in ("all", *DEVICES):
        found.append((f"ipv4.conf.{name}.rp_filter", 0))
        found.append((f"ipv4.conf.{name}.send_redirects", on(0.6)))
        found.append((f"ipv4.conf.{name}.shared_media", on(0.4)))
        found.append((f"ipv4.conf.{name}.route_localnet", on(0.1)))
    for name in SIX:
        found.append((f"ipv6.conf.{name}.hop_limit", chance.choice((64, 64, 33))))
        found.append((f"ipv6.conf.{name}.use_oif_addrs_only", on(0.15)))
    return tuple(found)


def _device(chance: Random, number: int, name: str) -> Iterator[str]:
    """A /16 and a /64 on the link, with or without an address there, and others."""
    scopes = {length: chance.choice(_SCOPES) for length in (16, 24, 32)}  # one of a subnet
    if chance.random() < 0.75:
        yield f"addr add 10.{number}.0.1/16 dev {name} scope {scopes[16]}"
    for _ in range(chance.choice((0, 0, 1, 2))):
        address = f"{chance.choice((10, 172))}.{number}.{chance.randint(1, 9)}.1"
        length = chance.choice((16, 24, 32))
        yield f"addr replace {address}/{length} dev {name} scope {scopes[length]}"
    yield f"route replace 10.{number}.0.0/16 dev {name}"
    if name not in SIX:
        return
    if chance.random() < 0.8:
        yield f"addr add fe80::{number + 1}:1/64 dev {name} nodad"
    for _ in range(chance.choice((0, 1, 2, 3))):
        net = chance.choice(_V6_PREFIXES).format(number)
        life = "preferred_lft 0" if chance.random() < 0.25 else ""
        length = chance.choice((48, 64, 128))
        yield f"addr replace {net}{chance.randint(1, 9):x}:1/{length} dev {name} nodad {life}"
    for net in _V6_PREFIXES:
        yield f"route replace {net.format(number)}/64 dev {name}"
    yield f"route replace fe80::/64 dev {name}"


def _loopback(chance: Random) -> list[str]:
    lines = []
    if chance.random() < 0.3:
        lines.append(f"addr add 10.99.0.1/32 dev lo scope {chance.choice(_SCOPES)}")
    if chance.random() < 0.3:
        lines.append("addr add 2001:db8:99::1/128 dev lo nodad")
    return lines


def _far(chance: Random, own: list[str]) -> list[str]:
    """Where senders are that are no neighbours, and what packets are for."""
    lines = []
    for number, name in enumerate(DEVICES):
        via = f"via 10.{number}.0.2 dev {name} onlink"
        given = any(line.startswith(f"addr add 10.{number}.0.1/16") for line in own)
        source = f"src 10.{number}.0.1" if given and chance.random() < 0.3 else ""
        lines.append(f"route add 172.{16 + number}.0.0/16 {via} {source}")
        lines.append(f"route add 172.{20 + number}.0.0/16 {via}")
        lines.append(f"route add {chance.choice(_REFUSING)} 172.{24 + number}.0.0/16")
    for number, name in enumerate(SIX):
        via = f"via {chance.choice((f'2001:db8:{number}::2', 'fe80::2'))} dev {name} onlink"
        lines.append(f"route add 2001:db8:a{number}::/64 {via}")
        lines.append(f"route add fd0a:{number}::/64 {via}")
        lines.append(f"route add {chance.choice(_REFUSING)} 2001:db8:c{number}::/64")
    if chance.random() < 0.2:
        lines.append("route add default via 10.0.0.2 dev e0 onlink")
    return lines


def _frame(chance: Random, number: int, senders: list[tuple[str, str]]) -> tuple[str, bytes]:
    tap = chance.choice(DEVICES)
    six = tap in SIX and chance.random() < 0.5
    mac = BROADCAST if chance.random() < 0.04 else MACS[tap]
    kind, packet = (_packet6 if six else _packet4)(chance, tap, number, senders)
    return tap, encode(Frame(mac, GATEWAY, (), kind, packet))


def _packet4(
    chance: Random, tap: str, number: int, senders: list[tuple[str, str]]
) -> tuple[int, Ipv4]:
    index = DEVICES.index(tap)
    host = f"{chance.randint(10, 250)}.{chance.randint(10, 250)}"
    if chance.random() < 0.5:
        source = f"10.{index}.{host}"
        senders.append((tap, source))
    else:
        source = f"172.{16 + chance.choice((index, index, 0, 1, 2))}.{host}"
    if chance.random() < 0.03:
        source = chance.choice(("0.0.0.0", "255.255.255.255", "224.0.0.5"))
    target = f"172.{chance.choice((20, 20, 24, 40)) + chance.randrange(3)}.0.{number + 1}"
    if chance.random() < 0.03:
        target = chance.choice(("224.0.0.9", "255.255.255.255"))
    hops = chance.choice((64, 64, 64, 2, 1, 0))
    body = _body4(chance, number)
    protocol = icmp.PROTOCOL if isinstance(body, Icmp) else udp.PROTOCOL
    packet = Ipv4(IPv4Address(source), IPv4Address(target), protocol, body, hops)
    packet = changed(packet, tos=chance.randrange(256), ident=number + 1, flags=DONT_FRAGMENT)
    if chance.random() < 0.08:
        raw = Raw(bytes(64))
        more, offset = chance.choice(((MORE_FRAGMENTS, 0), (MORE_FRAGMENTS, 8), (0, 8)))
        packet = changed(packet, payload=raw, flags=more, offset=offset)
    return ethernet.IPV4, packet


def _body4(chance: Random, number: int) -> Transport:
    filling = Raw(number.to_bytes(2, "big") + bytes(chance.choice(_SIZES)))
    if chance.random() < 0.2:
        kinds = _ERRORS4 if chance.random() < 0.5 else _OTHERS4
        return Icmp(chance.choice(kinds), body=filling)
    return Udp(4000 + number, 5000, filling)


def _packet6(
    chance: Random, tap: str, number: int, senders: list[tuple[str, str]]
) -> tuple[int, Ipv6]:
    index = SIX.index(tap)
    if chance.random() < 0.6:
        net = chance.choice((*_V6_PREFIXES, *_V6_PREFIXES, "fe80::")).format(index)
        source = f"{net}{chance.randint(0x1000, 0xFFFF):x}:{number:x}"
        senders.append((tap, source))
    else:
        net = chance.choice((f"2001:db8:a{chance.randrange(2)}::", f"fd0a:{index}::"))
        source = f"{net}{chance.randint(0x1000, 0xFFFF):x}"
    if chance.random() < 0.03:
        source = chance.choice(("::", "ff02::5"))
    net = chance.choice(("2001:db8:a{}::", "2001:db8:a{}::", "2001:db8:c{}::", "2001:db8:e{}::"))
    target = net.format(chance.randrange(2)) + f"{number + 1:x}"
    if chance.random() < 0.03:
        target = "ff0e::9"
    body = _body6(chance, number)
    protocol = icmp.PROTOCOL_V6 if isinstance(body, Icmpv6) else udp.PROTOCOL
    hops = chance.choice((64, 64, 64, 2, 1, 0))
    packet = Ipv6(IPv6Address(source), IPv6Address(target), protocol, body, hops)
    packet = changed(packet, traffic_class=chance.randrange(256))
    if chance.random() < 0.08:
        part = Fragment(number, chance.choice((0, 8)), more=True)
        packet = changed(packet, payload=Raw(bytes((3, 0)) + bytes(62)), extensions=(part,))
    return ethernet.IPV6, packet


def _body6(chance: Random, number: int) -> Transport:
    filling = Raw(number.to_bytes(2, "big") + bytes(chance.choice(_SIZES)))
    if chance.random() < 0.2:
        return Icmpv6(chance.choice((1, 2, 3, 4, 100, 128, 129, 200)), body=filling)
    return Udp(4000 + number, 5000, filling)
