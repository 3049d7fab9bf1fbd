"""Which MAC a packet for a neighbour gets (net/core/neighbour.c, Linux 6.12)."""

from collections.abc import Iterator

from hopback.datapath.bridge.state import NeighbourEntry
from hopback.datapath.effects import Ask, Blind, Drop, Question, Why, World
from hopback.datapath.ip.host import Host
from hopback.datapath.skb import Ip
from hopback.frames.build import multicast_mac
from hopback.frames.mac import Mac
from hopback.network.facts import merge_refs
from hopback.network.model import Network

STRANGER = Mac(0x0000_5E00_5303)
"""Stands for a neighbour beyond a way out whose MAC no table tells (RFC 7042)."""


def resolve(
    network: Network, host: Host, world: World, dev: str, nexthop: Ip, *, outside: bool
) -> NeighbourEntry | Drop | Ask | Blind:
    """The neighbour ``nexthop`` on ``dev``: by the host's own table, else by who has the address.

    ``outside``: what leaves by ``dev`` leaves what the tables show, and its MAC decides nothing.
    """
    if nexthop.is_multicast:
        return NeighbourEntry(multicast_mac(nexthop))
    known = host.neighbours.get((dev, nexthop))
    if known is not None:
        return known
    failed = host.failed.get((dev, nexthop))
    if failed is not None:
        return Drop(Why("ip-no-neighbour", failed))
    owners = tuple(dict.fromkeys(_owners(network, host, nexthop)))
    if len({owner.mac for owner in owners}) == 1:
        return owners[0]
    if outside:
        return NeighbourEntry(STRANGER)
    return _unknown(host, world, dev, nexthop)


def _owners(network: Network, host: Host, address: Ip) -> Iterator[NeighbourEntry]:
    """Devices in sight that have the address and would answer for it."""
    for dev, ref in network.owners.get(str(address), ()):
        device = network.devices.get(dev) if dev[:2] != host.id[:2] else None
        if device is not None and device.mac is not None:
            yield NeighbourEntry(device.mac.value, refs=merge_refs((ref,), device.mac.refs))


def _unknown(host: Host, world: World, dev: str, nexthop: Ip) -> Drop | Ask | Blind:
    text = f"does anybody answer for {nexthop}, which no neighbour table has?"
    question = Question(host.id._replace(name=dev), text, ("yes", "no"), "yes")
    if question not in world:
        return Ask(question)
    if world[question] == "yes":
        return Blind(f"the MAC of {nexthop}, which no table tells", ())
    return Drop(Why("ip-no-neighbour"))
