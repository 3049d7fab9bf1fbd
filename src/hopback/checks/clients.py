"""A client's packet for a virtual service, let in where it comes in, and what becomes of it."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from hopback.checks.case import Case
from hopback.checks.directors import Service
from hopback.checks.handovers import Directors
from hopback.datapath.path import entrance
from hopback.engines.trace import Trace, trace
from hopback.frames import ethernet, tcp, udp
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import Mac
from hopback.frames.tcp import Tcp
from hopback.frames.udp import Udp
from hopback.network.facts import DevId
from hopback.network.model import Device

Ip = IPv4Address | IPv6Address

CLIENT = Mac(0x0000_5E00_5305)
"""Of the documentation range, RFC 7042."""

_CLIENT_PORT = 40_000
_ANY_PORT = 80
_TTL = 64
_DEVICES_MAX = 4
_TRIED_BACK = 64


class Asked(NamedTuple):
    """What a client may ask a service for."""

    address: Ip
    protocol: str
    port: int


def asked_of(directors: Directors, service: Service) -> Iterator[Asked]:
    """The addresses and ports of a service; those of a mark as its rules tell them."""
    if service.row.protocol != "fwmark":
        port = service.row.port or _first_port(service) or _ANY_PORT
        yield from _asked(service.key[2], service.row.protocol, port)
        return
    for rule in directors.markings[service.where.host]:
        if rule.mark == service.row.mark and rule.netns == service.where.netns:
            port = (rule.ports or (_first_port(service) or _ANY_PORT,))[0]
            for target in (rule.targets or ())[:_DEVICES_MAX]:
                yield from _asked(target, rule.protocol or "tcp", port)


def _first_port(service: Service) -> int:
    return next((s.row.server_port for s in service.servers if s.row.server_port), 0)


def _asked(address: str, protocol: str, port: int) -> Iterator[Asked]:
    try:
        found = ip_address(address)
    except ValueError:
        return
    if protocol in ("tcp", "udp"):
        yield Asked(found, protocol, port)


def journeys(case: Case, directors: Directors, service: Service) -> Iterator[Trace]:
    """Where packets of clients for the service go: by each device, in each world."""
    for asked in asked_of(directors, service):
        if service.key[1] == asked.address.version:
            yield from arriving(case, service.where, asked)


def arriving(case: Case, where: DevId, asked: Asked, by: Ip | None = None) -> Iterator[Trace]:
    """What becomes of such a packet that comes in to the namespace ``where``.

    It comes by each device on whose segment clients may be; or only by that which has ``by``.
    """
    for device, network in _entries(case, where, asked.address):
        client = stranger(case.directors, network)
        if client is None or device.mac is None or (by is not None and by not in network):
            continue
        frame = _frame(device.mac.value, client, asked)
        place, frame = entrance(case.model, device.id, frame)
        yield from trace(case.model, place, frame)


def _entries(
    case: Case, where: DevId, address: Ip
) -> Iterator[tuple[Device, IPv4Network | IPv6Network]]:
    """The devices by which clients of the same subnet come; those that have the address first."""
    has = {
        r.dev
        for r in case.network.snapshots[where.host].addresses.rows
        if r.address == str(address)
    }
    found = case.directors.subnets(where, address.version)
    for name, subnet in sorted(found.items(), key=lambda e: e[0] not in has)[:_DEVICES_MAX]:
        device = case.network.devices.get(where._replace(name=name))
        if device is not None:
            yield device, subnet.network


def stranger(directors: Directors, network: IPv4Network | IPv6Network) -> Ip | None:
    """An address of the subnet that nobody in sight has: the last, or one soon before."""
    last = int(network.broadcast_address) - 1
    for number in range(last, max(int(network.network_address), last - _TRIED_BACK), -1):
        address = type(network.network_address)(number)
        if str(address) not in directors.holders:
            return address
    return None


def _frame(mac: int, client: Ip, asked: Asked) -> Frame:
    segment = (
        Tcp(_CLIENT_PORT, asked.port) if asked.protocol == "tcp" else Udp(_CLIENT_PORT, asked.port)
    )
    number = tcp.PROTOCOL if asked.protocol == "tcp" else udp.PROTOCOL
    if isinstance(client, IPv4Address) and isinstance(asked.address, IPv4Address):
        packet: Ipv4 | Ipv6 = Ipv4(client, asked.address, number, segment, ttl=_TTL)
        return Frame(Mac(mac), CLIENT, (), ethernet.IPV4, packet)
    assert isinstance(client, IPv6Address) and isinstance(asked.address, IPv6Address)  # noqa: S101,PT018
    packet = Ipv6(client, asked.address, number, segment, hop_limit=_TTL)
    return Frame(Mac(mac), CLIENT, (), ethernet.IPV6, packet)
