"""The order of the stages: which one a frame meets at each place. Only this file knows it."""

from hopback.datapath.bridge import ingress
from hopback.datapath.effects import (
    Blind,
    Cross,
    Deliver,
    Effect,
    Leave,
    Place,
    Question,
    Why,
    World,
)
from hopback.datapath.model import Model
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, format_mac, is_group
from hopback.network.facts import DevId
from hopback.network.model import Station


def step(model: Model, world: World, place: Place, frame: Frame) -> tuple[Effect, ...]:
    """What happens to ``frame`` at ``place``."""
    if place.way == "in":
        return _enter(model, world, place.dev, frame)
    if place.dev in model.bridges:
        return ingress.transmit(model.bridges[place.dev], world, frame)
    return _leave(model, world, place.dev, frame)


def _enter(model: Model, world: World, dev: DevId, frame: Frame) -> tuple[Effect, ...]:
    bridge = model.bridge_of.get(dev)
    if bridge is not None:
        return ingress.receive(model.bridges[bridge], world, dev, frame)
    device = model.network.devices.get(dev)
    if device and device.master and device.master.value:
        return (Blind(f"{dev.name} is a leg of {device.master.value}", device.master.refs),)
    mac = device.mac.value if device and device.mac else None
    return (_received(dev, frame, mac),)


def _received(dev: DevId, frame: Frame, mac: int | None) -> Deliver:
    """eth_type_trans: a station looks at the destination, never at the source."""
    if frame.dst == BROADCAST:
        return Deliver(dev, frame, "broadcast", Why("station"))
    if is_group(frame.dst):
        return Deliver(dev, frame, "multicast", Why("station"))
    if mac is None or frame.dst == mac:
        return Deliver(dev, frame, "host", Why("station"))
    return Deliver(dev, frame, "otherhost", Why("station"))


def _leave(model: Model, world: World, dev: DevId, frame: Frame) -> tuple[Effect, ...]:
    device = model.network.devices.get(dev)
    if device and device.peer:
        return (Cross(device.peer.value, frame, Why("veth", device.peer.refs)),)
    stations = model.stations.get(dev, ())
    if stations:
        return tuple(_received(nic_of(s), frame, s.mac) for s in stations)
    if world.get(uplink_question(dev)) == "returns":
        return (Leave(dev, Why("beyond")), Cross(dev, frame, Why("beyond-returns")))
    return (Leave(dev, Why("beyond")),)


def nic_of(station: Station) -> DevId:
    """The station's own device; for a guest whose inside we do not see, one named by its MAC."""
    if station.device is not None:
        return station.device
    return station.port._replace(name=f"NIC {format_mac(station.mac)}")


def uplink_question(dev: DevId) -> Question:
    """What lies beyond ``dev`` does with a frame it gets; unasked, it keeps it."""
    text = "does what lies beyond it return the frames it gets?"
    return Question(dev, text, ("keeps", "returns"), "keeps")
