"""Where a tunnel's outer packets go on the host itself: out of it, or into a tunnel again."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

from hopback.datapath.effects import Ask, Blind
from hopback.datapath.ip.host import Host
from hopback.datapath.ip.key import Key
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.model import Model
from hopback.datapath.skb import Ip
from hopback.datapath.tunnel import key_of as tunnel_key
from hopback.datapath.tunnel_state import TunnelState
from hopback.datapath.underlay import key_to as vxlan_key
from hopback.datapath.vxlan_state import VxlanState
from hopback.datapath.wireguard import key_to as wireguard_key
from hopback.datapath.wireguard import peer_for
from hopback.network.facts import DevId, Ref, merge_refs


class Outer(NamedTuple):
    """What a tunnel sends to ``remote``: how that is routed, and the rows that say so."""

    dev: DevId
    remote: str
    key: Key
    refs: tuple[Ref, ...]


class Link(NamedTuple):
    """An outer packet that leads into the tunnel ``into``, or to the host itself (None)."""

    outer: Outer
    into: DevId | None
    routes: tuple[Ref, ...]

    @property
    def refs(self) -> tuple[Ref, ...]:
        """The tunnel's rows, then the route's."""
        return merge_refs(self.outer.refs, self.routes)


def chains(model: Model) -> Iterator[tuple[Link, ...]]:
    """The rings of tunnels on one host, each once."""
    seen: set[frozenset[tuple[DevId, str]]] = set()
    for dev in (*model.tunnels.by_id, *model.vxlans.by_id):
        for outer in _outers(model, dev):
            ring = _ring(model, outer)
            members = frozenset((link.outer.dev, link.outer.remote) for link in ring)
            if ring and members not in seen:
                seen.add(members)
                yield ring


def unrouted(model: Model) -> Iterator[Outer]:
    """Outer packets of tunnels of which nothing tells where they go; VXLANs are left out."""
    for dev in model.tunnels.by_id:
        for outer in _outers(model, dev):
            host = _host(model, dev)
            if host is None or isinstance(lookup(host, {}, outer.key), Ask | Blind):
                yield outer


def _ring(model: Model, first: Outer) -> tuple[Link, ...]:
    """The way of a packet from ``first`` until it is there again; () if it gets away."""
    found: list[Link] = []
    outer: Outer | None = first
    while outer is not None and outer not in [link.outer for link in found]:
        link = _link(model, outer)
        if link is None:
            return ()
        found.append(link)
        if link.into is None or _refused_at_once(model, link):
            return tuple(found) if link is found[0] else ()
        outer = _next(model, link.into, outer.key.target)
    return tuple(found) if outer == first else ()


def _refused_at_once(model: Model, link: Link) -> bool:
    """Into itself: only WireGuard, since 5.7, looks whom that packet is for."""
    if link.into != link.outer.dev:
        return False
    tunnel = model.tunnels.by_id.get(link.outer.dev)
    return tunnel is None or tunnel.kind != "wireguard" or not tunnel.kernel.wireguard_nests


def _link(model: Model, outer: Outer) -> Link | None:
    host = _host(model, outer.dev)
    way = lookup(host, {}, outer.key) if host else None
    if not isinstance(way, Way):
        return None
    tunnel = model.tunnels.by_id.get(outer.dev)
    if way.kind == "local" and tunnel is not None and tunnel.outer_v6:
        return Link(outer, None, way.refs)
    if way.kind != "out" or host is None:
        return None
    into = host.id._replace(name=way.dev)
    there = into in model.tunnels.by_id or into in model.vxlans.by_id
    return Link(outer, into, way.refs) if there else None


def _host(model: Model, dev: DevId) -> Host | None:
    """The namespace that routes what the device sends."""
    vxlan = model.vxlans.by_id.get(dev)
    if vxlan is None:
        return model.hosts.get(dev[:2])
    return model.hosts.get((vxlan.underlay.host, vxlan.underlay.netns)) if vxlan.underlay else None


def _next(model: Model, dev: DevId, target: Ip) -> Outer | None:
    """What the tunnel ``dev`` makes of a packet for ``target``, where that is one thing."""
    tunnel = model.tunnels.by_id.get(dev)
    if tunnel is not None and tunnel.kind == "wireguard":
        peer = peer_for(tunnel, target)
        found = [o for o in _sealed(tunnel) if peer is not None and set(peer.refs) <= set(o.refs)]
    else:
        found = list(_outers(model, dev))
    return found[0] if len(found) == 1 else None


def _outers(model: Model, dev: DevId) -> Iterator[Outer]:
    tunnel, vxlan = model.tunnels.by_id.get(dev), model.vxlans.by_id.get(dev)
    if tunnel is not None and tunnel.up is not False and tunnel.blind is None:
        if tunnel.kind == "wireguard":
            yield from _sealed(tunnel)
        elif tunnel.remote is not None and (tunnel.local is not None or not tunnel.outer_v6):
            yield Outer(dev, str(tunnel.remote), tunnel_key(tunnel), tunnel.refs)
    if vxlan is not None and vxlan.blind is None:
        yield from _flooded(vxlan)


def _sealed(device: TunnelState) -> Iterator[Outer]:
    for peer in device.peers:
        if peer.endpoint:
            key = wireguard_key(device, peer, ip_address(peer.endpoint))
            yield Outer(device.id, peer.endpoint, key, merge_refs(device.refs, peer.refs))


def _flooded(vxlan: VxlanState) -> Iterator[Outer]:
    """Each remote that an entry names, once."""
    named: dict[Ip, tuple[Ref, ...]] = {}
    for entry in vxlan.fdb.values():
        for remote in entry.remotes:
            if remote.address is not None:
                known = named.get(remote.address, ())
                named[remote.address] = merge_refs(known, remote.refs)
    for address, refs in named.items():
        yield Outer(vxlan.id, str(address), vxlan_key(vxlan, address), refs)
