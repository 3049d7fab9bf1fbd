"""A VXLAN device sends and receives (drivers/net/vxlan/vxlan_core.c; Linux 6.12).

vxlan_xmit looks the destination up in the device's own table, of which the all-zero address is the
flood list. A remote that is an address of the host itself is not sent to: the frame is received
again at once by the device of that VNI (encap_bypass_if_local). What the underlay does to a packet
between two hosts is not modelled, but for a route that leads into a tunnel: it arrives.

An entry that has moved goes on by the route it used before, until routes change. No table shows
that, so here it does not.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from hopback.datapath.effects import (
    Ask,
    Blind,
    Cross,
    Drop,
    Effect,
    Leave,
    Question,
    Snoop,
    Why,
    World,
)
from hopback.datapath.underlay import Leads, anywhere
from hopback.datapath.vxlan_state import Entry, Refs, Remote, Vxlans, VxlanState
from hopback.frames.ethernet import Frame
from hopback.frames.mac import ZERO, format_mac, is_group
from hopback.network.facts import merge_refs


def transmit(
    vxlans: Vxlans, state: VxlanState, world: World, frame: Frame, leads: Leads = anywhere
) -> tuple[Effect, ...]:
    """What becomes of ``frame`` that leaves by the device: one copy for each remote.

    ``leads`` tells why an outer packet does not get to a remote.
    """
    if state.blind is not None:
        return (Blind(*state.blind),)
    entry, rule = state.fdb.get(frame.dst), "vxlan-known"
    if entry is None:
        asked = _table_question(state, frame)
        if asked is not None and asked.question not in world:
            return (asked,)
        if asked is not None and world[asked.question] == "yes":
            return (Blind("a forwarding entry that the listing given lacks", ()),)
        entry, rule = state.fdb.get(ZERO), "vxlan-flood"
    if entry is None:
        return (_nowhere(state),)
    # vxlan_xmit keeps the frame itself for the first remote, and sends the copies before it.
    remotes = (*entry.remotes[1:], *entry.remotes[:1])
    return tuple(e for remote in remotes for e in _to(vxlans, state, frame, remote, rule, leads))


def _nowhere(state: VxlanState) -> Effect:
    if state.complete:
        return Drop(Why("vxlan-no-remote", state.refs))
    return Leave(state.id, Why("beyond", state.refs))


def _table_question(state: VxlanState, frame: Frame) -> Ask | None:
    """A listing that is not whole does not tell what the table lacks."""
    if state.complete or is_group(frame.dst):
        return None
    text = f"does its table have {format_mac(frame.dst)}, which the listing given lacks?"
    return Ask(Question(state.id, text, ("no", "yes"), "no"))


def _to(
    vxlans: Vxlans, state: VxlanState, frame: Frame, remote: Remote, rule: str, leads: Leads
) -> Iterator[Effect]:
    """To one remote (vxlan_xmit_one)."""
    if remote.dst is None:
        yield Blind("a next-hop group of a VXLAN entry", remote.refs)
        return
    own = vxlans.own(state, remote.dst)
    if own is not None:
        yield from _bypass(vxlans, state, frame, remote, merge_refs(remote.refs, own))
        return
    refused = leads(state, remote)
    if refused is not None:
        yield refused
        return
    there = vxlans.remotes(state, remote)
    if len(there) > 1 and not remote.is_group:
        yield Blind(f"several of the devices given are at {remote.dst}", remote.refs)
        return
    for target in there:
        yield from _arrive(target, state, frame, remote)
    if not there or remote.is_group:
        yield Leave(state.id, Why(rule, remote.refs))


def _bypass(
    vxlans: Vxlans, state: VxlanState, frame: Frame, remote: Remote, refs: Refs
) -> Iterator[Effect]:
    """Straight into the device of that VNI on this host; its learning cannot refuse the frame."""
    target = state if remote.vni in (None, state.vni) else vxlans.at(state, remote.vni)
    if target is None:
        yield Drop(Why("vxlan-no-vni", refs))
        return
    snooped = snoop(target, frame, "::1" if target.v6 else "127.0.0.1")
    if isinstance(snooped, Snoop):
        yield snooped
    yield Cross(target.id, frame, Why("vxlan-local", refs))


def _arrive(
    target: VxlanState, sender: VxlanState, frame: Frame, remote: Remote
) -> Iterator[Effect]:
    """Received by another host's device (vxlan_rcv, vxlan_set_mac)."""
    if frame.src == target.mac:
        yield Drop(Why("vxlan-own-source", target.refs), target.id)
        return
    snooped = snoop(target, frame, sender.local)
    if snooped is not None:
        yield snooped
    if not isinstance(snooped, Drop):
        refs = merge_refs(remote.refs, target.refs)
        yield Cross(target.id, frame, Why("vxlan-remote", refs))


def snoop(state: VxlanState, frame: Frame, outer: str | None) -> Snoop | Drop | None:
    """What the device's table makes of a frame that came from ``outer`` (vxlan_snoop).

    None where it says the same already, or where nothing tells the outer source address.
    """
    if not state.learning or outer is None:
        return None
    if is_group(frame.src) or frame.src == ZERO:
        return Drop(Why("vxlan-source-invalid"), state.id)
    entry = state.fdb.get(frame.src)
    if entry is None:
        return Snoop(state.id, frame.src, outer, None, Why("vxlan-learn-new"))
    before = entry.remotes[0].dst if entry.remotes else None
    if before == outer:
        return None
    if entry.pinned or before is None:
        return Drop(Why("vxlan-pinned", entry.refs), state.id)
    return Snoop(state.id, frame.src, outer, before, Why("vxlan-learn-move", entry.refs))


def learned(entry: Entry | None, snooped: Snoop) -> Entry:
    """The entry after ``snooped``: the address of its first remote follows, its VNI stays."""
    if entry is None or not entry.remotes:
        return Entry((Remote(snooped.remote, refs=snooped.why.refs),))
    first = replace(entry.remotes[0], dst=snooped.remote)
    return replace(entry, remotes=(first, *entry.remotes[1:]))
