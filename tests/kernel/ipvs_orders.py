"""Orders to IPVS by generic netlink: a table is set up anew in a fraction of what a process costs.

Numbers are those of ``include/uapi/linux/{genetlink,ip_vs}.h``.
"""

import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from hopback.lab.netns.namespace import Namespace
from hopback.snapshot.rows import IpvsMethod
from hopback.sources.live.netlink import Netlink, attributes, number, pack_attribute
from tests.kernel.netlink import Order, Orders

NETLINK_GENERIC = 16

_CONTROL, _GET_FAMILY, _FAMILY_ID, _FAMILY_NAME = 16, 3, 1, 2
_NEW_SERVICE, _NEW_SERVER, _DEL_SERVER, _NEW_DAEMON, _FLUSH = 1, 5, 7, 9, 17
_SERVICE, _SERVER, _DAEMON = 1, 2, 3
_NESTED = 0x8000
_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
_METHODS: dict[IpvsMethod, int] = {"masq": 0, "local": 1, "tunnel": 2, "route": 3, "bypass": 4}
_FLAGS = {"persistent": 0x1, "ops": 0x4, "flag-1": 0x8, "flag-2": 0x10, "flag-3": 0x20}
_DAEMONS = {"master": 1, "backup": 2}

DaemonState = Literal["master", "backup"]


@dataclass(frozen=True)
class Server:
    """A real server; see ``snapshot.rows.IpvsServer``."""

    address: str
    port: int
    method: IpvsMethod = "route"
    weight: int = 1


@dataclass(frozen=True)
class Service:
    """A virtual service: of ``mark``, or of an address and a port. ``persistent`` in seconds.

    ``prefix``: how much of a client's address persistence looks at.
    """

    protocol: Literal["tcp", "udp", "fwmark"]
    address: str = ""
    port: int = 0
    mark: int = 0
    family: Literal[4, 6] = 4
    scheduler: str = "rr"
    persistent: int = 0
    prefix: int | None = None
    flags: tuple[str, ...] = ()
    servers: tuple[Server, ...] = ()

    def lines(self) -> Iterator[str]:
        """As ``ipvsadm -Sn`` prints it."""
        name = self._named()
        yield f"-A {name} -s {self.scheduler}{''.join(self._options())}"
        for server in self.servers:
            at = _spelled(server.address, server.port)
            yield f"-a {name} -r {at} -{_LETTERS[server.method]} -w {server.weight}"

    def _named(self) -> str:
        if self.protocol == "fwmark":
            return f"-f {self.mark}{' -6' if self.family == 6 else ''}"
        return f"-{self.protocol[0]} {_spelled(self.address, self.port)}"

    def _options(self) -> Iterator[str]:
        if self.persistent:
            yield f" -p {self.persistent}"
            if self.prefix is not None and self.family == 6:
                yield f" -M {self.prefix}"
            elif self.prefix is not None:
                yield f" -M {ip_address(_mask(self.prefix))}"
        if "ops" in self.flags:
            yield " -o"
        named = ",".join(flag for flag in self.flags if flag != "ops")
        if named:
            yield f" -b {named}"


_LETTERS: dict[IpvsMethod, str] = {"masq": "m", "tunnel": "i", "route": "g"}


