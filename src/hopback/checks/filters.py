"""Packet filters that may act on a port and are not evaluated yet."""

from hopback.network.facts import DevId, Ref
from hopback.network.filters import Hooked, hooked
from hopback.network.model import Network
from hopback.snapshot.rows import GuestNic

_BRIDGED = frozenset({"bridge", "netdev"})
"""Families that see every bridged frame; ip, ip6 and inet see them only with br_netfilter."""


def filter_on(network: Network, port: DevId) -> tuple[str, Ref] | None:
    """What may filter the frames of ``port``: its name and the row that shows it."""
    snapshot = network.snapshots[port.host]
    for nic in snapshot.guest_nics.rows:
        if _of(nic, port) and nic.filter:
            return f"libvirt filter {nic.filter}", Ref(port.host, nic.cite)
    for chain in hooked(snapshot):
        if chain.netns == port.netns and _selects(chain, port):
            return chain.name, Ref(port.host, chain.cite)
    return None


def _of(nic: GuestNic, port: DevId) -> bool:
    return (nic.netns, nic.target) == (port.netns, port.name)


def _selects(chain: Hooked, port: DevId) -> bool:
    if chain.family not in _BRIDGED:
        return False
    return chain.devices is None or port.name in chain.devices
