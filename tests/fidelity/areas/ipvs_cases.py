"""Random directors, and packets that clients, servers and others send them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from random import Random
from typing import Literal, NamedTuple

from hopback.frames import ethernet, tcp, udp
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import DONT_FRAGMENT, Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import Mac
from hopback.frames.raw import Raw
from hopback.frames.tcp import ACK, FIN, RST, SYN, Tcp
from hopback.frames.udp import Udp
from hopback.snapshot.rows import IpvsMethod
from tests.fidelity.areas.ipvs_odd import cut, error_about, wrapped
from tests.fidelity.shrink import changed_at, fewer, plainer
from tests.kernel.ipvs_orders import DaemonState, Server, Service
from tests.kernel.ipvs_rig import ADDRESSES, GATEWAY, MACS, MARKED, MINE, OWN, STATIONS, TAPS, Setup

FRAMES = 16

_VIRTUAL = ("203.0.113.100", "192.0.2.100", "192.0.2.1")
_VIRTUAL6 = ("2001:db8:f::100", "2001:db8::1")
_PORTS = (5000, 5000, 5001, 80)
_NEAR = ("198.51.100.11", "198.51.100.12", "198.51.100.13", "192.0.2.11")
_NEAR6 = ("2001:db8:1::11", "2001:db8:1::12", "2001:db8:1::13", "2001:db8::11")
_ODD = ("192.0.2.1", "127.0.0.1", "10.8.0.1", "10.9.0.1", "198.18.0.9", "198.51.100.1")
_ODD6 = ("2001:db8::1", "2001:db8:8::1", "2001:db8:9::1", "2001:db8:1::1")
_OWN = frozenset(each.split("/")[0] for given in ADDRESSES.values() for each in given)
_SCHEDULERS = ("rr", "wrr", "lc", "wlc", "sed", "nq", "sh", "dh", "mh", "fo")
_METHODS: tuple[IpvsMethod, ...] = ("route", "route", "tunnel", "masq", "masq")
_ANY = Service("fwmark", mark=MINE)
_SWITCHES = (
    "backup_only",
    "ignore_tunneled",
    "nat_icmp_send",
    "sloppy_tcp",
    "snat_reroute",
)
_SIZES = (20, 20, 20, 600, 1240, 1252, 1253, 1272, 1273, 1300, 1400)
_HOPS = (64, 64, 64, 64, 3, 2, 1)
_BEGINNING, _ENDING = (SYN, SYN, ACK, SYN | ACK), (ACK, FIN | ACK, RST)
"""A connection that has ended may begin anew, and the model does not follow its states."""


@dataclass(frozen=True)
class IpvsCase:
    """Frames by the taps they come in by, at a director with such a thread of synchronisation."""

    setup: Setup
    frames: tuple[tuple[str, bytes], ...] = ()
    daemon: DaemonState | None = None
    left: int = FRAMES
    """Before which frame all servers are taken out of the table."""

    @property
    def lasts(self) -> bool:
        """Whether connections may stay that no order takes away."""
        return self.left < FRAMES or ("ipv4.vs.cache_bypass", 1) in self.setup.settings


class _Flow(NamedTuple):
    """A client's packets to a virtual address, and the flags that they may have."""

    protocol: str
    client: str
    port: int
    target: str
    target_port: int
    flags: tuple[int, ...]


def random_case(chance: Random) -> IpvsCase:
    """Up to three services, any settings, and ``FRAMES`` packets."""
    method = _methods(chance)
    drawn = [_service(chance, method) for _ in range(chance.randint(1, 3))]
    services = {(s.protocol, s.family, s.address, s.port, s.mark): s for s in drawn}
    setup = Setup(tuple(services.values()), _settings(chance))
    flows = [_flow(chance, setup) for _ in range(chance.randint(1, 4))]
    frames = tuple(_frame(chance, number, setup, flows) for number in range(FRAMES))
    return IpvsCase(setup, frames, _daemon(chance))