class Director:
    """IPVS in one namespace."""

    def __init__(self, space: Namespace) -> None:
        with space, Netlink(NETLINK_GENERIC) as asking:
            wanted = pack_attribute(_FAMILY_NAME, b"IPVS\0")
            told = asking.ask(_CONTROL, _command(_GET_FAMILY) + wanted)
            self._family = number(attributes(told, 4)[_FAMILY_ID])
        self._orders = Orders(space, NETLINK_GENERIC)

    def close(self) -> None:
        self._orders.close()

    def start(self, state: DaemonState, device: str) -> None:
        """A thread of synchronisation on ``device``, for as long as there is the namespace.

        One that is stopped before it has run leaves its socket behind, and that holds the device.
        """
        self._orders.give([self._thread(state, device)])

    def set(self, services: Sequence[Service]) -> None:
        """The services, instead of those before."""
        orders = [self._order(_FLUSH, b"", "flush")]
        for service in services:
            named = pack_attribute(_SERVICE | _NESTED, _named(service))
            whole = pack_attribute(_SERVICE | _NESTED, _named(service) + _described(service))
            orders.append(self._order(_NEW_SERVICE, whole, str(service)))
            for server in service.servers:
                body = named + pack_attribute(_SERVER | _NESTED, _server(server))
                orders.append(self._order(_NEW_SERVER, body, f"{server} of {service}"))
        self._orders.give(orders)

    def leave(self, services: Sequence[Service]) -> None:
        """Take the servers of these services out."""
        self._orders.give(
            [
                self._order(
                    _DEL_SERVER,
                    pack_attribute(_SERVICE | _NESTED, _named(service))
                    + pack_attribute(_SERVER | _NESTED, _server(server)),
                    f"no {server} of {service}",
                )
                for service in services
                for server in service.servers
            ]
        )

    def _thread(self, state: DaemonState, device: str) -> Order:
        body = pack_attribute(1, struct.pack("=I", _DAEMONS[state]))
        body += pack_attribute(2, device.encode() + b"\0") + pack_attribute(3, struct.pack("=I", 0))
        whole = pack_attribute(_DAEMON | _NESTED, body)
        return self._order(_NEW_DAEMON, whole, f"thread of a {state}")

    def _order(self, command: int, body: bytes, says: str) -> Order:
        return Order(self._family, _command(command) + body, says)


def _command(number_: int) -> bytes:
    return struct.pack("=BBH", number_, 1, 0)  # genlmsghdr: command, version, reserved


def _named(service: Service) -> bytes:
    family = socket.AF_INET6 if service.family == 6 else socket.AF_INET
    body = pack_attribute(1, struct.pack("=H", family))
    if service.protocol == "fwmark":
        return body + pack_attribute(5, struct.pack("=I", service.mark))
    return (
        body
        + pack_attribute(2, struct.pack("=H", _PROTOCOLS[service.protocol]))
        + pack_attribute(3, _address(service.address))
        + pack_attribute(4, struct.pack("!H", service.port))
    )


def _described(service: Service) -> bytes:
    named = _SPELLED.get(service.scheduler, {})
    flags = [named.get(flag, flag) for flag in service.flags]
    flags += ["persistent"] if service.persistent else []
    bits = sum(_FLAGS[flag] for flag in flags)
    longest = 128 if service.family == 6 else 32
    prefix = longest if service.prefix is None else service.prefix
    mask = struct.pack("=I", prefix) if longest == 128 else struct.pack("!I", _mask(prefix))
    return (
        pack_attribute(6, service.scheduler.encode() + b"\0")
        + pack_attribute(7, struct.pack("=II", bits, 0xFFFF_FFFF))
        + pack_attribute(8, struct.pack("=I", service.persistent))
        + pack_attribute(9, mask)
    )


_SPELLED = {
    "sh": {"sh-fallback": "flag-1", "sh-port": "flag-2"},
    "mh": {"mh-fallback": "flag-1", "mh-port": "flag-2"},
}
"""What a flag of a scheduler is called by it."""


def _server(server: Server) -> bytes:
    family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
    return (
        pack_attribute(1, _address(server.address))
        + pack_attribute(2, struct.pack("!H", server.port))
        + pack_attribute(3, struct.pack("=I", _METHODS[server.method]))
        + pack_attribute(4, struct.pack("=I", server.weight))
        + pack_attribute(5, struct.pack("=I", 0))
        + pack_attribute(6, struct.pack("=I", 0))
        + pack_attribute(11, struct.pack("=H", family))
    )


def _address(text: str) -> bytes:
    return ip_address(text).packed.ljust(16, b"\0")


def _mask(prefix: int) -> int:
    return 0xFFFF_FFFF >> (32 - prefix) << (32 - prefix)


def _spelled(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
