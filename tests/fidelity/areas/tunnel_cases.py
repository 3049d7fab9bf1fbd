"""Random tunnels of a namespace, and the packets that it gets on both sides of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from random import Random

from hopback.frames import ethernet, udp
from hopback.frames.codec import encode
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import DONT_FRAGMENT, Ipv4
from hopback.frames.ipv6 import DESTINATION, Extension, Ipv6
from hopback.frames.raw import Raw
from hopback.frames.tunnel import GRE, IPIP, IPV6, Gre, Inner
from hopback.frames.udp import Udp
from tests.fidelity.shrink import changed_at, fewer, plainer
from tests.kernel.tunnel_rig import INSIDE, KINDS, MACS, OWN, STATIONS, UNDERLAY, TunnelConfig

FRAMES = 40
MARK = b"hopback!"
"""In every packet of a case, with its number behind it."""

_TOS = (0, 0, 1, 0x10, 0x40)
_KEYS = (None, None, (5, 5), (1, 2))


@dataclass(frozen=True)
class TunnelCase:
    """Frames by the taps they come in by."""

    tunnels: tuple[TunnelConfig, ...]
    frames: tuple[tuple[str, bytes], ...] = ()


def random_case(chance: Random) -> TunnelCase:
    """Up to four tunnels, some through others, and packets into them and out of them."""
    count = chance.randint(1, 4)
    names = [f"t{number}" for number in range(1, count + 1)]
    tunnels = tuple(_tunnel(chance, number, names) for number in range(1, count + 1))
    frames = tuple(_frame(chance, tunnels, number) for number in range(FRAMES))
    return TunnelCase(tunnels, frames)


def _tunnel(chance: Random, number: int, names: list[str]) -> TunnelConfig:
    kind = chance.choice(KINDS)
    gre, v6 = "gre" in kind, kind.startswith("ip6")
    fixed = chance.random() < 0.4
    return TunnelConfig(
        number,
        kind,
        chance.choice(names) if chance.random() < 0.4 else UNDERLAY,
        bound=chance.random() < 0.8,
        ttl=chance.choice((7, 64, 255)) if fixed else 0,
        tos=0 if v6 else chance.choice(_TOS),
        # The kernel refuses a TTL of the tunnel's own without path MTU discovery.
        pmtudisc=fixed or chance.random() < 0.5,
        keys=chance.choice(_KEYS) if gre else None,
        sums=(_seldom(chance), _seldom(chance)) if gre else (False, False),
        numbers=(_seldom(chance), _seldom(chance)) if gre else (False, False),
        encap=chance.choice((-1, 0, 1, 4)) if v6 else -1,
        mtu=chance.choice((1400, 1400, 1500)),
        itself=v6 and number == 1 and chance.random() < 0.2,
    )


def _seldom(chance: Random) -> bool:
    return chance.random() < 0.25


def _frame(chance: Random, tunnels: tuple[TunnelConfig, ...], number: int) -> tuple[str, bytes]:
    body = MARK + number.to_bytes(2, "big")
    if chance.random() < 0.55:
        tunnel = chance.choice(tunnels)
        # A packet that may be cut would be, and that is not modelled.
        big = (1340, 1400, 1436, 1450) if tunnel.pmtudisc else (10,)
        body += bytes(chance.choice((10, 10, 10, *big)))
        packet = _inner(chance, tunnel, body)
        return INSIDE, _framed(INSIDE, packet)
    return UNDERLAY, _framed(UNDERLAY, _outer(chance, chance.choice(tunnels), body + bytes(10)))


def _framed(tap: str, packet: Ipv4 | Ipv6) -> bytes:
    ethertype = ethernet.IPV4 if isinstance(packet, Ipv4) else ethernet.IPV6
    station = next(mac for name, mac in STATIONS.values() if name == tap)
    return encode(Frame(MACS[tap], station, (), ethertype, packet))


def _inner(chance: Random, tunnel: TunnelConfig, body: bytes) -> Ipv4 | Ipv6:
    """A packet that is routed into the tunnel."""
    ttl = chance.choice((2, 9, 64, 255))
    tos = chance.choice((0, 0, 0x20, 0x01, 0x03))
    datagram = Udp(5000, 5000, Raw(body))
    if chance.random() < (0.2 if tunnel.kind == "ipip" else 0.5):
        ends = IPv6Address("2001:db8:f::2"), IPv6Address(f"2001:db8:a{tunnel.number}::5")
        limit = chance.choice((None, None, 0, 1, 2))
        options = () if limit is None else (_limit(limit),)
        return Ipv6(*ends, udp.PROTOCOL, datagram, ttl, tos, extensions=options)
    flags = DONT_FRAGMENT if len(body) > 1000 else chance.choice((0, DONT_FRAGMENT))
    ends4 = IPv4Address("10.0.0.2"), IPv4Address(f"10.{tunnel.number}.0.5")
    return Ipv4(*ends4, udp.PROTOCOL, datagram, ttl, tos, flags=flags)


def _limit(value: int) -> Extension:
    return Extension(DESTINATION, bytes((4, 1, value, 1, 1, 0)))


def _outer(chance: Random, tunnel: TunnelConfig, body: bytes) -> Ipv4 | Ipv6:
    """A packet for the host, mostly as the tunnel's far end would send it."""
    datagram = Udp(5000, 5000, Raw(body))
    # That nobody takes a packet shows in an error, which has to find its way to the sender.
    near = tunnel.through == UNDERLAY and not tunnel.itself
    v6 = chance.random() < (0.5 if tunnel.kind != "ipip" else 0.2 if near else 0.0)
    inside: Ipv4 | Ipv6
    if v6:
        ends = IPv6Address(f"2001:db8:a{tunnel.number}::5"), IPv6Address("2001:db8:f::2")
        inside = Ipv6(*ends, udp.PROTOCOL, datagram, 9)
    else:
        target = chance.choice(("10.0.0.2", "10.0.0.2", "10.0.0.1"))
        ends4 = IPv4Address(f"10.{tunnel.number}.0.5"), IPv4Address(target)
        inside = Ipv4(*ends4, udp.PROTOCOL, datagram, 9)
    payload: Inner | Gre = Inner(inside)
    protocol = IPV6 if v6 else IPIP
    if "gre" in tunnel.kind:
        key, summed = tunnel.keys[1] if tunnel.keys else None, tunnel.sums[1]
        if near and chance.random() < 0.4:
            key, summed = chance.choice((key, None, 5, 1)), chance.random() < 0.5
        ethertype = ethernet.IPV6 if v6 else ethernet.IPV4
        payload = Gre(ethertype, inside, key, None, summed)
        protocol = GRE
    stranger = chance.random() < 0.15
    if tunnel.version == 6:
        source = IPv6Address("2001:db8::2" if stranger else tunnel.remote)
        return Ipv6(source, IPv6Address(OWN[6]), protocol, payload, 9)
    source4 = IPv4Address("192.0.2.2" if stranger else tunnel.remote)
    return Ipv4(source4, IPv4Address(OWN[4]), protocol, payload, 9)


