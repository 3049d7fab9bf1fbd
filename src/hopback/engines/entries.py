"""Where frames enter a network: the places at which somebody may send any frame."""

from collections.abc import Iterator

from msgspec import Struct

from hopback.datapath.effects import Place
from hopback.datapath.model import Model
from hopback.network.facts import DevId


class Entry(Struct, frozen=True):
    """``sender`` is the device that sends there; None where what sends is beyond the tables.

    ``switch``: it may be a switch that sends there, which takes frames for anybody; stations take
    what is for them or for a group.
    """

    place: Place
    sender: DevId | None = None
    switch: bool = False


def entries(model: Model) -> tuple[Entry, ...]:
    """Every place once: bridges' own devices, what is behind their ports, macvlans."""
    return tuple(dict.fromkeys(_entries(model)))


def _entries(model: Model) -> Iterator[Entry]:
    for bridge in model.bridges.values():
        yield Entry(Place(bridge.id, "out"), bridge.id)
        for port in bridge.ports:
            for bottom in bottoms(model, port):
                yield from _behind(model, bottom)
    for child in model.macvlans.by_id.values():
        yield Entry(Place(child.id, "out"), child.id)
        for bottom in bottoms(model, child.lower):
            yield from _behind(model, bottom)


def bottoms(model: Model, dev: DevId) -> tuple[DevId, ...]:
    """The devices by which frames for ``dev`` come in: those below VLAN devices, a bond's legs.

    None below a bridge: its ports are entries of their own.
    """
    vlan = model.vlans.by_id.get(dev)
    if vlan is not None:
        return bottoms(model, vlan.lower)
    if dev in model.bonds:
        return tuple(b for leg in model.bonds[dev].legs for b in bottoms(model, leg.id))
    return () if dev in model.bridges else (dev,)


def _behind(model: Model, dev: DevId) -> Iterator[Entry]:
    """The far end of a veth pair, if we see it; a bridge there is an entry itself."""
    device = model.network.devices.get(dev)
    far = device.peer.value if device and device.peer else None
    if far is None or far not in model.network.devices:
        yield Entry(Place(dev, "in"), None, switch=dev not in model.stations)
        return
    upper = model.bond_of.get(far, far)
    if upper not in model.bridge_of:
        yield Entry(Place(upper, "out"), upper)
