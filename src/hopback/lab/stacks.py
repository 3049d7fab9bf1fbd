"""What the guest's own stack does in the lab: it takes its addresses, and pings."""

from collections.abc import Sequence

from msgspec import Struct

from hopback.datapath.model import Model
from hopback.engines.flow import FlowEnd
from hopback.lab import duplicates, floating
from hopback.lab.duplicates import Detection, Guest
from hopback.lab.floating import Floating, Reach
from hopback.lab.predict import Labels
from hopback.lab.segment import Segment


class Stacks(Struct, frozen=True):
    """``guest`` is None where the lab's kernel has no IPv6, ``floating`` if NAT leads nowhere."""

    segment: Segment
    guest: Guest | None
    floating: Floating | None

    def detections(self, model: Model, labels: Labels) -> tuple[Detection, ...]:
        """How duplicate detection ends for each address."""
        if self.guest is None:
            return ()
        return duplicates.foretold(model, self.segment.station, self.guest, labels)

    def reaches(self, model: Model, labels: Labels) -> tuple[Reach, ...]:
        """What becomes of the pings."""
        if self.floating is None:
            return ()
        return floating.reached(model, self.segment, self.floating, labels)


def keeps(before: Sequence[FlowEnd | None], after: Sequence[FlowEnd | None]) -> bool:
    """Whether what was answered still is."""
    pairs = zip(before, after, strict=True)
    return all(now == "answered" for then, now in pairs if then == "answered")