def smaller_case(case: TunnelCase) -> Iterator[TunnelCase]:
    """Fewer frames, fewer tunnels, plainer tunnels."""
    for frames in fewer(case.frames):
        yield replace(case, frames=frames)
    for tunnels in fewer(case.tunnels):
        names = {UNDERLAY, *(t.name for t in tunnels)}
        if tunnels and all(t.through in names for t in tunnels):
            yield replace(case, tunnels=tunnels)
    for index, tunnel in enumerate(case.tunnels):
        for plain in plainer(tunnel):
            if plain.pmtudisc or not plain.ttl:
                yield replace(case, tunnels=changed_at(case.tunnels, index, plain))


def _into(number: int, v6: bool = False, size: int = 2, limit: int | None = None) -> bytes:
    """A packet that must not be cut, for the tunnel of that number."""
    datagram = Udp(5000, 5000, Raw(MARK + bytes(size)))
    if v6:
        ends6 = IPv6Address("2001:db8:f::2"), IPv6Address(f"2001:db8:a{number}::5")
        options = () if limit is None else (_limit(limit),)
        return _framed(INSIDE, Ipv6(*ends6, udp.PROTOCOL, datagram, extensions=options))
    ends = IPv4Address("10.0.0.2"), IPv4Address(f"10.{number}.0.5")
    return _framed(INSIDE, Ipv4(*ends, udp.PROTOCOL, datagram, flags=DONT_FRAGMENT))


def _from(tunnel: TunnelConfig) -> bytes:
    """What the far end of a tunnel sends, without a checksum."""
    ends = IPv4Address(f"10.{tunnel.number}.0.5"), IPv4Address("10.0.0.2")
    inside = Ipv4(*ends, udp.PROTOCOL, Udp(5000, 5000, Raw(MARK + bytes(2))), 9)
    if tunnel.version == 6:
        ends6 = IPv6Address(tunnel.remote), IPv6Address(OWN[6])
        return _framed(UNDERLAY, Ipv6(*ends6, IPIP, Inner(inside), 9))
    ends4 = IPv4Address(tunnel.remote), IPv4Address(OWN[4])
    return _framed(UNDERLAY, Ipv4(*ends4, GRE, Gre(ethernet.IPV4, inside), 9))


_ITSELF = TunnelConfig(1, "ip6tnl", itself=True)
_SUMMED = TunnelConfig(1, "gre", sums=(False, True))
DIRECTED = (
    TunnelCase(
        (TunnelConfig(1, "ipip", "t2"), TunnelConfig(2, "gre", "t1")), ((INSIDE, _into(1)),)
    ),
    TunnelCase((TunnelConfig(1, "gre", "t1"),), ((INSIDE, _into(1)),)),
    TunnelCase((_ITSELF,), ((INSIDE, _into(1)),)),
    TunnelCase((_ITSELF,), ((UNDERLAY, _from(_ITSELF)),)),
    TunnelCase((_SUMMED,), ((UNDERLAY, _from(_SUMMED)),)),
    TunnelCase((TunnelConfig(1, "ip6tnl", bound=False),), ((INSIDE, _into(1)),)),
    TunnelCase((TunnelConfig(1, "ip6tnl"),), ((INSIDE, _into(1, v6=True, limit=0)),)),
    TunnelCase((TunnelConfig(1, "ipip"),), ((INSIDE, _into(1, v6=True)),)),
    TunnelCase((TunnelConfig(1, "gre", mtu=1500),), ((INSIDE, _into(1, size=1450)),)),
)
"""One for each rule that chance seldom asks about."""