def lasting_case(chance: Random) -> IpvsCase:
    """One that leaves connections which no order takes away: each needs a director of its own."""
    case = random_case(chance)
    if chance.random() < 0.5:
        expires = ("ipv4.vs.expire_nodest_conn", chance.randint(0, 1))
        setup = replace(case.setup, settings=(*case.setup.settings, expires))
        plain = tuple(each for each in case.frames if not _is_error(each[1]))
        return IpvsCase(setup, plain, left=chance.randint(2, FRAMES // 2))
    marked = tuple(
        replace(service, servers=()) for service in case.setup.services if service.mark == MINE
    )
    bypass = ("ipv4.vs.cache_bypass", 1)
    setup = Setup(marked or (_ANY,), (*case.setup.settings, bypass))
    flows = [_flow(chance, setup) for _ in range(3)]
    frames = tuple(_frame(chance, number, setup, flows) for number in range(FRAMES))
    return IpvsCase(setup, frames)


def _is_error(raw: bytes) -> bool:
    """Errors go on after a server has left, by a method that no table tells any more."""
    packet = decode(raw).payload
    return isinstance(packet, Ipv4 | Ipv6) and packet.protocol in (1, 58)


def smaller_case(case: IpvsCase) -> Iterator[IpvsCase]:
    """Fewer frames, services, servers; settings and services as they are by default."""
    for frames in fewer(case.frames):
        yield replace(case, frames=frames)
    for services in fewer(case.setup.services):
        if services:  # IPVS stays on after the last is gone, and no listing tells
            yield replace(case, setup=replace(case.setup, services=services))
    for settings in fewer(case.setup.settings):
        yield replace(case, setup=replace(case.setup, settings=settings))
    if case.daemon:
        yield replace(case, daemon=None)
    if case.left < FRAMES:
        yield replace(case, left=FRAMES)
        yield from (replace(case, left=left) for left in range(case.left))
    for index, service in enumerate(case.setup.services):
        plain = (replace(service, servers=servers) for servers in fewer(service.servers))
        for simpler in (*plain, *_simpler(service)):
            services = changed_at(case.setup.services, index, simpler)
            yield replace(case, setup=replace(case.setup, services=services))


def _simpler(service: Service) -> Iterator[Service]:
    kept = ("address", "port", "mark", "family", "servers")
    for simpler in plainer(service):
        if all(getattr(simpler, name) == getattr(service, name) for name in kept):
            yield simpler


def _methods(chance: Random) -> Mapping[str, IpvsMethod]:
    """By address: no listing tells the method of a connection, if services differ in it."""
    return {each: chance.choice(_METHODS) for each in (*_NEAR, *_NEAR6, *_ODD, *_ODD6)}


def _service(chance: Random, method: Mapping[str, IpvsMethod]) -> Service:
    six = chance.random() < 0.25
    scheduler = chance.choice(_SCHEDULERS)
    drawn = [_server(chance, six, method) for _ in range(chance.randint(0, 3))]
    servers = {server.address: server for server in drawn}
    protocol: Literal["tcp", "udp"] = "udp" if chance.random() < 0.6 else "tcp"
    service = Service(
        protocol,
        chance.choice(_VIRTUAL6 if six else _VIRTUAL),
        chance.choice(_PORTS),
        family=6 if six else 4,
        scheduler=scheduler,
        flags=("ops",) if chance.random() < 0.1 else (),
        servers=tuple(servers.values()),
    )
    if chance.random() < 0.25:
        longest = 128 if six else 32
        prefix = chance.choice((None, longest - 8, longest))
        service = replace(service, persistent=chance.choice((30, 300)), prefix=prefix)
        if chance.random() < 0.5:
            service = replace(service, port=0)
    if chance.random() < 0.15:
        mark = chance.choice([*MARKED.values()])
        service = replace(service, protocol="fwmark", address="", port=0, mark=mark)
    # As ipvsadm has it: who names no port for a server means the service's.
    named = (replace(server, port=server.port or service.port) for server in service.servers)
    service = replace(service, servers=tuple(named))
    if service.protocol == "tcp":
        # One packet a connection is of UDP alone; and what the host itself answers, as a server by
        # NAT, may end a connection.
        others = tuple(s for s in service.servers if s.address not in _OWN)
        service = replace(service, flags=(), servers=others)
    return service


def _server(chance: Random, six: bool, method: Mapping[str, IpvsMethod]) -> Server:
    near, odd = (_NEAR6, _ODD6) if six else (_NEAR, _ODD)
    address = chance.choice(near) if chance.random() < 0.75 else chance.choice(odd)
    port = chance.choice((0, 5000, 6000)) if method[address] == "masq" else 0
    return Server(address, port, method[address], chance.choice((0, 1, 1, 1, 3)))


def _settings(chance: Random) -> tuple[tuple[str, int], ...]:
    chosen = [(f"ipv4.vs.{name}", chance.randint(0, 1)) for name in _SWITCHES]
    return tuple(each for each in chosen if chance.random() < 0.3)


def _daemon(chance: Random) -> DaemonState | None:
    return chance.choice((*[None] * 6, "backup", "master"))


def _flow(chance: Random, setup: Setup) -> _Flow:
    """Of a client that no other case has, mostly to a service."""
    service = chance.choice(setup.services)
    six = service.family == 6
    if six:
        client = (
            f"2a00:{chance.getrandbits(16):x}:{chance.getrandbits(16):x}::{chance.randint(1, 9)}"
        )
    else:
        octets = (chance.randint(20, 99), chance.getrandbits(8), chance.getrandbits(8))
        client = ".".join(map(str, (*octets, chance.randint(1, 9))))
    target, port = service.address, service.port or chance.choice(_PORTS)
    protocol: str = service.protocol
    if service.protocol == "fwmark":
        far = "2001:db8:9::7" if six else "198.18.0.7"
        target = chance.choice((*(_VIRTUAL6 if six else _VIRTUAL), far))
        protocol, port = "udp", next(p for p, mark in MARKED.items() if mark == service.mark)
    if chance.random() < 0.1:
        port = chance.choice((*_PORTS, *MARKED))
    flags = _BEGINNING if chance.random() < 0.8 else _ENDING
    return _Flow(protocol, client, chance.randint(1024, 60000), target, port, flags)


def _frame(chance: Random, number: int, setup: Setup, flows: list[_Flow]) -> tuple[str, bytes]:
    """A request, an answer of a server's that may have got one, or a packet in transit.

    Or an error about one of these, or one that is cut.
    """
    flow = chance.choice(flows)
    kind = chance.random()
    if kind < 0.2:
        return _answer(chance, number, setup, flow)
    if kind < 0.25:
        flow = flow._replace(target=chance.choice(_NEAR6 if ":" in flow.target else _NEAR))
    if kind > 0.95 and ":" not in flow.target:  # of IPv6 the model leaves it open
        return _error(chance, number, setup, flow)
    packet = _packet(chance, number, flow)
    if kind > 0.9:
        back = flow._replace(
            client=flow.target, port=flow.target_port, target=flow.client, target_port=flow.port
        )
        packet = error_about(chance, _packet(chance, number, back), flow.client)
    elif kind > 0.84 and isinstance(packet, Ipv4):
        packet = wrapped(packet, flow.client, OWN)
    elif kind > 0.78 and flow.protocol == "tcp":  # x_tables drops UDP that is cut (udp_mt)
        packet = cut(chance, packet)
    return TAPS[0], _framed(TAPS[0], STATIONS[GATEWAY][1], packet)


def _error(chance: Random, number: int, setup: Setup, flow: _Flow) -> tuple[str, bytes]:
    """A server's error about a request that it may have got."""
    server = _server_near(chance, setup, six=False)
    tap, mac = STATIONS[server.address]
    port = server.port or flow.target_port
    got = _packet(chance, number, flow._replace(target=server.address, target_port=port))
    return tap, _framed(tap, mac, error_about(chance, got, server.address))


def _server_near(chance: Random, setup: Setup, *, six: bool) -> Server:
    servers = [s for service in setup.services for s in service.servers]
    near = [s for s in servers if s.address in STATIONS and (":" in s.address) == six]
    return chance.choice(near or [Server(chance.choice(_NEAR6 if six else _NEAR), 0)])


def _answer(chance: Random, number: int, setup: Setup, flow: _Flow) -> tuple[str, bytes]:
    server = _server_near(chance, setup, six=":" in flow.target)
    tap, mac = STATIONS[server.address]
    back = flow._replace(
        client=server.address,
        port=server.port or flow.target_port,
        target=flow.client,
        target_port=flow.port,
    )
    return tap, _framed(tap, mac, _packet(chance, number, back))


def _packet(chance: Random, number: int, flow: _Flow) -> Ipv4 | Ipv6:
    data = Raw(number.to_bytes(2, "big").ljust(chance.choice(_SIZES), b"\0"))
    hops = chance.choice(_HOPS)
    inner: Tcp | Udp = Udp(flow.port, flow.target_port, data)
    kind = udp.PROTOCOL
    if flow.protocol == "tcp":
        inner = Tcp(flow.port, flow.target_port, flags=chance.choice(flow.flags), payload=data)
        kind = tcp.PROTOCOL
    source, target = ip_address(flow.client), ip_address(flow.target)
    if source.version == 6:
        return Ipv6(source, target, kind, inner, hops)  # type: ignore[arg-type]
    # What is too big must not be cut: the model does not follow fragments.
    return Ipv4(source, target, kind, inner, hops, ident=number + 1, flags=DONT_FRAGMENT)  # type: ignore[arg-type]


def _framed(tap: str, source: Mac, packet: Ipv4 | Ipv6) -> bytes:
    kind = ethernet.IPV6 if isinstance(packet, Ipv6) else ethernet.IPV4
    return encode(Frame(MACS[tap], source, (), kind, packet))


def loopback_case(chance: Random) -> IpvsCase:
    """NAT to the loopback address, where nobody could answer."""
    service = Service("udp", _VIRTUAL[0], 5000, servers=(Server("127.0.0.1", 5000, "masq"),))
    setup = Setup((service,))
    flows = [_flow(chance, setup) for _ in range(4)]
    frames = tuple(_frame(chance, number, setup, flows) for number in range(FRAMES))
    return IpvsCase(setup, frames)
