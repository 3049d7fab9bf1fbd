"""The IP addresses of a station, as far as anything given shows them."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from hopback.network.facts import Ref
from hopback.network.model import Network, Station


def addresses_of(
    network: Network, station: Station
) -> dict[IPv4Address | IPv6Address, tuple[Ref, ...]]:
    """Those of its own device, and those that its host's neighbour tables have at its MAC."""
    found: dict[IPv4Address | IPv6Address, tuple[Ref, ...]] = {}
    if station.device is not None:
        snapshot = network.snapshots[station.device.host]
        for row in snapshot.addresses.rows:
            if (row.netns, row.dev) == (station.device.netns, station.device.name):
                found.setdefault(ip_address(row.address), (Ref(snapshot.host, row.cite),))
    snapshot = network.snapshots[station.port.host]
    for neighbour in snapshot.neighbours.rows:
        if neighbour.mac == station.mac:
            refs = (Ref(snapshot.host, neighbour.cite), *station.refs)
            found.setdefault(ip_address(neighbour.address), refs)
    return found
