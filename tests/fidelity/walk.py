"""Frames one after another through the model's whole path, as a ``Result``."""

from msgspec.structs import replace

from hopback.datapath.bridge.learn import applied
from hopback.datapath.effects import (
    Ask,
    Blind,
    Cross,
    Deliver,
    Drop,
    Effect,
    Learn,
    Place,
    Send,
    Tell,
)
from hopback.datapath.ip.output import send
from hopback.datapath.model import Model
from hopback.datapath.path import ip_layer, step
from hopback.datapath.skb import FRESH, Skb
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame
from tests.build import dev
from tests.fidelity.area import Prediction, Received, Result
from tests.fidelity.mutants import Mutation, Spot, rule_of

_HOPS_MAX = 16


class Walk:
    """One case: the model between two frames, and what they have led to so far.

    Devices are those of the host ``kvm1``, told by name; what leaves by one of ``wires`` is gone.
    ``tells``: what the host tells by ICMP leaves as well.
    """

    def __init__(
        self,
        model: Model,
        mutation: Mutation,
        wires: frozenset[str] = frozenset(),
        *,
        tells: bool = False,
    ):
        self._model = model
        self._tells = tells
        self._mutation = mutation
        self._wires = wires
        self._egress: dict[str, list[bytes]] = {}
        self._local: dict[str, list[Received]] = {}
        self._fired: set[str] = set()

    def send(self, name: str, raw: bytes) -> None:
        """The host sends a frame by this device."""
        self._go(Place(dev(name), "out"), decode(raw), _HOPS_MAX)

    def receive(self, name: str, raw: bytes) -> None:
        """A frame comes in by this device."""
        self._go(Place(dev(name), "in"), decode(raw), _HOPS_MAX)

    def originate(self, raw: bytes) -> None:
        """The host sends the packet of this frame, whatever its MACs."""
        layer = ip_layer(self._model, {}, dev(""))
        assert layer is not None, "its addresses and routes are known"
        frame = decode(raw)
        effect = send(layer, frame)
        self._fired.update(filter(None, [rule_of(effect)]))
        for made in self._mutation([effect], Spot(dev(""), None, frame)):
            self._follow(made, _HOPS_MAX)

    def prediction(self) -> Prediction:
        result = Result(
            {name: tuple(frames) for name, frames in self._egress.items()},
            {name: tuple(received) for name, received in self._local.items()},
        )
        return Prediction(result, frozenset(self._fired))

    def _go(self, place: Place, frame: Frame, hops: int, skb: Skb = FRESH) -> None:
        assert hops, f"the model goes round in circles at {place.dev.name}"
        if place.way == "out" and place.dev.name in self._wires:
            self._egress.setdefault(place.dev.name, []).append(encode(frame))
            return
        effects = step(self._model, {}, place, frame, skb)
        self._fired.update(filter(None, map(rule_of, effects)))
        bridge = self._model.bridge_of.get(place.dev, place.dev)
        for effect in self._mutation(effects, Spot(bridge, None, frame)):
            self._follow(effect, hops - 1)

    def _follow(self, effect: Effect, hops: int) -> None:
        match effect:
            case Send(dev=out, frame=frame, skb=skb):
                self._go(Place(out, "out"), frame, hops, skb)
            case Tell(dev=out, frame=frame, skb=skb) if self._tells:
                self._go(Place(out, "out"), frame, hops, skb)
            case Cross(dev=far, frame=frame, skb=skb):
                self._go(Place(far, "in"), frame, hops, skb)
            case Deliver(dev=up, frame=frame, packet_type=type_):
                self._local.setdefault(up.name, []).append(Received(type_, encode(frame)))
            case Learn(bridge=id_):
                bridges = {**self._model.bridges, id_: applied(self._model.bridges[id_], effect)}
                self._model = replace(self._model, bridges=bridges)
            case Drop():
                pass
            case Ask() | Blind():
                raise AssertionError(f"the model leaves it open: {effect}")
