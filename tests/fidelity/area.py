"""What an area of the model has to offer to be held against a kernel."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple, Protocol, TypeVar

from hopback.datapath.skb import PacketType
from hopback.lab.netns.observer import Seen
from hopback.network.facts import DevId
from tests.fidelity.mutants import Mutation

_PACKET_TYPES: tuple[PacketType, ...] = ("host", "broadcast", "multicast", "otherhost")
"""By their numbers in include/uapi/linux/if_packet.h."""


class Received(NamedTuple):
    """A frame that went up the stack, and its ``skb->pkt_type``."""

    type: PacketType
    frame: bytes


def received(seen: Iterable[Seen]) -> tuple[Received, ...]:
    """What an observer of the kernel saw, in the model's terms."""
    return tuple(Received(_PACKET_TYPES[type_], frame) for type_, frame in seen)


@dataclass(frozen=True)
class Result:
    """What a case led to; the kernel's has to equal the model's.

    ``egress``: for each port that transmitted, its frames in order. ``local``: for each device on
    which frames went up the host's stack, those in order. ``table``: the tables afterwards, keyed
    and valued as the area likes. The frames of a case differ, so none can stand for another.
    """

    egress: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    local: Mapping[str, tuple[Received, ...]] = field(default_factory=dict)
    table: Mapping[Any, Any] = field(default_factory=dict)


def differences(kernel: Result, model: Result) -> tuple[str, ...]:
    """Where two results differ, in words."""
    return tuple(
        f"{part} {_short(key)}: kernel {_short(theirs.get(key))}, model {_short(ours.get(key))}"
        for part in ("egress", "local", "table")
        for theirs, ours in [(getattr(kernel, part), getattr(model, part))]
        for key in {**theirs, **ours}
        if theirs.get(key) != ours.get(key)
    )


def _short(value: object) -> str:
    """Frames by their first bytes, with the number that tells them apart; addresses as such."""
    if isinstance(value, bytes):
        return value[:22].hex()
    if isinstance(value, int) and value > 0xFFFF:
        return f"{value:012x}"
    if isinstance(value, DevId):
        return value.name
    if isinstance(value, tuple):
        return f"({', '.join(map(_short, value))})"
    return str(value)


class Prediction(NamedTuple):
    """The model's result, and the rules that led to it."""

    result: Result
    fired: frozenset[str]


class Case(Protocol):
    """A network and the frames it gets: a frozen dataclass, printed as Python by ``source``."""

    @property
    def frames(self) -> Sequence[object]: ...


C = TypeVar("C", bound=Case)


class Area(Protocol[C]):
    """One part of the model. ``AREA`` of each module in ``tests.fidelity.areas`` is one."""

    @property
    def name(self) -> str: ...

    @property
    def rules(self) -> frozenset[str]:
        """The rules of the registry whose mutants have to be caught here."""

    @property
    def not_covered(self) -> tuple[str, ...]:
        """What of the area no case has, for people."""

    @property
    def enumerated(self) -> Sequence[C]:
        """Cases for what chance would not find; they come first."""

    def refusal(self) -> str | None:
        """Why the running kernel cannot be asked about this area; None if it can."""

    def generate(self, chance: Random) -> C:
        """A random case."""

    def smaller(self, case: C) -> Iterator[C]:
        """Cases that are simpler by one step, the boldest steps first."""

    def kernel(self) -> AbstractContextManager[Callable[[C], Result]]:
        """What the running kernel makes of a case; its networks are gone afterwards."""

    def model(self, case: C, mutation: Mutation) -> Prediction:
        """What the model makes of a case when ``mutation`` falsifies its effects."""
