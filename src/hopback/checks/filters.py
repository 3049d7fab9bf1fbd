"""Packet filters that may act on a port and are not evaluated yet."""

from hopback.network.facts import DevId, Ref
from hopback.network.model import Network
from hopback.snapshot.rows import GuestNic, PacketFilter

_BRIDGED = frozenset({"bridge", "netdev"})
"""Families that see every bridged frame; ip, ip6 and inet see them only with br_netfilter."""


def filter_on(network: Network, port: DevId) -> tuple[str, Ref] | None:
    """What may filter the frames of ``port``: its name and the row that shows it."""
    snapshot = network.snapshots[port.host]
    for nic in snapshot.guest_nics.rows:
        if _of(nic, port) and nic.filter:
            return f"libvirt filter {nic.filter}", Ref(port.host, nic.cite)
    for row in snapshot.filters.rows:
        if row.netns == port.netns and _selects(row, port):
            return row.name, Ref(port.host, row.cite)
    return None


def _of(nic: GuestNic, port: DevId) -> bool:
    return (nic.netns, nic.target) == (port.netns, port.name)


def _selects(row: PacketFilter, port: DevId) -> bool:
    if row.family not in _BRIDGED:
        return False
    return row.devices is None or port.name in row.devices
