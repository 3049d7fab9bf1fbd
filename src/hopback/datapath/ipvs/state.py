"""What IPVS goes by in a namespace: services, servers, connections, settings.

net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_conn.c; Linux 6.12.
"""

from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.effects import Ask, Question, World
from hopback.datapath.kernel import CURRENT, Behaviour
from hopback.datapath.skb import Balanced, Ip, Tuple
from hopback.network.facts import DevId, Fact, Ref, merge_refs
from hopback.snapshot.rows import IpvsMethod, IpvsProtocol

Refs = tuple[Ref, ...]

PROTOCOLS: Mapping[str, int] = MappingProxyType({"tcp": 6, "udp": 17, "sctp": 132})
"""Those that IPVS balances; for others it passes everything (AH and ESP are not modelled)."""


class Virtual(NamedTuple):
    """What a service is for: an address and a port (0: all), or with ``protocol`` 0 a mark."""

    protocol: int
    family: int
    of: Ip | int
    port: int = 0


class Server(Struct, frozen=True):
    """A real server of a service (struct ip_vs_dest). A port of 0 leaves the packet's.

    A weight or a threshold that no listing shows is None. ``tunnel``: ipip, gue or gre.
    """

    address: Ip
    port: int
    method: IpvsMethod
    weight: int | None = None
    tunnel: str = "ipip"
    tunnel_port: int = 0
    active: int | None = None
    inactive: int | None = None
    upper: int | None = None
    refs: Refs = ()

    def __str__(self) -> str:
        return spelled(self.address, self.port)


class Service(Struct, frozen=True):
    """A virtual service (struct ip_vs_service): of ``mark``, or of an address and a port.

    ``client`` is the prefix length that persistence looks at, None if it is not persistent.
    ``complete``: all its servers were listed.
    """

    protocol: IpvsProtocol
    family: Literal[4, 6]
    address: Ip | None = None
    port: int = 0
    mark: int = 0
    scheduler: str | None = None
    client: int | None = None
    flags: frozenset[str] = frozenset()
    servers: tuple[Server, ...] = ()
    complete: bool = True
    refs: Refs = ()

    def __str__(self) -> str:
        if self.address is None:
            return f"fwmark {self.mark}"
        return f"{self.protocol} {spelled(self.address, self.port)}"

    @property
    def virtual(self) -> Virtual:
        """What tells it from other services."""
        if self.address is None:
            return Virtual(0, self.family, self.mark)
        return Virtual(PROTOCOLS.get(self.protocol, 0), self.family, self.address, self.port)

    def of(self, client: Ip) -> IPv4Network | IPv6Network:
        """The clients that persistence takes for one with ``client``."""
        length = client.max_prefixlen if self.client is None else self.client
        if client.version == 4:
            return IPv4Network((int(client), length), strict=False)
        return IPv6Network((int(client), length), strict=False)


class Known(Struct, frozen=True):
    """An entry of the connection table (struct ip_vs_conn): where its packets go.

    No listing tells whether they are ``translated`` (by NAT); None is for that.
    """

    server: Ip
    port: int
    state: str = ""
    translated: bool | None = None
    refs: Refs = ()


class Template(NamedTuple):
    """What persistence remembers a client by; ``protocol`` and port are 0 for a mark."""

    protocol: int
    client: Ip
    virtual: str
    port: int


class Director(Struct, frozen=True):
    """IPVS in one namespace, ``id`` without a device's name.

    ``complete``: all services were listed. ``settings`` by their names after ``net.ipv4.vs.``.
    ``answers`` leads from what a server's own answer has to the connection that it belongs to;
    ``followed``: all connections were listed. ``behind``: the services that NAT to an address.
    ``backup``: the rows that show a synchronisation thread that is a backup's, None without one;
    ``daemons``: whether all threads were listed.
    """

    id: DevId
    by_virtual: Mapping[Virtual, Service] = MappingProxyType({})
    behind: Mapping[Ip, tuple[Service, ...]] = MappingProxyType({})
    complete: bool = True
    connections: Mapping[Tuple, Known] = MappingProxyType({})
    templates: Mapping[Template, Known] = MappingProxyType({})
    settings: Mapping[str, Fact[int]] = MappingProxyType({})
    answers: Mapping[Tuple, Tuple] = MappingProxyType({})
    followed: bool = False
    backup: Refs | None = None
    daemons: bool = False
    kernel: Behaviour = CURRENT

    @property
    def services(self) -> Collection[Service]:
        """All of them, in the order of their listing."""
        return self.by_virtual.values()

    def setting(self, name: str, default: int = 0) -> Fact[int]:
        """A setting of the namespace; the kernel's default where no listing shows it."""
        return self.settings.get(name, Fact(default, ()))

    def asked(self, world: World, text: str, answers: tuple[str, ...], default: str) -> str | Ask:
        """The answer to a question about this director."""
        question = Question(self.id, text, answers, default)
        return world[question] if question in world else Ask(question)

    def knowing(self, made: Balanced) -> "Director":
        """The same after it has made a connection."""
        known = Known(made.server, made.port, translated=made.translated)
        connections = MappingProxyType({**self.connections, made.begun: known})
        return replace(self, connections=connections, answers=answers_to(connections))


def answers_to(connections: Mapping[Tuple, Known]) -> Mapping[Tuple, Tuple]:
    """The connections by what the answers of their servers have (ip_vs_conn_out_get)."""
    return MappingProxyType(
        {
            Tuple(at.protocol, known.server, at.source, known.port, at.source_port): at
            for at, known in connections.items()
        }
    )


def behind(services: Iterable[Service]) -> Mapping[Ip, tuple[Service, ...]]:
    """The services that NAT to a server, by the server's address (struct netns_ipvs.rs_table)."""
    found: dict[Ip, list[Service]] = {}
    for service in services:
        masked = [server.address for server in service.servers if server.method == "masq"]
        for address in dict.fromkeys(masked):
            found.setdefault(address, []).append(service)
    return MappingProxyType({address: tuple(those) for address, those in found.items()})


def spelled(address: Ip, port: int) -> str:
    """An address and a port as ``ipvsadm -n`` prints them."""
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


class Chosen(Struct, frozen=True):
    """Where a packet goes, by which method, and the rows that say so.

    ``server`` is None where there is none: the packet goes on to its own destination (bypass).
    """

    address: Ip
    port: int
    method: IpvsMethod
    server: Server | None = None
    refs: Refs = ()

    def also(self, *refs: Refs) -> "Chosen":
        """With more rows that decided."""
        return replace(self, refs=merge_refs(*refs, self.refs))
