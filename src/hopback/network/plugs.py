"""Guests that are given as hosts of their own: which bridge port each one's NIC is plugged into."""

from collections import defaultdict
from collections.abc import Mapping

from hopback.frames.mac import Mac
from hopback.network.facts import DevId
from hopback.network.model import Network, Station
from hopback.network.stacks import Stacks


def plugs_of(network: Network, stacks: Stacks) -> dict[DevId, Station]:
    """The NICs whose MAC is that of one station of another host, and of no other NIC."""
    stations: Mapping[Mac, list[Station]] = defaultdict(list)
    for station in network.stations:
        stations[station.mac].append(station)
    nics: Mapping[Mac, list[DevId]] = defaultdict(list)
    for id_, device in network.devices.items():
        if device.mac is not None and device.mac.value in stations and stacks.is_end(id_):
            nics[device.mac.value].append(id_)
    return {
        found[0]: stations[mac][0]
        for mac, found in nics.items()
        if len(found) == len(stations[mac]) == 1
        and stations[mac][0].device is None
        and found[0].host != stations[mac][0].port.host
        and found[0] not in network.bonds
    }
