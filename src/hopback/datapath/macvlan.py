"""macvlan and macvtap (drivers/net/macvlan.c:macvlan_handle_frame, macvlan_queue_xmit; Linux 6.12).

The children of one lower device see a frame before that device's own stack does. Which of them gets
a group frame depends on the mode of the child whose address is its source: a frame that comes back
finds its sender's siblings, its sender alone, or nobody. What children joined is in no table, so a
child is taken to hear every group; that of mode source, what its list of senders lets in.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.effects import (
    Ask,
    Blind,
    Cross,
    Deliver,
    Drop,
    Effect,
    Question,
    Send,
    Why,
    World,
)
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, Mac, is_group
from hopback.network.facts import DevId, Ref, Told, latest, merge_refs
from hopback.network.model import Network
from hopback.snapshot.rows import GuestNic, Link

PRIVATE, VEPA, BRIDGE, PASSTHRU, SOURCE = "private", "vepa", "bridge", "passthru", "source"

_ETH_P_PAUSE = 0x8808
_LIBVIRT = {"passthrough": PASSTHRU}


class Child(Struct, frozen=True):
    """A macvlan or macvtap, or a guest's NIC that libvirt joins to ``lower`` by one.

    ``mode`` is None where no listing tells it.
    """

    id: DevId
    lower: DevId
    mac: Mac | None = None
    mode: str | None = None
    up: bool = True
    refs: tuple[Ref, ...] = ()


class Macvlans(Struct, frozen=True):
    """All children, by themselves and by the device below them, in the order they were listed."""

    by_id: Mapping[DevId, Child] = MappingProxyType({})
    by_lower: Mapping[DevId, tuple[Child, ...]] = MappingProxyType({})


def macvlans_of(network: Network) -> Macvlans:
    """The children of which some listing tells the device below."""
    found = dict(_defined(network))
    for child in _linked(network):
        known = found.get(child.id)
        found[child.id] = _joined(child, known) if known else child
    below: dict[DevId, tuple[Child, ...]] = {}
    for child in found.values():
        below[child.lower] = (*below.get(child.lower, ()), child)
    return Macvlans(MappingProxyType(found), MappingProxyType(below))


def _linked(network: Network) -> Iterator[Child]:
    rows: dict[DevId, list[Told[Link]]] = {}
    index: dict[tuple[str, str, int | None], DevId] = {}
    for host, snapshot in network.snapshots.items():
        for row in snapshot.links.rows:
            id_ = DevId(host, row.netns, row.name)
            index[host, row.netns, row.index] = id_
            rows.setdefault(id_, []).append(Told(host, row))
    for id_, told in rows.items():
        kind = latest(told, lambda row: row.kind)
        lower = next((below for t in told if (below := _lower(t, index))), None)
        if kind is None or kind.value not in ("macvlan", "macvtap") or lower is None:
            continue
        mac = latest(told, lambda row: row.mac)
        mode = latest(told, lambda row: row.macvlan_mode)
        up = latest(told, lambda row: row.up)
        yield Child(
            id=id_,
            lower=lower,
            mac=mac.value if mac else None,
            mode=mode.value if mode else None,
            up=up is None or up.value,
            refs=merge_refs(*(fact.refs for fact in (kind, mac, mode) if fact)),
        )


def _lower(told: Told[Link], index: Mapping[tuple[str, str, int | None], DevId]) -> DevId | None:
    """The device below, which may be in another namespace; None if that one is not known."""
    row = told.row
    if row.lower_netnsid is not None and row.peer_netns is None:
        return None
    netns = row.netns if row.peer_netns is None else row.peer_netns
    if row.lower:
        return DevId(told.host, netns, row.lower)
    return index.get((told.host, netns, row.lower_index)) if row.lower_index else None


def _defined(network: Network) -> Iterator[tuple[DevId, Child]]:
    """Guests' NICs of libvirt's type direct; the macvtap itself need not have been listed."""
    for host, snapshot in network.snapshots.items():
        for nic in snapshot.guest_nics.rows:
            if nic.source_kind == "direct" and nic.source and nic.target:
                child = _nic(host, nic)
                yield child.id, child


def _nic(host: str, nic: GuestNic) -> Child:
    id_ = DevId(host, nic.netns, nic.target or "")
    mode = _LIBVIRT.get(nic.source_mode or "", nic.source_mode)
    lower = id_._replace(name=nic.source or "")
    return Child(id_, lower, nic.mac, mode, refs=(Ref(host, nic.cite),))


def _joined(child: Child, defined: Child) -> Child:
    """What the device's listing does not tell, its definition does."""
    return replace(
        child,
        mac=defined.mac if child.mac is None else child.mac,
        mode=child.mode or defined.mode,
        refs=merge_refs(child.refs, defined.refs),
    )


