"""Frames one after another through the model's bridge, as a ``Result``."""

from collections.abc import Sequence

from hopback.datapath.bridge.hooks import Hooks
from hopback.datapath.bridge.ingress import receive, transmit
from hopback.datapath.bridge.learn import applied
from hopback.datapath.bridge.state import BridgeState
from hopback.datapath.effects import Ask, Blind, Deliver, Effect, Learn, Send
from hopback.datapath.netfilter.hooks import Netfilter
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame
from hopback.network.facts import DevId
from tests.fidelity.area import Prediction, Received, Result
from tests.fidelity.mutants import Mutation, Spot, rule_of


class Playback:
    """One case: the bridge between two frames, and what they have led to so far.

    Devices are told by name. The table is by address and VLAN: port, local, sticky.
    """

    def __init__(
        self, state: BridgeState, mutation: Mutation, netfilter: Netfilter | None = None
    ) -> None:
        self._netfilter = netfilter
        self._state = state
        self._mutation = mutation
        self._egress: dict[str, list[bytes]] = {}
        self._local: dict[str, list[Received]] = {}
        self._fired: set[str] = set()

    @property
    def state(self) -> BridgeState:
        """The bridge now."""
        return self._state

    def take(self, at: DevId | None, raw: bytes) -> None:
        """One frame, by port ``at`` or (None) from the host."""
        frame = decode(raw)
        effects: Sequence[Effect]
        hooks = Hooks(self._netfilter, self._state, {}) if self._netfilter else None
        if at is None:
            effects = transmit(self._state, {}, frame, hooks=hooks)
        else:
            effects = receive(self._state, {}, at, frame, hooks=hooks)
        for effect in self._mutation(effects, Spot(self._state.id, at, frame)):
            # What is sent on is mostly the very frame that came in: no need to encode it again.
            match effect:
                case Send(dev=dev, frame=sent):
                    wire = raw if sent is frame else encode(sent)
                    self._egress.setdefault(dev.name, []).append(wire)
                case Deliver(dev=dev, frame=got, packet_type=type_):
                    received = Received(type_, raw if got is frame else encode(got))
                    if dev != self._state.id:
                        received = _as_kept(received, got)
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


def _as_kept(received: Received, frame: Frame) -> Received:
    """How a port's own device shows a frame that the bridge left to it.

    A VLAN that has no device there makes it somebody else's, and its tag is taken off
    (net/core/dev.c:__netif_receive_skb_core).
    """
    if not frame.tags:
        return received
    wire = received.frame
    return Received("otherhost" if frame.tags[0].vid else received.type, wire[:12] + wire[16:])
