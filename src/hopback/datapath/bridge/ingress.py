"""A frame enters a bridge (net/bridge/br_input.c, Linux 6.12), or the host sends one through it.

The order is the kernel's: source test, link-local addresses, port state, locked port, learning,
then forwarding with the host's own copy last.
"""

from hopback.datapath.bridge.forward import (
    flood,
    kind_of,
    pass_up,
    table_question,
    to_members,
    unicast,
)
from hopback.datapath.bridge.learn import applied, learn
from hopback.datapath.bridge.multicast import decide
from hopback.datapath.bridge.state import BridgeState, PortConfig
from hopback.datapath.bridge.vlan import Admitted, admit, learnable
from hopback.datapath.effects import Ask, Blind, Deliver, Drop, Effect, Learn, Send, Why, World
from hopback.frames.ethernet import Frame
from hopback.frames.mac import ZERO, is_group, is_link_local
from hopback.network.facts import DevId

_PAUSE = 0x01
_LLDP = 0x0E
_FORBIDDEN_BRIDGE_BITS = 0x0007
_FORBIDDEN_PORT_BITS = 0x0002


def receive(state: BridgeState, world: World, at: DevId, frame: Frame) -> tuple[Effect, ...]:
    """What becomes of ``frame`` that came in by port ``at`` (br_handle_frame)."""
    unclear = open_issue(state, world)
    if unclear is not None:
        return (unclear,)
    port = state.ports[at]
    if is_group(frame.src) or frame.src == ZERO:
        return (Drop(Why("source-invalid")),)
    if is_link_local(frame.dst):
        kept = _link_local(state, port, frame)
        if kept is not None:
            return kept
    if port.state not in ("learning", "forwarding"):
        return (Drop(Why("state-drop", port.why("state"))),)
    inside = admit(state, port.vlans, frame, forwarding=port.state == "forwarding")
    if isinstance(inside, Why):
        return (Drop(inside),)
    locked = _locked(state, port, inside)
    if locked is not None:
        return (locked,)
    learnt = learn(state, port, frame.src, inside.vid)
    if port.state == "learning" or inside.learn_only:
        refs = port.why("state") + (port.vlans.refs if inside.learn_only else ())
        return (*learnt, Drop(Why("learning-drop", refs)))
    return learnt + _forward(_after(state, learnt, frame), world, port, inside)


def _after(state: BridgeState, learnt: tuple[Effect, ...], frame: Frame) -> BridgeState:
    """The table that the lookup sees: a frame to its own source finds what it has just taught."""
    for effect in learnt:
        if isinstance(effect, Learn) and effect.mac == frame.dst:
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


def _link_local(state: BridgeState, port: PortConfig, frame: Frame) -> tuple[Effect, ...] | None:
    """Link-local frames stay on the port, but teach the table; None: forwarded like any other."""
    last = frame.dst & 0x0F
    if last == _PAUSE:
        return (Drop(Why("pause-dropped")),)
    mask = state.group_fwd_mask & ~_FORBIDDEN_BRIDGE_BITS
    if last == _LLDP and not state.kernel.lldp_forwardable:
        mask = 0
    if state.kernel.port_group_fwd_mask:
        mask |= port.group_fwd_mask & ~_FORBIDDEN_PORT_BITS
    if mask >> last & 1 or (last == 0 and not state.stp):
        return None
    learnt: tuple[Effect, ...] = ()
    vid = learnable(state, port.vlans, frame)
    if port.state in ("learning", "forwarding") and vid is not None:
        learnt = learn(state, port, frame.src, vid)
    return (*learnt, Deliver(port.id, frame, "multicast", Why("link-local-up")))


def _locked(state: BridgeState, port: PortConfig, inside: Admitted) -> Drop | None:
    if not port.locked or not state.kernel.locked:
        return None
    entry = state.fdb.get((inside.frame.src, inside.vid))
    if entry is not None and entry.port == port.id and not entry.local:
        return None
    return Drop(Why("locked-drop", port.why("locked") + (entry.refs if entry else ())))


def _forward(
    state: BridgeState, world: World, port: PortConfig, inside: Admitted
) -> tuple[Effect, ...]:
    """br_handle_frame_finish from the lookup on."""
    if kind_of(inside.frame.dst) != "unicast":
        return _group(state, world, port, inside)
    entry = state.fdb.get((inside.frame.dst, inside.vid))
    if entry is None:
        return _unknown(state, world, port, inside)
    if entry.local:
        return (pass_up(state, port, inside, "local-unicast", entry.refs),)
    return unicast(state, port, inside, entry)


def _unknown(
    state: BridgeState, world: World, port: PortConfig | None, inside: Admitted
) -> tuple[Effect, ...]:
    """A unicast that the table does not know is flooded, if the table is known to lack it."""
    asked = table_question(state, inside.frame.dst)
    if asked is not None:
        if asked.question not in world:
            return (asked,)
        if world[asked.question] == "yes":
            return (Blind("a forwarding entry that the listing given lacks", ()),)
    return flood(state, port, inside)


def _group(
    state: BridgeState, world: World, port: PortConfig | None, inside: Admitted
) -> tuple[Effect, ...]:
    """A broadcast or multicast: to the members that snooping knows, or to everybody."""
    pruned = None
    if kind_of(inside.frame.dst) == "multicast":
        pruned = decide(state, world, inside)
    if isinstance(pruned, Drop | Ask | Blind):
        return (pruned,)
    copies = (
        flood(state, port, inside) if pruned is None else to_members(state, port, inside, pruned)
    )
    if port is None:
        return copies
    if pruned is not None and not pruned.host:
        return (*copies, Drop(Why("not-member", pruned.refs), state.id))
    return (*copies, pass_up(state, port, inside, "local-group"))


def transmit(state: BridgeState, world: World, frame: Frame) -> tuple[Effect, ...]:
    """The host sends ``frame`` through the bridge device (br_device.c:br_dev_xmit).

    Nothing is learned from it, and isolation does not concern it.
    """
    unclear = open_issue(state, world)
    if unclear is not None:
        return (unclear,)
    inside = admit(state, state.vlans, frame)
    if isinstance(inside, Why):
        return (Drop(inside),)
    if kind_of(frame.dst) != "unicast":
        return _group(state, world, None, inside)
    entry = state.fdb.get((frame.dst, inside.vid))
    if entry is None:
        return _unknown(state, world, None, inside)
    effects = unicast(state, None, inside, entry)
    if not entry.local:
        return effects
    return tuple(
        Send(e.dev, e.frame, Why("host-to-port-address", e.why.refs)) if isinstance(e, Send) else e
        for e in effects
    )
