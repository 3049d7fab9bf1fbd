"""What the rows of all hosts tell of IPVS: services, their servers, and whose addresses those are.

The kernel's table is taken before keepalived's configuration, and the later of two listings.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_interface
from typing import NamedTuple

from hopback.network.facts import DevId, Ref
from hopback.network.identifiers import canonical
from hopback.network.model import Network
from hopback.snapshot.rows import IpvsCount, IpvsMethod, IpvsServer, IpvsService

Key = tuple[str, int, str, int, int]
"""Protocol, family, address, port and mark: what a packet is compared with."""


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


def key_of(row: IpvsService | IpvsServer | IpvsCount) -> Key:
    """What identifies the service that a row is about, within its namespace."""
    return row.protocol, row.family, canonical(row.address), row.port, row.mark


def services_of(network: Network) -> tuple[Service, ...]:
    """All services of all hosts."""
    return tuple(_services(network))


def _services(network: Network) -> Iterator[Service]:
    for host, snapshot in network.snapshots.items():
        services: dict[tuple[str, Key], IpvsService] = {}
        for row in snapshot.ipvs_services.rows:
            at = row.netns, key_of(row)
            if at not in services or not row.configured or services[at].configured:
                services[at] = row
        servers: dict[tuple[str, Key], dict[tuple[str, int], IpvsServer]] = defaultdict(dict)
        for server in snapshot.ipvs_servers.rows:
            at = server.netns, key_of(server)
            if at not in services or server.configured != services[at].configured or server.sorry:
                continue
            servers[at][canonical(server.server), server.server_port] = server
        for (netns, key), row in services.items():
            found = (
                Server(address, server, Ref(host, server.cite))
                for (address, _), server in servers[netns, key].items()
            )
            ref = Ref(host, row.cite)
            yield Service(DevId(host, netns, ""), key, row, ref, tuple(found))


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
