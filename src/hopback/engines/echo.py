"""What a station's own frame teaches its bridge when the way out returns it."""

from hopback.datapath.bridge.learn import applied, learn
from hopback.datapath.bridge.vlan import admit, emit
from hopback.datapath.effects import Learn, Why
from hopback.datapath.model import Model
from hopback.frames.ethernet import Frame
from hopback.network.facts import DevId
from hopback.network.model import Station


def taught_by_echo(model: Model, station: Station, way_out: DevId, frame: Frame) -> Learn | None:
    """How ``frame``, back by ``way_out``, moves the station's entry; None if it does not.

    The table then has the station at home: the frame came in by its own port a moment before.
    """
    state = model.bridges[station.bridge]
    home, uplink = state.ports[station.port], state.ports.get(way_out)
    inside = admit(state, home.vlans, frame)
    if uplink is None or isinstance(inside, Why):
        return None
    outside = emit(state, uplink.vlans, inside)
    returned = admit(state, uplink.vlans, outside) if outside else None
    if returned is None or isinstance(returned, Why):
        return None
    for effect in learn(state, home, frame.src, inside.vid):
        if isinstance(effect, Learn):
            state = applied(state, effect)
    learnt = learn(state, uplink, frame.src, returned.vid)
    return next((effect for effect in learnt if isinstance(effect, Learn)), None)
