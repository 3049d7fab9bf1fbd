"""Random frames for packet filters, and what their receivers answer."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from random import Random

from msgspec.structs import replace

from hopback.frames import icmp, tcp, udp
from hopback.frames.arp import Arp
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import ARP, DOT1AD, DOT1Q, IPV4, IPV6, Frame, Vlan
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.ipv4 import DONT_FRAGMENT, MORE_FRAGMENTS, Ipv4
from hopback.frames.ipv6 import DESTINATION, HOP_BY_HOP, Extension, Fragment, Ipv6
from hopback.frames.mac import BROADCAST, Mac, parse_mac
from hopback.frames.nd import Ns
from hopback.frames.raw import Raw
from hopback.frames.tcp import ACK, FIN, RST, SYN, URG, Tcp
from hopback.frames.transport import Transport
from hopback.frames.udp import Udp
from tests.kernel.router_rig import ADDRESSES, BRIDGE, STATIONS, TAPS
from tests.kernel.router_rig import MACS as ROUTER_MACS

MACS = tuple(dict.fromkeys(mac for _, mac in STATIONS.values()))
GROUP_MACS = (BROADCAST, parse_mac("33:33:00:00:00:05"), parse_mac("01:00:5e:00:00:05"))
_OWN = [own.partition("/")[0] for given in ADDRESSES.values() for own in given]
_FLOATING = ("10.0.0.200", "fd00::200")
_FAR = ("10.8.0.1", "fd08::1", "8.8.8.8")
V4 = tuple(sorted((a for a in STATIONS if ":" not in a), key=IPv4Address))
V6 = tuple(sorted((a for a in STATIONS if ":" in a), key=IPv6Address))
PORTS = ("22", "53", "80", "1000", "1001", "8080")
MARKS = ("0x1", "0x2", "0x3", "0x10")


@dataclass(frozen=True)
class Arrival:
    """A frame that comes in by a tap."""

    tap: str
    frame: bytes


@dataclass(frozen=True)
class Answer:
    """The answer to what became of an earlier input, where that left; or an error about it."""

    to: int
    error: bool = False


Input = Arrival | Answer


def bridged(chance: Random, number: int, own: Mac, *, tagged: bool, whole: bool = False) -> bytes:
    """Any frame; its number makes it unlike the others of the case."""
    draw = chance.random()
    source = chance.choice(MACS)
    target = chance.choice((*MACS, *MACS, *GROUP_MACS, own))
    tags: tuple[Vlan, ...] = ()
    if tagged and draw < 0.2:
        tags = (Vlan(chance.choice((5, 6)), chance.choice((0, 3))),)
    elif tagged and draw < 0.23:
        tags = (Vlan(5, tpid=chance.choice((DOT1Q, DOT1AD))), Vlan(6))
    kind = chance.random()
    if kind < 0.42:
        frame = Frame(target, source, tags, IPV4, _ipv4(chance, number, whole=whole))
    elif kind < 0.77:
        frame = Frame(target, source, tags, IPV6, _ipv6(chance, number, whole=whole))
    elif kind < 0.92:
        frame = Frame(target, source, tags, ARP, _arp(chance, source), number.to_bytes(18, "big"))
    else:
        body = Raw(number.to_bytes(4, "big") + bytes(42))
        frame = Frame(target, source, tags, chance.choice((0x88B5, 46)), body)
    raw = encode(frame)
    if (
        chance.random() < 0.05 and not whole
    ):  # cut, but in no address: nft looks at as much of it as it needs
        return raw[: chance.choice((26, 26, *range(58, max(59, len(raw)))))]
    return raw + bytes(chance.choice((0, 0, 0, 5)))


def _arp(chance: Random, source: Mac) -> Arp:
    sender, target = (IPv4Address(chance.choice(V4)) for _ in range(2))
    return Arp(chance.choice((1, 1, 2, 3)), source, sender, chance.choice(MACS), target)


def _ipv4(chance: Random, number: int, *, whole: bool) -> Ipv4:
    protocol, message = _message(chance, number, six=False)
    packet = Ipv4(
        IPv4Address(chance.choice(V4)),
        IPv4Address(chance.choice(V4)),
        protocol,
        message,
        ttl=chance.choice((1, 64, 64, 255)),
        tos=chance.choice((0, 0, 0x20, 0xB9)),
        ident=chance.choice((0, 7)),
        flags=chance.choice((0, DONT_FRAGMENT)),
        options=chance.choice((b"", b"", b"", b"\1\1\1\0")),
    )
    if chance.random() < 0.1:
        offset = chance.choice((0, 8))
        return replace(packet, flags=MORE_FRAGMENTS, offset=offset)
    if chance.random() < 0.03 and not whole:
        return replace(packet, length=chance.choice((10, 24, 2000)))
    return packet


def _ipv6(chance: Random, number: int, *, whole: bool) -> Ipv6:
    protocol, message = _message(chance, number, six=True)
    options = b"\1\4" + bytes(4)
    extensions: tuple[Extension | Fragment, ...] = ()
    draw = chance.random()
    if draw < 0.1:
        extensions = (Extension(HOP_BY_HOP, options),)
    elif draw < 0.18:
        extensions = (Extension(HOP_BY_HOP, options), Extension(DESTINATION, options))
    elif draw < 0.28:
        extensions = (Fragment(number, chance.choice((0, 0, 8)), chance.random() < 0.5),)
    return Ipv6(
        IPv6Address(chance.choice(V6)),
        IPv6Address(chance.choice(V6)),
        protocol,
        message,
        hop_limit=chance.choice((1, 64, 64, 255)),
        traffic_class=chance.choice((0, 0, 0x20, 0xB9)),
        flow_label=chance.choice((0, 5)),
        extensions=extensions,
        length=24 if chance.random() < 0.03 and not whole else None,
    )


def _message(chance: Random, number: int, *, six: bool) -> tuple[int, Transport]:
    body = Raw(number.to_bytes(4, "big") + bytes(chance.choice((0, 0, 8))))
    sport, dport = (int(chance.choice(PORTS)) for _ in range(2))
    kind = chance.random()
    if kind < 0.35:
        return udp.PROTOCOL, Udp(sport, dport, body)
    if kind < 0.65:
        flags = chance.choice((SYN, SYN | ACK, ACK, RST, FIN | ACK, SYN | URG))
        return tcp.PROTOCOL, Tcp(sport, dport, number, 0, flags, payload=body)
    if kind < 0.9 and six:
        if kind < 0.7:
            return icmp.PROTOCOL_V6, Ns(IPv6Address(chance.choice(V6)), reserved=number)
        type_ = chance.choice((128, 129, 1, 3))
        return icmp.PROTOCOL_V6, Icmpv6(type_, 0, chance.choice((7, 8)) << 16 | number, body)
    if kind < 0.9:
        type_ = chance.choice((0, 8, 8, 3, 11))
        return icmp.PROTOCOL, Icmp(type_, 0, chance.choice((7, 8)) << 16 | number, body)
    return 2 if not six else 99, body


def routed(chance: Random, number: int, ports: int) -> Arrival:
    """A packet from somebody behind a tap of the router, mostly the first of a connection.

    No two have the same source port or identifier: they count from ``ports`` on.
    """
    source, (tap, mac) = chance.choice(list(STATIONS.items()))
    six = ":" in source
    if chance.random() < 0.08:
        source = chance.choice(V6 if six else V4)
    pool = (*STATIONS, *STATIONS, *_OWN, *_FLOATING, *_FAR)
    target = chance.choice([address for address in pool if (":" in address) == six])
    up = BRIDGE if tap in TAPS[:2] else tap
    to = ROUTER_MACS[up]
    if target in STATIONS and STATIONS[target][0] != tap and chance.random() < 0.6:
        to = STATIONS[target][1]
    protocol, message = _first(chance, number, ports + number, six=six)
    payload: Ipv4 | Ipv6
    if six:
        payload = Ipv6(
            IPv6Address(source),
            IPv6Address(target),
            protocol,
            message,
            traffic_class=chance.choice((0, 0x20)),
            extensions=(Extension(DESTINATION, b"\1\4" + bytes(4)),) if number % 9 == 0 else (),
        )
    else:
        payload = Ipv4(
            IPv4Address(source),
            IPv4Address(target),
            protocol,
            message,
            ttl=chance.choice((64, 255)),
            tos=chance.choice((0, 0x20)),
            ident=7,
            flags=DONT_FRAGMENT,
        )
    raw = encode(Frame(to, mac, (), IPV6 if six else IPV4, payload))
    # A wrong checksum; not of ICMPv6, which raw sockets do not show then.
    if chance.random() < 0.05 and protocol != icmp.PROTOCOL_V6:
        raw = raw[:-1] + bytes((raw[-1] ^ 1,))
    return Arrival(tap, raw)


def _first(chance: Random, number: int, port: int, *, six: bool) -> tuple[int, Transport]:
    """What may begin a connection, and sometimes what may not."""
    body = Raw(number.to_bytes(4, "big"))
    dport = int(chance.choice(PORTS))
    kind = chance.random()
    if kind < 0.4:
        return udp.PROTOCOL, Udp(port, dport, body)
    if kind < 0.75:
        flags = SYN if chance.random() < 0.8 else chance.choice((ACK, SYN | ACK, RST, FIN | ACK, 0))
        return tcp.PROTOCOL, Tcp(port, dport, 1000, 0, flags)
    echo, reply = (128, 129) if six else (8, 0)
    type_ = echo if chance.random() < 0.9 else reply
    word = port << 16 | 1
    if six:
        return icmp.PROTOCOL_V6, Icmpv6(type_, 0, word, body)
    return icmp.PROTOCOL, Icmp(type_, 0, word, body)


def answer(raw: bytes, *, error: bool) -> bytes | None:
    """What the receiver of a frame says to it; None if it has nothing to say."""
    frame = decode(raw)
    packet = frame.payload
    if isinstance(packet, Ipv4) and error:
        message: Transport = Icmp(icmp.UNREACHABLE, 1, 0, Raw(raw[14:][:64]))
        reply: Ipv4 | Ipv6 = Ipv4(packet.dst, packet.src, icmp.PROTOCOL, message)
    elif isinstance(packet, Ipv6) and error:
        message = Icmpv6(icmp.V6_UNREACHABLE, 0, 0, Raw(raw[14:][:200]))
        reply = Ipv6(packet.dst, packet.src, icmp.PROTOCOL_V6, message)
    elif isinstance(packet, Ipv4 | Ipv6):
        back = _reply(packet.payload)
        if back is None:
            return None
        if isinstance(packet, Ipv4):
            reply = Ipv4(packet.dst, packet.src, packet.protocol, back)
        else:
            reply = Ipv6(packet.dst, packet.src, packet.protocol, back)
    else:
        return None
    return encode(Frame(frame.src, frame.dst, (), frame.ethertype, reply))


def _reply(message: Transport) -> Transport | None:
    match message:
        case Udp(sport, dport, payload):
            return Udp(dport, sport, payload)
        case Tcp(sport, dport, seq, ack, flags):
            if flags & RST or not flags & (SYN | ACK):
                return None
            mine = ack if flags & ACK else 5000
            also = SYN if flags & (SYN | ACK) == SYN else 0
            return Tcp(dport, sport, mine, seq + bool(flags & (SYN | FIN)), ACK | also)
        case Icmp(8 | 0 as kind, code, rest, body):
            return Icmp(8 - kind, code, rest, body)
        case Icmpv6(128 | 129 as kind, code, rest, body):
            return Icmpv6(257 - kind, code, rest, body)
    return None
