"""Where a bridge sends a frame (net/bridge/br_forward.c, br_device.c; Linux 6.12)."""

from hopback.datapath.bridge.multicast import Pruned
from hopback.datapath.bridge.state import BridgeState, FdbEntry, PortConfig
from hopback.datapath.bridge.vlan import Admitted, emit
from hopback.datapath.effects import Ask, Deliver, Drop, Effect, Question, Send, Why
from hopback.datapath.size import fits, length
from hopback.datapath.skb import PacketType, Skb
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, Mac, format_mac, is_group
from hopback.network.facts import Ref, merge_refs

_FLOOD_FLAG = {"unicast": "flood", "multicast": "mcast_flood", "broadcast": "bcast_flood"}


def kind_of(destination: Mac) -> str:
    """The packet type by which a frame is flooded (enum br_pkt_type)."""
    if destination == BROADCAST:
        return "broadcast"
    return "multicast" if is_group(destination) else "unicast"


def refusal(
    state: BridgeState, port: PortConfig, source: PortConfig | None, *, flooding: bool
) -> Why | None:
    """Why ``port`` may not send a frame that came in by ``source`` (None: the host's own).

    br_forward.c:should_deliver.
    """
    if source is not None and port.id == source.id and not port.hairpin:
        return Why("same-port", () if flooding else port.why("hairpin"))
    if port.state != "forwarding":
        return Why("egress-state", port.why("state"))
    if source is not None and source.isolated and port.isolated and state.kernel.isolated:
        return Why("isolated", source.why("isolated") + port.why("isolated"))
    return None


def flood(
    state: BridgeState,
    source: PortConfig | None,
    inside: Admitted,
    answered: tuple[Ref, ...] | None = None,
) -> tuple[Effect, ...]:
    """Every port that takes a copy, newest port first (br_flood walks the list from its head).

    ``answered`` are the rows by which suppressing ports do without it, None if they do not.
    """
    kind = kind_of(inside.frame.dst)
    size = length(inside.frame)
    effects: list[Effect] = []
    for port in reversed(tuple(state.ports.values())):
        off = _not_flooded(state, port, kind, from_host=source is None)
        off = off or _suppressed(port, answered)
        refused = off or refusal(state, port, source, flooding=True)
        frame = emit(state, port.vlans, inside)
        if refused is None and frame is not None:
            looped = source is not None and port.id == source.id
            why = Why("hairpin", port.why("hairpin")) if looped else Why("flood")
            effects.append(_leave(port, frame, size, why, inside.skb))
        elif refused is None or refused.rule != "same-port":
            effects.append(Drop(refused or Why("vlan-egress", port.vlans.refs), port.id))
    if all(isinstance(e, Drop) and e.why.rule != "too-big" for e in effects) and kind == "unicast":
        effects.append(Drop(Why("no-port")))
    return tuple(effects)


def to_members(
    state: BridgeState, source: PortConfig | None, inside: Admitted, pruned: Pruned
) -> tuple[Effect, ...]:
    """A copy to each member and router port, whatever it floods (br_multicast_flood).

    The kernel's order is that of the ports' places in memory; here it is that of a flood.
    """
    effects: list[Effect] = []
    size = length(inside.frame)
    for port in reversed(tuple(state.ports.values())):
        refused = refusal(state, port, source, flooding=True)
        frame = emit(state, port.vlans, inside)
        if port.id not in pruned.ports:
            if source is None or port.id != source.id:
                effects.append(Drop(Why("not-member", pruned.refs), port.id))
        elif refused is None and frame is not None:
            why = Why("member", pruned.ports[port.id])
            effects.append(_leave(port, frame, size, why, inside.skb))
        elif refused is None or refused.rule != "same-port":
            effects.append(Drop(refused or Why("vlan-egress", port.vlans.refs), port.id))
    return tuple(effects)


def _not_flooded(state: BridgeState, port: PortConfig, kind: str, *, from_host: bool) -> Why | None:
    """mcast_flood and bcast_flood are waived for the host's own frames, flood is not."""
    flag = _FLOOD_FLAG[kind]
    if flag == "bcast_flood" and not state.kernel.bcast_flood:
        flag = "mcast_flood"
    waived = from_host and kind != "unicast"
    if not getattr(port, flag) and not waived:
        return Why("flood-off", port.why(flag))
    if port.proxyarp:
        return Why("flood-off", port.why("proxyarp"))
    return None


def _suppressed(port: PortConfig, answered: tuple[Ref, ...] | None) -> Why | None:
    if answered is None or not (port.neigh_suppress or port.proxyarp_wifi):
        return None
    flag = "neigh_suppress" if port.neigh_suppress else "proxyarp_wifi"
    return Why("suppressed", merge_refs(port.why(flag), answered))


def unicast(
    state: BridgeState, source: PortConfig | None, inside: Admitted, entry: FdbEntry
) -> tuple[Effect, ...]:
    """Out of the one port that the table names (br_forward)."""
    if entry.port is None:
        return (Drop(Why("host-to-nowhere", entry.refs)),)
    port = state.ports[entry.port]
    rule, refs = "fdb-hit", entry.refs
    backup = state.ports.get(port.backup) if port.backup else None
    if backup is not None and not port.carrier and state.kernel.backup_port:
        rule, refs = "backup-port", refs + port.why("carrier") + port.why("backup")
        port = backup
    refused = refusal(state, port, source, flooding=False)
    if refused is not None:
        return (Drop(Why(refused.rule, refs + refused.refs), port.id),)
    frame = emit(state, port.vlans, inside)
    if frame is None:
        return (Drop(Why("vlan-egress", refs + port.vlans.refs), port.id),)
    if source is not None and source.id == port.id:
        rule, refs = "hairpin", refs + port.why("hairpin")
    why = Why(rule, refs)
    return (_leave(port, frame, length(inside.frame), why, inside.skb),)


def _leave(port: PortConfig, frame: Frame, size: int, why: Why, skb: Skb) -> Send | Drop:
    """Out of ``port``, if the frame is not too big for it (is_skb_forwardable)."""
    if not fits(size, port.mtu):
        return Drop(Why("too-big", why.refs + port.why("mtu")), port.id)
    return Send(port.id, frame, why, skb)


def pass_up(
    state: BridgeState,
    source: PortConfig,
    inside: Admitted,
    rule: str,
    refs: tuple[Ref, ...] = (),
) -> Deliver | Drop:
    """Up the stack on the bridge device (br_pass_frame_up), which has VLANs like a port.

    The packet type is the ingress port's view.
    """
    frame = emit(state, state.vlans, inside)
    if frame is None and state.promisc is not None and inside.vid not in state.vlans.vlans:
        frame = inside.frame  # somebody may be capturing
    if frame is None:
        return Drop(Why("vlan-local", state.vlans.refs), state.id)
    type_ = inside.skb.packet_type or packet_type(state, source, frame.dst)
    return Deliver(state.id, frame, type_, Why(rule, refs), inside.skb)


def packet_type(state: BridgeState, source: PortConfig, destination: Mac) -> PacketType:
    """eth_type_trans on the port, corrected for the bridge's own address and for nothing else."""
    if destination == BROADCAST:
        return "broadcast"
    if is_group(destination):
        return "multicast"
    return "host" if destination in (source.mac, state.mac) else "otherhost"


def table_question(state: BridgeState, destination: Mac) -> Ask | None:
    """A listing that was filtered does not tell what the table lacks."""
    if state.table_complete:
        return None
    text = f"does its table have {format_mac(destination)}, which the listing given lacks?"
    return Ask(Question(state.id, text, ("no", "yes"), "no"))
