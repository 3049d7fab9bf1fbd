"""To which MAC a station sends a packet whose routes we do not see.

Its subnet is taken to be that of the host's address on its bridge, its gateway the host.
"""

from hopback.datapath.ip.host import Own
from hopback.datapath.model import Model
from hopback.datapath.skb import Ip
from hopback.frames.mac import Mac
from hopback.network.addresses import addresses_of
from hopback.network.facts import Ref, merge_refs
from hopback.network.model import Station


def next_mac(
    model: Model, station: Station, source: Ip, target: Ip
) -> tuple[Mac, tuple[Ref, ...]] | None:
    """The MAC that ``station`` resolves for ``target``, and the rows that tell; None: none do."""
    host = model.hosts.get(station.port[:2])
    bridge = model.network.bridges[station.bridge]
    own = _address(model, station, source)
    if host is None or own is None or bridge.mac is None:
        return _neighbour(model, station, target)
    if target in own.at.network and target not in host.addresses:
        known = host.neighbours.get((bridge.id.name, target))
        if known is not None:
            return known.mac, merge_refs(own.refs, known.refs)
        return _neighbour(model, station, target)
    return bridge.mac.value, merge_refs(own.refs, bridge.mac.refs)


def _address(model: Model, station: Station, source: Ip) -> Own | None:
    """The host's own address in the station's subnet, on the bridge of the station."""
    host = model.hosts.get(station.port[:2])
    found = host.addresses.values() if host else ()
    return next(
        (own for own in found if own.dev == station.bridge.name and source in own.at.network), None
    )


def _neighbour(model: Model, station: Station, target: Ip) -> tuple[Mac, tuple[Ref, ...]] | None:
    for other in model.network.stations_on(station.bridge):
        refs = addresses_of(model.network, other).get(target)
        if refs is not None:
            return other.mac, refs
    return None
