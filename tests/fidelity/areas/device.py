"""veth pairs, and what a station thinks of the frames that arrive."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from hopback.datapath.model import Model
from hopback.frames.mac import format_mac, mac_to_bytes, parse_mac
from tests.build import VETH, link, links, model
from tests.fidelity.area import Prediction, Result, received
from tests.fidelity.mutants import Mutation
from tests.fidelity.shrink import changed_at, fewer, plainer
from tests.fidelity.walk import Walk
from tests.kernel.bridge_rig import TEST_ETHERTYPE
from tests.kernel.refusal import refusal
from tests.kernel.veth_rig import ENDS, MTU, EndConfig, KernelVeth, end_mac

FRAMES = 30

_HEADER, _TAG = 14, 4
_SMALL_MTUS = (68, 200, 296)
_STRANGERS = (parse_mac("02:00:00:00:03:01"), parse_mac("00:00:00:00:00:00"))
_GROUPS = tuple(
    parse_mac(text)
    for text in ("ff:ff:ff:ff:ff:ff", "01:00:5e:7f:01:02", "33:33:ff:00:00:11", "01:80:c2:00:00:0e")
)
_TAGS = (b"",) * 8 + (bytes.fromhex("81000005"), bytes.fromhex("8100e000"))


@dataclass(frozen=True)
class VethCase:
    """The ends, and frames by the end that sends them."""

    ends: tuple[EndConfig, EndConfig] = (EndConfig(), EndConfig())
    frames: tuple[tuple[int, bytes], ...] = ()


class DeviceArea:
    """One pair, whose MTUs change from case to case."""

    name = "device"
    rules = frozenset({"veth", "veth-too-big", "station"})
    enumerated: Sequence[VethCase] = ()
    not_covered = (
        "an end that is down; XDP, GRO and GSO",
        "tagged frames about as large as the MTU: a tag that a raw socket wrote counts",
        "the stack above: what a station does with a tag that no VLAN device takes",
    )

    def refusal(self) -> str | None:
        return refusal()

    def generate(self, chance: Random) -> VethCase:
        return random_case(chance)

    def smaller(self, case: VethCase) -> Iterator[VethCase]:
        for frames in fewer(case.frames):
            yield replace(case, frames=frames)
        for index, end in enumerate(case.ends):
            for plain in plainer(end):
                first, second = changed_at(case.ends, index, plain)
                yield replace(case, ends=(first, second))

    @contextmanager
    def kernel(self) -> Iterator[Callable[[VethCase], Result]]:
        with KernelVeth() as pair:

            def run(case: VethCase) -> Result:
                pair.configure(case.ends)
                heard = pair.play(case.frames)
                return Result(local={name: received(seen) for name, seen in heard.items()})

            yield run

    def model(self, case: VethCase, mutation: Mutation) -> Prediction:
        run = Walk(_model(case.ends), mutation)
        for end, raw in case.frames:
            run.send(ENDS[end], raw)
        return run.prediction()


AREA = DeviceArea()


def random_case(chance: Random) -> VethCase:
    """Ends of any MTU, and ``FRAMES`` frames, many of them as large as an end takes."""
    first, second = (EndConfig(_mtu(chance)) for _ in ENDS)
    ends = (first, second)
    return VethCase(ends, tuple(_frame(chance, ends, number) for number in range(FRAMES)))


def _mtu(chance: Random) -> int:
    return chance.choice(_SMALL_MTUS) if chance.random() < 0.7 else MTU


def _frame(chance: Random, ends: tuple[EndConfig, EndConfig], number: int) -> tuple[int, bytes]:
    end = chance.randrange(2)
    head = _address(chance) + _address(chance) + chance.choice(_TAGS)
    frame = head + TEST_ETHERTYPE.to_bytes(2, "big") + number.to_bytes(4, "big")
    if len(head) > 12:
        return end, frame.ljust(60, b"\0")
    largest = ends[1 - end].mtu + _HEADER + _TAG
    wanted = chance.choice((60, largest + chance.randint(-3, 3)))
    # A socket sends nothing that is larger than its own device's MTU.
    return end, frame.ljust(min(wanted, ends[end].mtu + _HEADER), b"\0")


def _address(chance: Random) -> bytes:
    own = tuple(end_mac(index) for index in range(2))
    return mac_to_bytes(chance.choice((*own, *own, *_STRANGERS, *_GROUPS)))


@lru_cache(maxsize=64)
def _model(ends: tuple[EndConfig, EndConfig]) -> Model:
    return model(links(_listed(2, ends[0]), _listed(3, ends[1])))


def _listed(index: int, end: EndConfig) -> str:
    """The end as ``ip -d link`` lists it, as the first or second of the pair."""
    place = index - 2
    name = f"{ENDS[place]}@{ENDS[1 - place]}"
    return link(index, name, format_mac(end_mac(place)), VETH).replace("mtu 1500", f"mtu {end.mtu}")
