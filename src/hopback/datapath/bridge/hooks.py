"""Where a bridge calls the packet filters (NF_BR_*, net/bridge/br_input.c, br_forward.c; 6.12)."""

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.bridge.forward import packet_type
from hopback.datapath.bridge.state import BridgeState, PortConfig
from hopback.datapath.effects import Ask, Blind, Deliver, Drop, Effect, Send, Why, World
from hopback.datapath.netfilter.hooks import Netfilter, Stop
from hopback.datapath.netfilter.packet import Passed, Seen
from hopback.datapath.skb import PacketType, Skb
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, is_group
from hopback.network.facts import DevId, merge_refs
from hopback.snapshot.rows import Hook


class Hooks(Struct, frozen=True):
    """The filters of the namespace of the bridge ``state``."""

    netfilter: Netfilter
    state: BridgeState
    world: World

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
        return self._call("prerouting", frame, self._typed(port, frame, skb), indev=port)

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

    def leaving(self, source: PortConfig | None, effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
        """Each copy meets the hooks on its own way out; ``source`` None: the host's own frame."""
        return tuple(self._copy(source, effect) for effect in effects)

    def _copy(self, source: PortConfig | None, effect: Effect) -> Effect:
        if isinstance(effect, Deliver) and source is not None:
            return self.local_in(source, effect)
        return self._out(source, effect) if isinstance(effect, Send) else effect

    def _out(self, source: PortConfig | None, sent: Send) -> Effect:
        """br_forward.c:__br_forward, br_forward_finish."""
        port = self.state.ports[sent.dev]
        hook: Hook = "forward" if source else "output"
        first = self._call(hook, sent.frame, sent.skb, indev=source, outdev=port, to=port.id)
        if not isinstance(first, Passed):
            return first
        last = self._call("postrouting", first.frame, first.skb, outdev=port, to=port.id)
        if not isinstance(last, Passed):
            return last
        refs = merge_refs(sent.why.refs, first.refs, last.refs)
        skb = replace(last.skb, packet_type=None)
        return Send(sent.dev, last.frame, Why(sent.why.rule, refs), skb)

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
        return self.netfilter.call(self.world, seen, to)


def _seen_by_port(port: PortConfig, frame: Frame) -> PacketType:
    if is_group(frame.dst):
        return "broadcast" if frame.dst == BROADCAST else "multicast"
    return "host" if frame.dst == port.mac else "otherhost"
