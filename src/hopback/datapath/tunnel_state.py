"""What the tunnel stages look at: the devices that wrap packets, and which one takes which packet.

net/ipv4/ip_tunnel.c:ip_tunnel_lookup; net/ipv6/ip6_tunnel.c:ip6_tnl_lookup (Linux 6.12).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from hopback.datapath.kernel import CURRENT, Behaviour, behaviour_of
from hopback.datapath.skb import Ip
from hopback.network.facts import DevId, Fact, Ref, Told, latest, merge_refs
from hopback.network.model import Network
from hopback.snapshot.rows import Tunnel, TunnelKind, WireguardPeer

Refs = tuple[Ref, ...]

CARRIES_FRAMES: frozenset[TunnelKind] = frozenset({"gretap", "ip6gretap"})
WITHOUT_NEIGHBOURS: frozenset[str] = frozenset(
    {"ipip", "sit", "gre", "ip6tnl", "ip6gre", "wireguard"}
)
"""Devices on which a packet needs no MAC (IFF_NOARP, no Ethernet header)."""

_TTL: Mapping[TunnelKind, int] = {"sit": 64, "ip6tnl": 64, "ip6gre": 64, "ip6gretap": 64}
"""What ip sets where no listing tells; the others take the inner packet's."""

_ENCAP_LIMIT = 4  # IPV6_DEFAULT_TNL_ENCAP_LIMIT

_BYTE, _PORTS = range(0x100), range(0x1_0000)
_ROOM = {
    "ttl": _BYTE,
    "tos": _BYTE,
    "encap_limit": range(-1, 0x100),
    "port": _PORTS,
    "key": range(0x1_0000_0000),
}
"""What the headers have room for: a listing that was altered may say more."""


class Peer(Struct, frozen=True):
    """A peer of WireGuard. ``endpoint`` is None where no listing tells it, "" where it has none."""

    endpoint: str | None
    port: int = 0
    allowed: tuple[IPv4Network | IPv6Network, ...] = ()
    refs: Refs = ()


class TunnelState(Struct, frozen=True):
    """A tunnel. ``local`` and ``remote`` are None where there is none, ``up`` where unknown.

    ``ttl`` 0 takes the inner one, ``tos`` with bit 0 set too. ``blind`` says why what it sends
    cannot be told, with the rows.
    """

    id: DevId
    kind: TunnelKind
    local: Ip | None = None
    remote: Ip | None = None
    lower: str = ""
    ttl: int = 0
    tos: int = 0
    key: int | None = None
    accepts_key: int | None = None
    summed: bool = False
    accepts_summed: bool = False
    numbered: bool = False
    accepts_numbered: bool = False
    pmtudisc: bool = True
    ignore_df: bool = False
    encap_limit: int = -1
    mark: int = 0
    port: int = 0
    peers: tuple[Peer, ...] = ()
    up: bool | None = None
    blind: tuple[str, Refs] | None = None
    kernel: Behaviour = CURRENT
    refs: Refs = ()

    @property
    def outer_v6(self) -> bool:
        """Whether it wraps packets in IPv6."""
        return self.kind.startswith("ip6")


class Tunnels(Struct, frozen=True):
    """All tunnels, by themselves and by namespace."""

    by_id: Mapping[DevId, TunnelState] = MappingProxyType({})
    by_netns: Mapping[tuple[str, str], tuple[TunnelState, ...]] = MappingProxyType({})

    def taking(
        self,
        netns: tuple[str, str],
        kinds: Sequence[TunnelKind],
        source: Ip,
        target: Ip,
        key: int | None,
    ) -> TunnelState | None:
        """The tunnel that takes a packet: whose ends are the packet's, and else has fewer of them.

        One without ends is the last resort, as is the kernel's own (tunl0, gre0, sit0), which has
        to be up.
        """
        found = [
            tunnel
            for tunnel in self.by_netns.get(netns, ())
            if tunnel.kind in kinds
            and tunnel.accepts_key == key
            and tunnel.remote in (None, source)
            and tunnel.local in (None, target)
            and (tunnel.remote or tunnel.local or tunnel.up is not False)
        ]
        return min(found, key=_rank, default=None)


def _rank(tunnel: TunnelState) -> tuple[bool, bool]:
    return tunnel.remote is None, tunnel.local is None