def receive(children: Sequence[Child], world: World, below: Deliver) -> tuple[Effect, ...]:
    """What becomes of the frame that the lower device was about to take, ``below``."""
    known = _settled(children, world)
    if not isinstance(known, tuple):
        return (known,)
    frame = below.frame
    # A child that is down is not in the lower device's table (macvlan_stop).
    listed = tuple(child for child in known if child.up)
    if is_group(frame.dst):
        return _group(listed, below)
    for child in known:
        if child.mode == PASSTHRU:
            why = Why("macvlan-passthru", child.refs)
            return (Cross(child.id, frame, why) if child.up else Drop(why, child.id),)
    for child in listed:
        if child.mac == frame.dst:
            return (Cross(child.id, frame, Why("macvlan-unicast", child.refs)),)
    return (replace(below, why=Why("macvlan-pass")),)


def overheard(
    children: Sequence[Child], bridge: DevId, effects: Sequence[Effect], frame: Frame
) -> tuple[Deliver, ...]:
    """What ``bridge`` hands up because of ``children`` on it, beside what it does with ``frame``.

    It knows their addresses from none of its tables, but they make it promiscuous
    (net/core/dev.c:__dev_set_rx_mode), so it hands up all it forwards.
    """
    wanted = any(c.up and (c.mode == PASSTHRU or c.mac == frame.dst) for c in children)
    up = any(isinstance(e, Deliver) and e.dev == bridge for e in effects)
    if not wanted or up or not any(_is_forwarding(effect) for effect in effects):
        return ()
    return (Deliver(bridge, frame, "otherhost", Why("station")),)


def _is_forwarding(effect: Effect) -> bool:
    """Whether the bridge had come so far; what is dropped before names no port."""
    if isinstance(effect, Drop):
        return effect.dev is not None or effect.why.rule == "no-port"
    return isinstance(effect, Send)


def _group(listed: Sequence[Child], below: Deliver) -> tuple[Effect, ...]:
    frame = below.frame
    sender = next((child for child in listed if child.mac == frame.src), None)
    if sender is not None and sender.mode in (PRIVATE, PASSTHRU):
        return (Cross(sender.id, frame, Why("macvlan-own-back", sender.refs)),)
    if sender is None:
        copies = _copies(listed, frame, (PRIVATE, VEPA, PASSTHRU, BRIDGE), None, "macvlan-group")
    elif sender.mode == VEPA:
        copies = _copies(listed, frame, (VEPA, BRIDGE), sender, "macvlan-own-vepa")
    else:
        copies = _copies(listed, frame, (VEPA,), sender, "macvlan-own-bridge")
    return (*copies, replace(below, why=Why("macvlan-pass")))


def _copies(
    listed: Sequence[Child], frame: Frame, modes: Sequence[str], sender: Child | None, rule: str
) -> Iterator[Cross]:
    """One for each child of these modes but the sender (macvlan_broadcast)."""
    if frame.ethertype == _ETH_P_PAUSE:
        return
    from_whom = sender.refs if sender else ()
    for child in listed:
        if child is not sender and child.mode in modes:
            yield Cross(child.id, frame, Why(rule, merge_refs(from_whom, child.refs)))


def transmit(macvlans: Macvlans, world: World, child: Child, frame: Frame) -> tuple[Effect, ...]:
    """A child sends: in mode bridge to its siblings of that mode at once, else by the lower."""
    known = _settled(macvlans.by_lower[child.lower], world)
    if not isinstance(known, tuple):
        return (known,)
    child = next(c for c in known if c.id == child.id)
    listed = tuple(c for c in known if c.up)
    out = Send(child.lower, frame, Why("macvlan-out", child.refs))
    if child.mode != BRIDGE:
        return (out,)
    if is_group(frame.dst):
        return (*_copies(listed, frame, (BRIDGE,), child, "macvlan-copy"), out)
    for sibling in listed:
        if sibling.mac == frame.dst and sibling.mode == BRIDGE:
            refs = merge_refs(child.refs, sibling.refs)
            return (Cross(child.lower, frame, Why("macvlan-sibling", refs)),)
    return (out,)


def delivered(child: Child, frame: Frame) -> Deliver:
    """Up at the child itself: what was passed to it counts as addressed to it."""
    why = Why("station", child.refs)
    if frame.dst == BROADCAST:
        return Deliver(child.id, frame, "broadcast", why)
    return Deliver(child.id, frame, "multicast" if is_group(frame.dst) else "host", why)


def _settled(children: Sequence[Child], world: World) -> tuple[Child, ...] | Ask | Blind:
    """The children with their modes known, or what stands in the way."""
    known: list[Child] = []
    for child in children:
        if child.mode == SOURCE:
            return Blind(f"{child.id.name} is a macvlan of mode source", child.refs)
        question = _mode_question(child)
        if child.mode is None and question not in world:
            return Ask(question)
        known.append(child if child.mode else replace(child, mode=world[question]))
    return tuple(known)


def _mode_question(child: Child) -> Question:
    """Without a word the kernel makes it vepa (macvlan_common_newlink)."""
    answers = (VEPA, BRIDGE, PRIVATE, PASSTHRU)
    return Question(child.id, "which mode has this macvlan?", answers, VEPA)
