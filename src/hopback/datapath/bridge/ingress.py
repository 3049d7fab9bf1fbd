"""A frame enters a bridge (net/bridge/br_input.c, Linux 6.12), or the host sends one through it.

The order is the kernel's: source test, link-local addresses, port state, locked port, learning,
then forwarding with the host's own copy last.
"""

from msgspec.structs import replace

from hopback.datapath.bridge.forward import (
    flood,
    kind_of,
    pass_up,
    table_question,
    to_members,
    unicast,
)
from hopback.datapath.bridge.hooks import Hooks
from hopback.datapath.bridge.learn import applied, learn
from hopback.datapath.bridge.multicast import decide
from hopback.datapath.bridge.state import BridgeState, PortConfig
from hopback.datapath.bridge.suppress import Answer, answer
from hopback.datapath.bridge.vlan import Admitted, admit, learnable
from hopback.datapath.effects import Ask, Blind, Deliver, Drop, Effect, Learn, Send, Why, World
from hopback.datapath.netfilter.packet import Passed
from hopback.datapath.skb import FRESH, Skb
from hopback.frames.ethernet import DOT1AD, Frame
from hopback.frames.mac import ZERO, is_group, is_link_local
from hopback.network.facts import DevId

_PAUSE = 0x01
_LLDP = 0x0E
_FORBIDDEN_BRIDGE_BITS = 0x0007
_FORBIDDEN_PORT_BITS = 0x0002
_PROVIDER_BITS = 0xB801  # BR_GROUPFWD_8021AD


def receive(
    state: BridgeState,
    world: World,
    at: DevId,
    frame: Frame,
    skb: Skb = FRESH,
    hooks: Hooks | None = None,
) -> tuple[Effect, ...]:
    """What becomes of ``frame`` that came in by port ``at`` (br_handle_frame).

    ``hooks`` are the packet filters, None where there are none.
    """
    unclear = open_issue(state, world)
    if unclear is not None:
        return (unclear,)
    port = state.ports[at]
    if is_group(frame.src) or frame.src == ZERO:
        return (Drop(Why("source-invalid")),)
    if is_link_local(frame.dst):
        kept = _link_local(state, port, frame, skb, hooks)
        if kept is not None:
            return kept
    if port.state not in ("learning", "forwarding"):
        return (Drop(Why("state-drop", port.why("state"))),)
    if hooks is None:
        return _finish(state, world, port, Passed(frame, skb), None)
    brouted = hooks.broute(port, frame, skb)
    if brouted is not None:
        return (brouted,)
    passed = hooks.prerouting(port, frame, skb)
    if not isinstance(passed, Passed):
        return (passed,)
    return _finish(state, world, port, passed, hooks)


def _finish(
    state: BridgeState, world: World, port: PortConfig, passed: Passed, hooks: Hooks | None
) -> tuple[Effect, ...]:
    """What becomes of a frame that the filters let in (br_handle_frame_finish)."""
    frame, skb = passed.frame, passed.skb
    inside = admit(state, port.vlans, frame, skb, forwarding=port.state == "forwarding")
    if isinstance(inside, Why):
        return (Drop(inside),)
    locked = _locked(state, port, inside)
    if locked is not None:
        return locked
    learnt = learn(state, port, frame.src, inside.vid)
    if port.state == "learning" or inside.learn_only:
        refs = port.why("state") + (port.vlans.refs if inside.learn_only else ())
        return (*learnt, Drop(Why("learning-drop", refs)))
    inside = inside._replace(refs=passed.refs)
    return learnt + _forward(_after(state, learnt, frame), world, port, inside, hooks)


def _after(state: BridgeState, learnt: tuple[Effect, ...], frame: Frame) -> BridgeState:
    """The table that the lookup sees: a frame to its own source finds what it has just taught."""
    for effect in learnt:
        if isinstance(effect, Learn) and (effect.mac == frame.dst or state.hosts):
            return applied(state, effect)
    return state


def open_issue(state: BridgeState, world: World) -> Ask | Blind | None:
    """What has to be known before this bridge can be evaluated."""
    if state.blind is not None:
        return Blind(*state.blind)
    if state.question is None:
        return None
    answer = world.get(state.question)
    if answer is None:
        return Ask(state.question)
    if answer != state.question.default:
        return Blind("port flags that no listing shows", ())
    return None


def _link_local(
    state: BridgeState, port: PortConfig, frame: Frame, skb: Skb, hooks: Hooks | None
) -> tuple[Effect, ...] | None:
    """Link-local frames stay on the port, but teach the table; None: forwarded like any other."""
    last = frame.dst & 0x0F
    if last == _PAUSE:
        return (Drop(Why("pause-dropped")),)
    mask = state.group_fwd_mask & ~_FORBIDDEN_BRIDGE_BITS
    if last == _LLDP and not state.kernel.lldp_forwardable:
        mask = 0
    if state.vlan_filtering and state.vlan_protocol == DOT1AD:
        mask |= _PROVIDER_BITS  # a provider bridge's customers run these between themselves
    if state.kernel.port_group_fwd_mask:
        mask |= port.group_fwd_mask & ~_FORBIDDEN_PORT_BITS
    if mask >> last & 1 or (last == 0 and not state.stp):
        return None
    up = Deliver(port.id, frame, "multicast", Why("link-local-up"), skb)
    if hooks is not None and last not in (0, _LLDP):
        heard = hooks.local_in(port, up)
        if not isinstance(heard, Deliver):
            return (heard,)
        up = heard
    learnt: tuple[Effect, ...] = ()
    vid = learnable(state, port.vlans, up.frame)
    if port.state in ("learning", "forwarding") and vid is not None:
        learnt = learn(state, port, up.frame.src, vid)
    return (*learnt, up)


