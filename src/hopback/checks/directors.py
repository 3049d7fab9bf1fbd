"""What the rows of all hosts tell of IPVS: services, their servers, and whose addresses those are.

The kernel's table is taken before keepalived's configuration.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_interface
from typing import NamedTuple

from hopback.network.directing import Key, key_of, server_key_of, together
from hopback.network.facts import DevId, Ref
from hopback.network.identifiers import canonical
from hopback.network.model import Network
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import IpvsMethod, IpvsServer, IpvsService

_At = tuple[str, Key]


class Server(NamedTuple):
    """A real server of a service; ``address`` in the spelling of all other addresses here."""

    address: str
    row: IpvsServer
    ref: Ref

    @property
    def method(self) -> IpvsMethod:
        """How packets are sent to it."""
        return self.row.method


class Service(NamedTuple):
    """A virtual service on the namespace ``where`` (a device without a name)."""

    where: DevId
    key: Key
    row: IpvsService
    ref: Ref
    servers: tuple[Server, ...]

    @property
    def id(self) -> tuple[DevId, Key]:
        """What identifies it among those of all hosts."""
        return self.where, self.key

    @property
    def title(self) -> str:
        """How to call it: ``UDP 10.0.0.100:5000``, ``mark 7``."""
        return titled(self.key)


class Holder(NamedTuple):
    """A device that has an address, and where that was read."""

    dev: DevId
    ref: Ref


def titled(key: Key) -> str:
    """A service's name for people."""
    protocol, family, address, port, mark = key
    if protocol == "fwmark":
        return f"mark {mark}" + (" (IPv6)" if family == 6 else "")
    return (
        f"{protocol.upper()} [{address}]:{port}"
        if family == 6
        else (f"{protocol.upper()} {address}:{port}")
    )


def services_of(network: Network) -> tuple[Service, ...]:
    """All services of all hosts."""
    return tuple(_services(network))


def _services(network: Network) -> Iterator[Service]:
    for host, snapshot in network.snapshots.items():
        rows = snapshot.ipvs_services.rows
        entered = {_at(row) for row in rows if not row.configured}
        services = together((r for r in rows if not (r.configured and _at(r) in entered)), _at)
        servers: dict[_At, list[Server]] = defaultdict(list)
        for server in together(_serving(snapshot, services), _server_at).values():
            found = Server(canonical(server.server), server, Ref(host, server.cite))
            servers[_at(server)].append(found)
        for at, row in services.items():
            where, ref = DevId(host, row.netns, ""), Ref(host, row.cite)
            yield Service(where, key_of(row), row, ref, tuple(servers[at]))


def _serving(snapshot: Snapshot, services: Mapping[_At, IpvsService]) -> Iterator[IpvsServer]:
    """The servers that stand where their service does, in the kernel or in a configuration."""
    for row in snapshot.ipvs_servers.rows:
        service = services.get(_at(row))
        if service is not None and row.configured == service.configured and not row.sorry:
            yield row


def _at(row: IpvsService | IpvsServer) -> _At:
    return row.netns, key_of(row)


def _server_at(row: IpvsServer) -> tuple[str, tuple[Key, str, int]]:
    return row.netns, server_key_of(row)


def holders_of(network: Network) -> Mapping[str, tuple[Holder, ...]]:
    """Who has which address, loopback left out."""
    found: dict[str, dict[DevId, Holder]] = defaultdict(dict)
    for host, snapshot in network.snapshots.items():
        for row in snapshot.addresses.rows:
            address = canonical(row.address)
            dev = DevId(host, row.netns, row.dev)
            if not address.startswith("127.") and address != "::1":
                found[address][dev] = Holder(dev, Ref(host, row.cite))
    return {address: tuple(held.values()) for address, held in found.items()}


class Subnet(NamedTuple):
    """A subnet that a device is in, by the address that ``ref`` cites."""

    network: IPv4Network | IPv6Network
    ref: Ref


def subnets_of(network: Network, where: DevId, version: int) -> dict[str, Subnet]:
    """The first subnet of each device of a namespace, but for those that lead nowhere."""
    found: dict[str, Subnet] = {}
    for row in network.snapshots[where.host].addresses.rows:
        try:
            at = ip_interface(f"{row.address}/{row.prefix_len}")
        except ValueError:
            continue
        wide = at.version == version and at.network.num_addresses > 2
        if row.netns == where.netns and wide and not (at.ip.is_loopback or at.is_link_local):
            found.setdefault(row.dev, Subnet(at.network, Ref(where.host, row.cite)))
    return found
