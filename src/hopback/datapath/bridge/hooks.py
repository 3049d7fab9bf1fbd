"""Where a bridge calls the packet filters (NF_BR_*, net/bridge/br_input.c, br_forward.c; 6.12)."""

from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.bridge.forward import packet_type
from hopback.datapath.bridge.nf import BridgeNf
from hopback.datapath.bridge.state import BridgeState, PortConfig
from hopback.datapath.bridge.vlan import Admitted
from hopback.datapath.effects import Ask, Blind, Deliver, Drop, Effect, Send, Why, World
from hopback.datapath.netfilter.hooks import Netfilter, Stop
from hopback.datapath.netfilter.packet import Passed, Seen
from hopback.datapath.netfilter.traverse import ANY_PRIORITY
from hopback.datapath.skb import PacketType, Skb
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, is_group
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.snapshot.rows import Hook

_BEFORE_NF = range(ANY_PRIORITY.start, 1)
"""NF_BR_PRI_BRNF is 0, and whoever registered later with the same priority is called before."""

_AFTER_NF = range(1, ANY_PRIORITY.stop)


class Hooks(Struct, frozen=True):
    """The filters of the namespace of the bridge ``state``, and br_netfilter if it matters."""

    netfilter: Netfilter
    state: BridgeState
    world: World
    nf: BridgeNf | None = None

    def broute(self, port: PortConfig, frame: Frame, skb: Skb) -> Deliver | Stop | None:
        """The frame up the stack of ``port`` itself, if a rule wants it routed, not bridged.

        ebtable_broute.c:ebt_broute: what the table drops is routed; it sees forwarding ports alone.
        """
        if port.state != "forwarding":
            return None
        outcome = self._call("brouting", frame, self._typed(port, frame, skb), indev=port)
        if not isinstance(outcome, Drop):
            return outcome if isinstance(outcome, Ask | Blind) else None
        type_ = _seen_by_port(port, frame)
        return Deliver(port.id, frame, type_, Why("brouted", outcome.why.refs), skb)

    def prerouting(self, port: PortConfig, frame: Frame, skb: Skb) -> Passed | Stop:
        """br_input.c:nf_hook_bridge_pre, before anything is learned.

        For whom the frame is was decided before: a rule that gives it another destination does not
        change that.
        """
        typed = self._typed(port, frame, skb)
        if self.nf is None:
            return self._call("prerouting", frame, typed, indev=port)
        first = self._call("prerouting", frame, typed, indev=port, priorities=_BEFORE_NF)
        if not isinstance(first, Passed):
            return first
        passed = self.nf.prerouting(port, first)
        if not isinstance(passed, Passed):
            return passed
        to = passed.frame.dst
        # Sent back to this bridge, it gets the neighbour's address when all have seen it
        # (br_nf_pre_routing_finish_bridge); else the bridge's at once.
        sent_back = passed.skb.dnatted and to != self.state.mac
        shown = replace(passed.frame, dst=first.frame.dst) if sent_back else passed.frame
        last = self._call("prerouting", shown, passed.skb, indev=port, priorities=_AFTER_NF)
        if sent_back and isinstance(last, Passed):
            last = replace(last, frame=replace(last.frame, dst=to))
        return _after(passed, last)

    def local_in(self, source: PortConfig, up: Deliver) -> Effect:
        """br_input.c:br_pass_frame_up, and for link-local frames br_handle_frame."""
        skb = replace(up.skb, packet_type=up.packet_type)
        outcome = self._call("input", up.frame, skb, indev=source, to=up.dev)
        if not isinstance(outcome, Passed):
            return outcome
        why = Why(up.why.rule, merge_refs(up.why.refs, outcome.refs))
        skb = replace(outcome.skb, packet_type=None)
        if why.rule == "promisc-copy":
            skb = replace(skb, connection=None)  # br_netfilter_hooks.c:br_nf_local_in
        return Deliver(up.dev, outcome.frame, up.packet_type, why, skb)

    def leaving(
        self, source: PortConfig | None, inside: Admitted, effects: tuple[Effect, ...]
    ) -> tuple[Effect, ...]:
        """Each copy meets the hooks on its own way out; ``source`` None: the host's own frame."""
        if inside.refs:
            effects = tuple(_because(effect, inside.refs) for effect in effects)
        return tuple(self._copy(source, inside, effect) for effect in effects)

    def _copy(self, source: PortConfig | None, inside: Admitted, effect: Effect) -> Effect:
        if isinstance(effect, Deliver) and source is not None:
            return self.local_in(source, effect)
        if isinstance(effect, Drop) and effect.why.rule == "too-big" and effect.dev and self.nf:
            return self.nf.refused(self.state.ports[effect.dev], inside, effect)
        return self._out(source, effect) if isinstance(effect, Send) else effect

    def _out(self, source: PortConfig | None, sent: Send) -> Effect:
        """br_forward.c:__br_forward, br_forward_finish."""
        port = self.state.ports[sent.dev]
        first = self._first(source, port, sent)
        last = self._last(port, first) if isinstance(first, Passed) else first
        if not isinstance(last, Passed):
            return last
        skb = replace(last.skb, packet_type=None)
        why = Why(sent.why.rule, merge_refs(sent.why.refs, last.refs))
        return Send(sent.dev, last.frame, why, skb)

    def _first(self, source: PortConfig | None, port: PortConfig, sent: Send) -> Passed | Stop:
        call = partial(self._call, indev=source, outdev=port, to=port.id)
        if self.nf is None or source is None:
            return call("forward" if source else "output", sent.frame, sent.skb)
        passed = call("forward", sent.frame, sent.skb, priorities=_BEFORE_NF)
        if isinstance(passed, Passed):
            passed = _after(passed, self.nf.forward(source, port, passed))
        if not isinstance(passed, Passed):
            return passed
        return _after(passed, call("forward", passed.frame, passed.skb, priorities=_AFTER_NF))

    def _last(self, port: PortConfig, first: Passed) -> Passed | Stop:
        called = self._call("postrouting", first.frame, first.skb, outdev=port, to=port.id)
        passed = _after(first, called)
        if self.nf is None or not isinstance(passed, Passed):
            return passed
        return _after(passed, self.nf.postrouting(port, passed))

    def _typed(self, port: PortConfig, frame: Frame, skb: Skb) -> Skb:
        return replace(skb, packet_type=packet_type(self.state, port, frame.dst))

    def _call(
        self,
        hook: Hook,
        frame: Frame,
        skb: Skb,
        *,
        indev: PortConfig | None = None,
        outdev: PortConfig | None = None,
        to: DevId | None = None,
        priorities: range = ANY_PRIORITY,
    ) -> Passed | Stop:
        names = indev.id.name if indev else "", outdev.id.name if outdev else ""
        seen = Seen(
            "bridge",
            hook,
            frame,
            skb,
            *names,
            *names,
            bridge_in=self.state.id.name if indev else "",
            bridge_out=self.state.id.name if outdev else "",
            packet_type=skb.packet_type or "host",
        )
        return self.netfilter.call(self.world, seen, to, priorities)


def _after(passed: Passed, next_: Passed | Stop) -> Passed | Stop:
    """What the next hook says, with the rows of those before."""
    if not isinstance(next_, Passed) or not passed.refs:
        return next_
    return replace(next_, refs=merge_refs(passed.refs, next_.refs))


def _because(effect: Effect, refs: tuple[Ref, ...]) -> Effect:
    """The effect of a frame that filters let in as it is."""
    if not isinstance(effect, Send | Deliver | Drop):
        return effect
    return replace(effect, why=Why(effect.why.rule, merge_refs(effect.why.refs, refs)))


def _seen_by_port(port: PortConfig, frame: Frame) -> PacketType:
    if is_group(frame.dst):
        return "broadcast" if frame.dst == BROADCAST else "multicast"
    return "host" if frame.dst == port.mac else "otherhost"
