"""A namespace's own addresses, as filters and NAT ask for them (net/ipv4/fib_frontend.c)."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface
from types import MappingProxyType

from msgspec import Struct

from hopback.datapath.skb import Ip
from hopback.network.facts import Ref

_LOOPBACK = IPv4Network("127.0.0.0/8")
_THIS_NETWORK = IPv4Network("0.0.0.0/8")
_ALL = IPv4Address("255.255.255.255")
_LOOPBACK6 = IPv6Address("::1")


class Own(Struct, frozen=True):
    """One address of a device. ``usable``: global, and neither secondary nor tentative."""

    at: IPv4Interface | IPv6Interface
    usable: bool = True
    refs: tuple[Ref, ...] = ()


class Addresses(Struct, frozen=True):
    """Those of each device, in the order of the listing; ``whole`` if all were listed."""

    by_device: Mapping[str, tuple[Own, ...]] = MappingProxyType({})
    whole: bool = False

    def kind(self, address: Ip, device: str | None = None) -> str | None:
        """What the address is to this host: local, broadcast, multicast or unicast (rtm_type).

        With a ``device`` only that one's addresses count; None if the listing leaves it open.
        """
        if address.is_multicast:
            return "multicast"
        if isinstance(address, IPv4Address) and (address == _ALL or address in _THIS_NETWORK):
            return "broadcast"
        if device is None and (address == _LOOPBACK6 or address in _LOOPBACK):
            return "local"
        named = self.by_device if device is None else {device: self.by_device.get(device, ())}
        own = [each.at for listed in named.values() for each in listed]
        if any(at.ip == address for at in own):
            return "local"
        if any(_is_broadcast(at, address) for at in own):
            return "broadcast"
        return "unicast" if self.whole else None

    def source(self, device: str, nexthop: Ip) -> Ip | None:
        """The address that ``device`` gives a packet for ``nexthop`` (inet_select_addr).

        The first of its subnet, else the first at all; None if the device has none.
        """
        usable = [
            own.at
            for own in self.by_device.get(device, ())
            if own.usable and own.at.version == nexthop.version
        ]
        near = [at for at in usable if nexthop in at.network]
        found: list[Ip] = [at.ip for at in (*near, *usable)]
        return found[0] if found else None


def _is_broadcast(at: IPv4Interface | IPv6Interface, address: Ip) -> bool:
    """fib_add_ifaddr: the last address of a subnet that has more than two."""
    network = at.network
    return (
        isinstance(network, IPv4Network)
        and network.prefixlen < 31
        and network.broadcast_address == address
    )
