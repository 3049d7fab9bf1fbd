"""macvlans of every mode on one lower device."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from random import Random

from hopback.datapath.effects import Ask, Blind, Cross, Deliver, Send, Why
from hopback.datapath.macvlan import Child, Macvlans, delivered, receive, transmit
from hopback.datapath.rules import RULES
from hopback.datapath.skb import PacketType
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, Mac, is_group, mac_to_bytes, parse_mac
from hopback.network.facts import DevId
from tests.fidelity.area import Prediction, Received, Result, received
from tests.fidelity.mutants import Mutation, Spot, rule_of
from tests.fidelity.shrink import changed_at, fewer, plainer
from tests.kernel.bridge_rig import TEST_ETHERTYPE
from tests.kernel.macvlan_rig import (
    LOWER,
    LOWER_MAC,
    ChildConfig,
    KernelMacvlans,
    child_mac,
    child_name,
)
from tests.kernel.refusal import refusal

FRAMES = 30
CHILDREN_MAX = 5

_LOWER = DevId("", "", LOWER)
_STRANGERS = (parse_mac("02:00:00:00:03:01"), parse_mac("02:00:00:00:03:02"))
_GROUPS = tuple(
    parse_mac(text)
    for text in ("ff:ff:ff:ff:ff:ff", "01:00:5e:7f:01:02", "33:33:ff:00:00:11", "01:80:c2:00:00:0e")
)
_MODES = ("private", "vepa", "bridge")
_PASSTHRU = ChildConfig("passthru")


@dataclass(frozen=True)
class MacvlanCase:
    """Children, and frames by the child that sends them (None: from the wire)."""

    children: tuple[ChildConfig, ...]
    frames: tuple[tuple[int | None, bytes], ...] = ()


class MacvlanArea:
    """One tap for each number of children and each choice of those that are down."""

    name = "macvlan"
    rules = frozenset(name for name, rule in RULES.items() if rule.area == "macvlan")
    enumerated: Sequence[MacvlanCase] = ()
    not_covered = (
        "mode source, which the model does not evaluate",
        "which groups a child joined: here each of them hears all",
        "pause frames, and frames with VLAN tags",
        "the order in which siblings get their copies",
        "the queue that group frames wait in, and what is lost when it is full",
    )

    def refusal(self) -> str | None:
        if reason := refusal():
            return reason
        try:
            with KernelMacvlans([ChildConfig()]):
                return None
        except Exception as error:  # whatever the kernel lacks: the device, or to do without queue
            return f"no macvlans without a queue: {error}"

    def generate(self, chance: Random) -> MacvlanCase:
        return random_case(chance)

    def smaller(self, case: MacvlanCase) -> Iterator[MacvlanCase]:
        for frames in fewer(case.frames):
            yield replace(case, frames=frames)
        for index, child in enumerate(case.children):
            for plain in plainer(child):
                if child.mode != "passthru":
                    yield replace(case, children=changed_at(case.children, index, plain))

    @contextmanager
    def kernel(self) -> Iterator[Callable[[MacvlanCase], Result]]:
        with ExitStack() as undo:
            rigs: dict[tuple[bool, tuple[bool, ...]], KernelMacvlans] = {}

            def run(case: MacvlanCase) -> Result:
                # To change a mode is quick, to set a device up or down is not.
                key = case.children[0].mode == "passthru", tuple(c.up for c in case.children)
                if key not in rigs:
                    rigs[key] = undo.enter_context(KernelMacvlans(case.children))
                rigs[key].configure(case.children)
                heard = rigs[key].play(case.frames)
                local = {name: received(seen) for name, seen in heard.local.items()}
                return Result({LOWER: heard.egress} if heard.egress else {}, local)

            yield run

    def model(self, case: MacvlanCase, mutation: Mutation) -> Prediction:
        run = _Run(case, mutation)
        for at, raw in case.frames:
            run.take(at, decode(raw))
        return run.prediction()


AREA = MacvlanArea()


def random_case(chance: Random) -> MacvlanCase:
    """Children of any modes, some of them down, and ``FRAMES`` frames in both directions."""
    if chance.random() < 0.15:
        children: tuple[ChildConfig, ...] = (replace(_PASSTHRU, up=chance.random() < 0.8),)
    else:
        modes = [chance.choice(_MODES) for _ in range(chance.randint(1, CHILDREN_MAX))]
        down = 0 if chance.random() < 0.3 else None
        children = tuple(ChildConfig(mode, index != down) for index, mode in enumerate(modes))
    senders = [None, None, *(index for index, child in enumerate(children) if child.up)]
    frames = ((chance.choice(senders), _frame(chance, number)) for number in range(FRAMES))
    return MacvlanCase(children, tuple(frames))


def _frame(chance: Random, number: int) -> bytes:
    own = tuple(child_mac(index) for index in range(CHILDREN_MAX))
    source = chance.choice((*own, *own, LOWER_MAC, *_STRANGERS))
    target = chance.choice((*own, LOWER_MAC, *_STRANGERS, *_GROUPS, *_GROUPS))
    body = number.to_bytes(4, "big").ljust(46, b"\0")
    return mac_to_bytes(target) + mac_to_bytes(source) + TEST_ETHERTYPE.to_bytes(2, "big") + body


class _Run:
    """One case in the model."""

    def __init__(self, case: MacvlanCase, mutation: Mutation) -> None:
        children = tuple(
            Child(DevId("", "", child_name(i)), _LOWER, _mac(i, child), child.mode, child.up)
            for i, child in enumerate(case.children)
        )
        self._macvlans = Macvlans({child.id: child for child in children}, {_LOWER: children})
        self._children = children
        self._mutation = mutation
        self._egress: list[bytes] = []
        self._local: dict[str, list[Received]] = {}
        self._fired: set[str] = set()

    def take(self, at: int | None, frame: Frame) -> None:
        """One frame, from the wire or from a child."""
        if at is None:
            below = Deliver(_LOWER, frame, _type_below(frame.dst), Why("station"))
            effects = receive(self._children, {}, below)
        else:
            effects = transmit(self._macvlans, {}, self._children[at], frame)
        self._fired.update(filter(None, map(rule_of, effects)))
        for effect in self._mutation(effects, Spot(_LOWER, None, frame)):
            match effect:
                case Cross(dev=dev) if dev == _LOWER:
                    self.take(None, frame)
                case Cross(dev=dev):
                    self._note(delivered(self._macvlans.by_id[dev], frame))
                case Deliver():
                    self._note(effect)
                case Send():
                    self._egress.append(encode(frame))
                case Ask() | Blind():
                    raise AssertionError(f"the model leaves it open: {effect}")

    def _note(self, up: Deliver) -> None:
        received = Received(up.packet_type, encode(up.frame))
        self._local.setdefault(up.dev.name, []).append(received)

    def prediction(self) -> Prediction:
        result = Result(
            {LOWER: tuple(self._egress)} if self._egress else {},
            {name: tuple(received) for name, received in self._local.items()},
        )
        return Prediction(result, frozenset(self._fired))


def _mac(index: int, child: ChildConfig) -> Mac:
    """A child in passthru has the address of the device below (macvlan_common_newlink)."""
    return LOWER_MAC if child.mode == "passthru" else child_mac(index)


def _type_below(target: Mac) -> PacketType:
    if target == BROADCAST:
        return "broadcast"
    if is_group(target):
        return "multicast"
    return "host" if target == LOWER_MAC else "otherhost"
