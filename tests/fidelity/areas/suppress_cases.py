"""Random bridges that suppress neighbours, and the ARP and ND frames they get."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from random import Random

from hopback.frames import icmp, nd
from hopback.frames.arp import Arp
from hopback.frames.build import ALL_NODES, multicast_mac, solicited_node
from hopback.frames.codec import encode
from hopback.frames.ethernet import ARP, IPV6, RARP, Frame
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import BROADCAST, ZERO, Mac
from hopback.frames.nd import Na, Ns, lladdr_option
from tests.fidelity.shrink import changed_at, fewer, plainer
from tests.kernel.bridge_rig import PortConfig, StaticEntry
from tests.kernel.suppress_rig import OWN_ADDRESS, Known, Suppression

FRAMES = 40
PORTS_MIN, PORTS_MAX = 2, 4
STATIONS = tuple(Mac(0x0200_0000_0100 + i) for i in range(4))
_V4 = tuple(f"192.0.2.{i}" for i in range(1, 5))
_V6 = tuple(f"fe80::{i}" for i in range(1, 5))
_ODD_V4 = (OWN_ADDRESS, "0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.5", "192.0.2.9")
_ANY = IPv6Address("::")


@dataclass(frozen=True)
class SuppressCase:
    """``known`` are the host's neighbours; frames as elsewhere."""

    ports: tuple[PortConfig, ...]
    flags: tuple[Suppression, ...]
    entries: tuple[StaticEntry, ...] = ()
    known: tuple[Known, ...] = ()
    frames: tuple[tuple[int | None, bytes], ...] = ()


def random_case(chance: Random) -> SuppressCase:
    count = chance.randint(PORTS_MIN, PORTS_MAX)
    return SuppressCase(
        tuple(_port(chance) for _ in range(count)),
        tuple(_flags(chance) for _ in range(count)),
        tuple(
            StaticEntry(mac, chance.randrange(count), local=chance.random() < 0.1)
            for mac in chance.sample(STATIONS, chance.randint(0, 3))
        ),
        tuple(
            Known(address, chance.choice(STATIONS), ":" in address and chance.random() < 0.3)
            for address in (*_V4, *_V6)
            if chance.random() < 0.4
        ),
        tuple(_sent(chance, count, number) for number in range(FRAMES)),
    )


def _port(chance: Random) -> PortConfig:
    return PortConfig(
        hairpin=chance.random() < 0.15,
        learning=chance.random() < 0.85,
        bcast_flood=chance.random() < 0.9,
    )


def _flags(chance: Random) -> Suppression:
    return Suppression(chance.random() < 0.3, chance.random() < 0.1, chance.random() < 0.15)


def _sent(chance: Random, count: int, number: int) -> tuple[int | None, bytes]:
    port = chance.randrange(count + 1)
    raw = _arp(chance, number) if chance.random() < 0.5 else _nd(chance, number)
    return None if port == count else port, raw


def _arp(chance: Random, number: int) -> bytes:
    """Any ARP packet; its padding makes it unlike the case's others."""
    sender, target = (
        IPv4Address(chance.choice(_V4 if chance.random() < 0.75 else _ODD_V4)) for _ in range(2)
    )
    if chance.random() < 0.15:
        target = sender
    source = chance.choice(STATIONS)
    packet = Arp(chance.choice((1, 1, 1, 1, 2, 3, 4)), source, sender, ZERO, target)
    dst = BROADCAST if chance.random() < 0.75 else chance.choice(STATIONS)
    ethertype = ARP if chance.random() < 0.9 else RARP
    return encode(Frame(dst, source, (), ethertype, packet, number.to_bytes(18, "big")))


def _nd(chance: Random, number: int) -> bytes:
    """A solicitation or advertisement; its flow label makes it unlike the case's others."""
    source, target = chance.choice(STATIONS), IPv6Address(chance.choice((*_V6, "fe80::9")))
    group = solicited_node(target)
    asker = IPv6Address(chance.choice((*_V6, "::")))
    if chance.random() < 0.7:
        options = (lladdr_option(nd.SOURCE_LLADDR, chance.choice(STATIONS)),)
        code = 1 if chance.random() < 0.05 else 0
        message: Ns | Na = Ns(target, options=options if chance.random() < 0.7 else (), code=code)
        to = asker if chance.random() < 0.1 and asker != _ANY else group
    else:
        message = Na(target, solicited=chance.random() < 0.5, override=True)
        to = ALL_NODES
    packet = Ipv6(asker, to, icmp.PROTOCOL_V6, message, 255, 0, number)
    if chance.random() < 0.1:
        packet = replace_class(packet, chance.randrange(256))
    dst = multicast_mac(group) if chance.random() < 0.75 else chance.choice(STATIONS)
    return encode(Frame(dst, source, (), IPV6, packet))


def replace_class(packet: Ipv6, traffic_class: int) -> Ipv6:
    return Ipv6(
        packet.src,
        packet.dst,
        packet.protocol,
        packet.payload,
        255,
        traffic_class,
        packet.flow_label,
    )


def smaller_case(case: SuppressCase) -> Iterator[SuppressCase]:
    """Fewer frames, entries and neighbours, then flags at their defaults."""
    for frames in fewer(case.frames):
        yield replace(case, frames=frames)
    for entries in fewer(case.entries):
        yield replace(case, entries=entries)
    for known in fewer(case.known):
        yield replace(case, known=known)
    for index, port in enumerate(case.ports):
        for plain in plainer(port):
            yield replace(case, ports=changed_at(case.ports, index, plain))
    for index, flags in enumerate(case.flags):
        if flags != Suppression():
            yield replace(case, flags=changed_at(case.flags, index, Suppression()))
