"""What is played to the router of a case, and what has left it."""

from collections.abc import Iterator, Sequence

from hopback.datapath.model import Model
from tests.fidelity.area import Prediction, Result
from tests.fidelity.areas.netfilter_calls import Calls
from tests.fidelity.areas.netfilter_frames import Answer, Arrival, Input, answer
from tests.fidelity.mutants import Mutation, faithful
from tests.fidelity.walk import Walk
from tests.kernel.netfilter_rig import LOCAL, FilteredRouter, local_packet
from tests.kernel.router_rig import TAPS

_OPEN = "left open"
_ANY_PORT = "the source port is another connection's"


def through(router: FilteredRouter, inputs: Sequence[Input]) -> Result:
    """What the kernel's router makes of them."""
    script = _Script(inputs)
    for tap, frame in script.arrivals():
        router.inject(tap, frame)
        script.left(router.take())
    return script.result()


def answerable(inputs: tuple[Input, ...], prediction: Prediction) -> tuple[Input, ...]:
    """The inputs up to the first that the model leaves open: NAT that takes any port at random."""
    found = prediction.result.egress.get(_OPEN)
    return inputs if found is None else inputs[: len(found)]


def walked(inputs: Sequence[Input], model: Model, calls: Calls, mutation: Mutation) -> Prediction:
    """What the model's makes of them."""
    script = _Script(inputs)
    fired: set[str] = set()
    for tap, frame in script.arrivals():
        walk = Walk(model, mutation, frozenset(TAPS))
        try:
            walk.receive(tap, frame)
        except AssertionError as error:
            if mutation is not faithful or _ANY_PORT not in str(error):
                raise
            return Prediction(Result({_OPEN: (frame,) * script.taken}), frozenset())
        result, rules = walk.prediction()
        fired |= rules
        sent = [(name, raw) for name in TAPS for raw in result.egress.get(name, ())]
        got = [
            (LOCAL, local_packet(received.frame))
            for each in result.local.values()
            for received in each
            if received.type != "otherhost"
        ]
        script.left(sent + got)
    return Prediction(script.result(), frozenset(fired | calls.fired))


class _Script:
    """The inputs of a case, answers made from what has left."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self._inputs = inputs
        self._left: list[tuple[str, bytes] | None] = []
        self._egress: dict[str, list[bytes]] = {}

    def arrivals(self) -> Iterator[tuple[str, bytes]]:
        for each in self._inputs:
            found = (each.tap, each.frame) if isinstance(each, Arrival) else self._answer(each)
            if found is None:
                self._left.append(None)
            else:
                yield found

    @property
    def taken(self) -> int:
        """How many inputs came before the one that is on its way."""
        return len(self._left)

    def left(self, frames: Sequence[tuple[str, bytes]]) -> None:
        """What the last arrival led to."""
        on_wires = [(device, frame) for device, frame in frames if device != LOCAL]
        self._left.append(on_wires[-1] if on_wires else None)
        for device, frame in frames:
            self._egress.setdefault(device, []).append(frame)

    def result(self) -> Result:
        return Result({device: tuple(frames) for device, frames in self._egress.items()})

    def _answer(self, to: Answer) -> tuple[str, bytes] | None:
        before = self._left[to.to]
        if before is None:
            return None
        said = answer(before[1], error=to.error)
        return None if said is None else (before[0], said)