def _locked(state: BridgeState, port: PortConfig, inside: Admitted) -> tuple[Effect, ...] | None:
    """Why a locked port does not let the frame in; with MAB an unknown source is entered."""
    if not port.locked or not state.kernel.locked:
        return None
    source, vid = inside.frame.src, inside.vid
    entry = state.fdb.get((source, vid))
    if entry is not None and entry.port == port.id and not (entry.local or entry.locked):
        return None
    drop = Drop(Why("locked-drop", port.why("locked") + (entry.refs if entry else ())))
    if entry is None and port.mab and state.kernel.mab and state.learns:
        why = Why("mab", port.why("mab"))
        return Learn(state.id, source, vid, port.id, None, why, locked=True), drop
    return (drop,)


def _forward(
    state: BridgeState, world: World, port: PortConfig, inside: Admitted, hooks: Hooks | None
) -> tuple[Effect, ...]:
    """br_handle_frame_finish from neighbour suppression on."""
    answered = answer(state, world, port, inside)
    if isinstance(answered, Ask | Blind):
        return (answered,)
    copies = _copies(state, world, port, inside, answered)
    return answered.replies + (hooks.leaving(port, inside, copies) if hooks else copies)


def _copies(
    state: BridgeState, world: World, port: PortConfig, inside: Admitted, answered: Answer
) -> tuple[Effect, ...]:
    """The copies that go out, the host's own last."""
    if kind_of(inside.frame.dst) != "unicast":
        return _group(state, world, port, inside, answered)
    entry = state.fdb.get((inside.frame.dst, inside.vid))
    if entry is not None and entry.local:
        return (pass_up(state, port, inside, "local-unicast", entry.refs),)
    if entry is None:
        sent = _unknown(state, world, port, inside, answered)
    else:
        sent = unicast(state, port, inside, entry)
    if state.promisc is not None and not isinstance(sent[0], Ask | Blind):
        sent = (*sent, pass_up(state, port, inside, "promisc-copy", state.promisc))
    return sent


def _unknown(
    state: BridgeState, world: World, port: PortConfig | None, inside: Admitted, answered: Answer
) -> tuple[Effect, ...]:
    """A unicast that the table does not know is flooded, if the table is known to lack it."""
    asked = table_question(state, inside.frame.dst)
    if asked is not None:
        if asked.question not in world:
            return (asked,)
        if world[asked.question] == "yes":
            return (Blind("a forwarding entry that the listing given lacks", ()),)
    return flood(state, port, inside, answered.refs if answered.marked else None)


def _group(
    state: BridgeState, world: World, port: PortConfig | None, inside: Admitted, answered: Answer
) -> tuple[Effect, ...]:
    """A broadcast or multicast: to the members that snooping knows, or to everybody."""
    pruned = None
    if kind_of(inside.frame.dst) == "multicast":
        pruned = decide(state, world, inside)
    if isinstance(pruned, Drop | Ask | Blind):
        return (pruned,)
    if pruned is None:
        copies = flood(state, port, inside, answered.refs if answered.marked else None)
    else:
        copies = to_members(state, port, inside, pruned)
    if port is None:
        return copies
    if pruned is None or pruned.host:
        return (*copies, pass_up(state, port, inside, "local-group"))
    if state.promisc is not None:
        return (*copies, pass_up(state, port, inside, "promisc-copy", state.promisc))
    return (*copies, Drop(Why("not-member", pruned.refs), state.id))


def transmit(
    state: BridgeState, world: World, frame: Frame, skb: Skb = FRESH, hooks: Hooks | None = None
) -> tuple[Effect, ...]:
    """The host sends ``frame`` through the bridge device (br_device.c:br_dev_xmit).

    Nothing is learned from it, and isolation does not concern it.
    """
    unclear = open_issue(state, world)
    if unclear is not None:
        return (unclear,)
    inside = admit(state, state.vlans, frame, skb)
    if isinstance(inside, Why):
        return (Drop(inside),)
    answered = answer(state, world, None, inside)
    if isinstance(answered, Ask | Blind):
        return (answered,)
    first: tuple[Effect, ...] = answered.replies
    if answered.resent is not None:
        first = transmit(state, world, answered.resent, hooks=hooks)
    copies = _send(state, world, inside, answered)
    return first + (hooks.leaving(None, inside, copies) if hooks else copies)


def _send(
    state: BridgeState, world: World, inside: Admitted, answered: Answer
) -> tuple[Effect, ...]:
    frame = inside.frame
    if kind_of(frame.dst) != "unicast":
        return _group(state, world, None, inside, answered)
    entry = state.fdb.get((frame.dst, inside.vid))
    if entry is None:
        return _unknown(state, world, None, inside, answered)
    effects = unicast(state, None, inside, entry)
    if not entry.local:
        return effects
    return tuple(
        replace(e, why=Why("host-to-port-address", e.why.refs)) if isinstance(e, Send) else e
        for e in effects
    )
