"""The plain bridge: no VLAN filtering, no multicast snooping, tables that do not age meanwhile."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from random import Random

from hopback.datapath.bridge.ingress import receive, transmit
from hopback.datapath.bridge.learn import applied
from hopback.datapath.bridge.state import BridgeState, FdbEntry, FdbKey
from hopback.datapath.bridge.state import PortConfig as ModelPort
from hopback.datapath.effects import Ask, Blind, Deliver, Effect, Learn, PacketType, Send
from hopback.datapath.kernel import behaviour_of
from hopback.datapath.rules import RULES
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame
from hopback.lab.netns.observer import Seen
from hopback.network.facts import DevId
from hopback.snapshot.rows import PORT_STATES
from tests.fidelity.area import Prediction, Received, Result
from tests.fidelity.areas.bridge_cases import PORTS_MAX, BridgeCase, random_case, smaller_case
from tests.fidelity.mutants import Mutation, Spot, rule_of
from tests.kernel.bridge_rig import BRIDGE, BRIDGE_MAC, KernelBridge, PortConfig, port_mac
from tests.kernel.refusal import refusal

_HOST = DevId("", "", BRIDGE)
_PORTS = tuple(DevId("", "", f"lp{index}") for index in range(PORTS_MAX))
_FLAGS = (
    "hairpin",
    "learning",
    "flood",
    "mcast_flood",
    "bcast_flood",
    "isolated",
    "locked",
    "proxyarp",
    "group_fwd_mask",
)
_PACKET_TYPES: tuple[PacketType, ...] = ("host", "broadcast", "multicast", "otherhost")
_KERNEL = behaviour_of(os.uname().release)


class BridgeArea:
    """Taps on a bridge, one bridge for each number of ports."""

    name = "bridge"
    rules = frozenset(name for name, rule in RULES.items() if rule.area == "bridge")
    enumerated: Sequence[BridgeCase] = ()
    not_covered = (
        "ageing within a case, and the timers of the spanning tree",
        "port state blocking, which only the spanning tree itself can set",
        "a bridge without a forwarding port, which has no carrier",
        "ARP and ND answered by the bridge; only that proxyarp ports are not flooded",
        "the kernel's log",
        "frames above the MTU, and offloads",
    )

    def refusal(self) -> str | None:
        return refusal()

    def generate(self, chance: Random) -> BridgeCase:
        return random_case(chance)

    def smaller(self, case: BridgeCase) -> Iterator[BridgeCase]:
        return smaller_case(case)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[BridgeCase], Result]]:
        with ExitStack() as undo:
            bridges: dict[int, KernelBridge] = {}

            def run(case: BridgeCase) -> Result:
                count = len(case.ports)
                if count not in bridges:
                    bridges[count] = undo.enter_context(KernelBridge([PortConfig()] * count))
                bridges[count].configure(case.ports, case.entries, case.settings)
                return _result(bridges[count], case)

            yield run

    def model(self, case: BridgeCase, mutation: Mutation) -> Prediction:
        run = _Run(_state(case), mutation)
        for at, raw in case.frames:
            run.take(None if at is None else _PORTS[at], raw)
        return run.prediction()


AREA = BridgeArea()


def _result(bridge: KernelBridge, case: BridgeCase) -> Result:
    seen = bridge.play(case.frames)
    local = {_PORTS[port].name: _received(frames) for port, frames in seen.kept.items()}
    if seen.local:
        local[BRIDGE] = _received(seen.local)
    return Result(
        {_PORTS[port].name: frames for port, frames in seen.egress.items()},
        local,
        {
            (mac, 0): (
                None if entry.port is None else _PORTS[entry.port],
                entry.local,
                entry.sticky,
            )
            for mac, entry in bridge.fdb().items()
        },
    )


def _received(seen: Sequence[Seen]) -> tuple[Received, ...]:
    return tuple(Received(_PACKET_TYPES[type_], frame) for type_, frame in seen)


def _state(case: BridgeCase) -> BridgeState:
    fdb: dict[FdbKey, FdbEntry] = {(BRIDGE_MAC, 0): FdbEntry(None, local=True)}
    for index in range(len(case.ports)):
        fdb[port_mac(index), 0] = FdbEntry(_PORTS[index], local=True)
    for entry in case.entries:
        fdb[entry.mac, 0] = FdbEntry(_PORTS[entry.port], entry.local, entry.sticky)
    return BridgeState(
        id=_HOST,
        ports={_PORTS[index]: _port(index, port) for index, port in enumerate(case.ports)},
        fdb=fdb,
        mac=BRIDGE_MAC,
        stp=case.settings.stp,
        learns=case.settings.ageing_time != 0,
        group_fwd_mask=case.settings.group_fwd_mask,
        mcast_snooping=False,
        kernel=_KERNEL,
    )


def _port(index: int, port: PortConfig) -> ModelPort:
    flags = {name: getattr(port, name) for name in _FLAGS}
    return ModelPort(_PORTS[index], port_mac(index), PORT_STATES[port.state], **flags)


class _Run:
    """One case in the model: the state between frames, and what they led to."""

    def __init__(self, state: BridgeState, mutation: Mutation) -> None:
        self._state = state
        self._mutation = mutation
        self._egress: dict[str, list[bytes]] = {}
        self._local: dict[str, list[Received]] = {}
        self._fired: set[str] = set()

    def take(self, at: DevId | None, raw: bytes) -> None:
        """One frame, by port ``at`` or from the host."""
        frame = decode(raw)
        effects: Sequence[Effect]
        if at is None:
            effects = transmit(self._state, {}, frame)
        else:
            effects = receive(self._state, {}, at, frame)
        for effect in self._mutation(effects, Spot(_HOST, at, frame)):
            # What is sent on is mostly the very frame that came in: no need to encode it again.
            match effect:
                case Send(dev=dev, frame=sent):
                    wire = raw if sent is frame else encode(sent)
                    self._egress.setdefault(dev.name, []).append(wire)
                case Deliver(dev=dev, frame=got, packet_type=type_):
                    wire = raw if got is frame else encode(got)
                    received = Received(type_, wire) if dev == _HOST else _as_kept(type_, got, wire)
                    self._local.setdefault(dev.name, []).append(received)
                case Learn():
                    self._state = applied(self._state, effect)
                case Ask() | Blind():
                    raise AssertionError(f"the model leaves it open: {effect}")
        self._fired.update(filter(None, map(rule_of, effects)))

    def prediction(self) -> Prediction:
        result = Result(
            {name: tuple(frames) for name, frames in self._egress.items()},
            {name: tuple(received) for name, received in self._local.items()},
            {key: (e.port, e.local, e.sticky) for key, e in self._state.fdb.items()},
        )
        return Prediction(result, frozenset(self._fired))


def _as_kept(type_: PacketType, frame: Frame, wire: bytes) -> Received:
    """How a port's own device shows a frame that the bridge left to it.

    A VLAN that has no device there makes it somebody else's, and its tag is taken off
    (net/core/dev.c:__netif_receive_skb_core).
    """
    if not frame.tags:
        return Received(type_, wire)
    return Received("otherhost" if frame.tags[0].vid else type_, wire[:12] + wire[16:])