def tunnels_of(network: Network) -> Tunnels:
    """The tunnels of all hosts, of those rows that were given last."""
    found: dict[DevId, TunnelState] = {}
    for host, snapshot in network.snapshots.items():
        rows: dict[DevId, list[Told[Tunnel]]] = {}
        for row in snapshot.tunnels.rows:
            rows.setdefault(DevId(host, row.netns, row.dev), []).append(Told(host, row))
        peers: dict[DevId, list[Told[WireguardPeer]]] = {}
        for peer in snapshot.wireguard_peers.rows:
            peers.setdefault(DevId(host, peer.netns, peer.dev), []).append(Told(host, peer))
        for id_, told in rows.items():
            found[id_] = _state(network, id_, told, peers.get(id_, ()))
    by_netns: dict[tuple[str, str], list[TunnelState]] = {}
    for tunnel in found.values():
        by_netns.setdefault(tunnel.id[:2], []).append(tunnel)
    return Tunnels(
        MappingProxyType(found),
        MappingProxyType({netns: tuple(tunnels) for netns, tunnels in by_netns.items()}),
    )


def _state(
    network: Network, id_: DevId, told: Sequence[Told[Tunnel]], peers: Sequence[Told[WireguardPeer]]
) -> TunnelState:
    kind = told[-1].row.kind
    device = network.devices.get(id_)
    local, remote = latest(told, lambda r: r.local), latest(told, lambda r: r.remote)
    values: dict[str, Any] = {"ttl": _TTL.get(kind, 0), "encap_limit": _ENCAP_LIMIT}
    for name in _PLAIN:
        given = [value for t in told if (value := getattr(t.row, name)) is not None]
        values |= {name: given[-1]} if given else {}
    return TunnelState(
        id=id_,
        kind=kind,
        local=_ip(local),
        remote=_ip(remote),
        peers=tuple(_peer(peer) for peer in peers),
        up=device.up.value if device and device.up else None,
        blind=_blind(network, id_, told, remote) or _impossible(id_, told, (local, remote), values),
        kernel=behaviour_of(network.release(id_.host)),
        refs=merge_refs(t.ref for t in told),
        **values,
    )


_PLAIN = (
    *("lower", "ttl", "tos", "key", "accepts_key", "summed", "accepts_summed", "numbered"),
    *("accepts_numbered", "pmtudisc", "ignore_df", "encap_limit", "mark", "port"),
)


def _blind(
    network: Network, id_: DevId, told: Sequence[Told[Tunnel]], remote: Fact[str] | None
) -> tuple[str, Refs] | None:
    """Why where its packets go is not in its row."""
    refs = merge_refs(t.ref for t in told)
    external = latest(told, lambda r: r.external)
    if any(
        (row.netns, row.name) == (id_.netns, id_.name) and row.lower_netnsid is not None
        for row in network.snapshots[id_.host].links.rows
    ):
        return f"{id_.name} sends in another namespace than its own", refs
    if external is not None and external.value:
        return f"{id_.name} takes the remote from each packet", external.refs
    if told[-1].row.kind == "wireguard":
        return None
    if remote is None:
        return f"the remote of {id_.name}, which no listing shows", refs
    if not remote.value:
        return f"{id_.name} has no remote: the next hop of each packet's route is it", remote.refs
    address = _ip(remote)
    if address is not None and address.is_multicast:
        return f"{id_.name} sends to a group", remote.refs
    return None


def _impossible(
    id_: DevId,
    told: Sequence[Told[Tunnel]],
    ends: Sequence[Fact[str] | None],
    values: Mapping[str, Any],
) -> tuple[str, Refs] | None:
    """Ends and numbers that no packet has."""
    version = 6 if told[-1].row.kind.startswith("ip6") else 4
    for end in ends:
        address = _ip(end)
        if end is not None and end.value and (address is None or address.version != version):
            return f"{id_.name} cannot have the end {end.value}", end.refs
    for name, room in _ROOM.items():
        if values.get(name, 0) not in room:
            return f"{id_.name} cannot have {name} {values[name]}", merge_refs(t.ref for t in told)
    return None


def _peer(told: Told[WireguardPeer]) -> Peer:
    """An endpoint that no packet can have is as good as one that no listing tells."""
    row, endpoint = told.row, told.row.endpoint
    if endpoint and (_ip(Fact(endpoint, ())) is None or (row.port or 0) not in _PORTS):
        endpoint = None
    return Peer(endpoint, row.port or 0, tuple(_networks(row)), (told.ref,))


def _networks(row: WireguardPeer) -> Iterator[IPv4Network | IPv6Network]:
    for text in row.allowed:
        with suppress(ValueError):
            yield ip_network(text, strict=False)


def _ip(fact: Fact[str] | None) -> Ip | None:
    if fact is None or not fact.value:
        return None
    with suppress(ValueError):
        return ip_address(fact.value)
    return None
