"""What is played to the router of a case, and what has left it."""

from collections.abc import Iterator, Sequence

from tests.fidelity.area import Result
from tests.fidelity.areas.netfilter_frames import Answer, Arrival, Input, answer
from tests.kernel.netfilter_rig import LOCAL


class Script:
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
