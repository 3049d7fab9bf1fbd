"""Where the outer packets of a VXLAN device go (vxlan_core.c:vxlan_get_route; Linux 6.12).

Whether they get through is not modelled, but for a route that leads into a tunnel.
"""

from collections.abc import Callable
from typing import Protocol

from hopback.datapath.effects import Blind, Drop, Why
from hopback.datapath.ip.key import Key
from hopback.datapath.ip.layer import IpLayer
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.skb import Ip
from hopback.datapath.tunnel_state import Tunnels
from hopback.datapath.vxlan_state import Remote, Vxlans, VxlanState
from hopback.frames import udp
from hopback.network.facts import merge_refs

Leads = Callable[[VxlanState, Remote], Drop | Blind | None]
"""Why what a device sends to a remote does not get there, None if it does as far as one sees."""


class Devices(Protocol):
    """All tunnels there are."""

    @property
    def tunnels(self) -> Tunnels: ...

    @property
    def vxlans(self) -> Vxlans: ...


def anywhere(state: VxlanState, remote: Remote) -> None:
    """Nobody knows the underlay's routes: it gets there."""
    return


def refusal(
    layer: IpLayer, devices: Devices, state: VxlanState, remote: Remote
) -> Drop | Blind | None:
    """``Leads`` by the routes of ``layer``."""
    if remote.address is None:
        return None
    way = lookup(layer.host, layer.world, key_to(state, remote.address))
    if not isinstance(way, Way) or way.kind != "out":
        return None
    out = layer.host.id._replace(name=way.dev)
    refs = merge_refs(remote.refs, way.refs)
    if out == state.id:
        return Drop(Why("vxlan-own-route", refs))
    if out in devices.tunnels.by_id or out in devices.vxlans.by_id:
        return Blind(f"the packets of {state.id.name} go on through {way.dev}", refs)
    return None


def key_to(state: VxlanState, remote: Ip) -> Key:
    """What the outer packet is routed by."""
    return Key(
        target=remote,
        source=state.source,
        oif=state.lower,
        protocol=udp.PROTOCOL,
        target_port=state.port,
    )
