"""VLAN filtering (net/bridge/br_vlan.c, Linux 6.12).

Inside a filtering bridge every frame has a VLAN: the one of its outer tag, if that is of the
bridge's protocol, else the PVID of the port it came in by. It is tagged on the way, and a port
where the VLAN is untagged takes the tag off again.
"""

from typing import NamedTuple

from msgspec.structs import replace

from hopback.datapath.bridge.state import BridgeState, VlanGroup
from hopback.datapath.effects import Why
from hopback.datapath.skb import FRESH, Skb
from hopback.frames.ethernet import Frame, Vlan
from hopback.network.facts import Ref


class Admitted(NamedTuple):
    """A frame inside the bridge. ``learn_only``: its VLAN is in state learning on the port.

    ``skb`` is what travels beside it, ``refs`` are the rows of filters that let it in so.
    """

    vid: int
    frame: Frame
    learn_only: bool = False
    skb: Skb = FRESH
    refs: tuple[Ref, ...] = ()


def admit(
    state: BridgeState,
    group: VlanGroup,
    frame: Frame,
    skb: Skb = FRESH,
    *,
    forwarding: bool = True,
) -> Admitted | Why:
    """Let ``frame`` in by a port (or the bridge device) with the VLANs ``group``, or say why not.

    ``__allowed_ingress``. The state that a VLAN has on the port counts only where the port itself
    is ``forwarding``.
    """
    if not state.vlan_filtering:
        return Admitted(0, frame, skb=skb)
    vid = vid_of(state, group, frame)
    vlan_state = group.vlans.get(vid)
    usable = vlan_state in ("learning", "forwarding") or not forwarding
    if vlan_state is None or not usable:
        return Why("vlan-ingress", group.refs)
    learn_only = forwarding and vlan_state == "learning"
    return Admitted(vid, _tagged(state, frame, vid), learn_only, skb)


def learnable(state: BridgeState, group: VlanGroup, frame: Frame) -> int | None:
    """The VLAN in which a link-local frame teaches its source (br_should_learn); None: in none."""
    if not state.vlan_filtering:
        return 0
    vid = vid_of(state, group, frame)
    return vid if group.vlans.get(vid) in ("learning", "forwarding") else None


def vid_of(state: BridgeState, group: VlanGroup, frame: Frame) -> int:
    """The VLAN of a frame: its outer tag's, or the PVID (0 if there is none)."""
    tag = _outer(state, frame)
    return tag.vid if tag and tag.vid else group.pvid


def emit(state: BridgeState, group: VlanGroup, admitted: Admitted) -> Frame | None:
    """The frame as it leaves by a port with these VLANs; None if its VLAN may not.

    ``br_allowed_egress`` and ``br_handle_vlan``.
    """
    if not state.vlan_filtering:
        return admitted.frame
    if group.vlans.get(admitted.vid) != "forwarding":
        return None
    if admitted.vid in group.untagged:
        return replace(admitted.frame, tags=admitted.frame.tags[1:])
    return admitted.frame


def _outer(state: BridgeState, frame: Frame) -> Vlan | None:
    """The tag that the bridge looks at: the outer one, if it is of the bridge's protocol."""
    if frame.tags and frame.tags[0].tpid == state.vlan_protocol:
        return frame.tags[0]
    return None


def _tagged(state: BridgeState, frame: Frame, vid: int) -> Frame:
    """The frame with ``vid`` in its outer tag; a priority tag keeps its priority."""
    tag = _outer(state, frame)
    if tag is None:
        return replace(frame, tags=(Vlan(vid, tpid=state.vlan_protocol), *frame.tags))
    if tag.vid == vid:
        return frame
    return replace(frame, tags=(replace(tag, vid=vid), *frame.tags[1:]))
