"""Devices: links, bridges and their ports, bonds, VLANs."""

from typing import Literal, get_args

from hopback.frames.mac import Mac
from hopback.snapshot.rows.base import Row


class Link(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A network device (``ip -d link``, ``ifconfig``, RTM_NEWLINK).

    ``master`` and ``lower`` are "" when the listing shows that there is none. ``lower`` is the
    name after ``@`` (the device a VLAN or macvlan sits on, a veth's peer in the same namespace);
    when the peer is elsewhere only ``lower_index`` is known (``@if7``) with the namespace id the
    kernel gives it, and ``peer_netns`` is filled by who can resolve that id. ``port_of`` is the
    driver of the device it is enslaved to ("bridge", "bond").
    """

    name: str
    index: int | None = None
    kind: str | None = None  # IFLA_INFO_KIND: veth, tun, bridge, bond, vlan, vxlan, macvlan …
    mac: Mac | None = None
    perm_mac: Mac | None = None
    up: bool | None = None  # IFF_UP
    carrier: bool | None = None  # IFF_LOWER_UP
    promisc: bool | None = None  # IFF_PROMISC asked for by an administrator, not promiscuity
    mtu: int | None = None
    master: str | None = None
    port_of: str | None = None
    lower: str | None = None
    lower_index: int | None = None
    lower_netnsid: int | None = None
    peer_netns: str | None = None
    xdp: bool | None = None  # a BPF program sits on the device's receive path
    macvlan_mode: str | None = None  # of a macvlan or macvtap: private, vepa, bridge …


class Bridge(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A bridge's own settings (``ip -d link``, ``brctl show``, sysfs ``bridge/*``)."""

    name: str
    bridge_id: str | None = None
    stp: bool | None = None
    vlan_filtering: bool | None = None
    vlan_protocol: int | None = None  # the EtherType of its tags, 0x8100 or 0x88a8
    vlan_default_pvid: int | None = None
    forward_delay: int | None = None  # ns
    ageing_time: int | None = None  # ns; 0 means that the bridge never learns
    group_fwd_mask: int | None = None
    mcast_snooping: bool | None = None
    mcast_querier: bool | None = None
    igmp_querier_heard: bool | None = None  # another one's, IFLA_BR_MCAST_QUERIER_STATE
    mld_querier_heard: bool | None = None
    mcast_router: int | None = None
    nf_call_iptables: bool | None = None
    topology_change: bool | None = None


PortStateName = Literal["disabled", "listening", "learning", "forwarding", "blocking"]

PORT_STATES: tuple[PortStateName, ...] = (
    "disabled",
    "listening",
    "learning",
    "forwarding",
    "blocking",
)
"""The BR_STATE_* numbers in order (``include/uapi/linux/if_bridge.h``)."""


class BridgePort(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A bridge port and its flags (``bridge -d link``, ``brctl showstp``, sysfs ``brport/*``)."""

    name: str
    bridge: str | None = None
    number: int | None = None
    state: PortStateName | None = None
    hairpin: bool | None = None
    learning: bool | None = None
    flood: bool | None = None
    mcast_flood: bool | None = None
    bcast_flood: bool | None = None
    isolated: bool | None = None
    locked: bool | None = None
    mab: bool | None = None
    proxyarp: bool | None = None
    proxyarp_wifi: bool | None = None
    neigh_suppress: bool | None = None
    mcast_to_unicast: bool | None = None
    mcast_router: int | None = None
    group_fwd_mask: int | None = None
    vlan_tunnel: bool | None = None
    backup_port: str | None = None
    guard: bool | None = None
    root_block: bool | None = None
    cost: int | None = None
    priority: int | None = None


class Bond(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A bond (``/proc/net/bonding/*``, ``ip -d link``)."""

    name: str
    mode: str | None = None  # as the kernel names it: balance-rr, 802.3ad …
    xmit_hash_policy: str | None = None
    active_slave: str | None = None
    all_slaves_active: bool | None = None
    active_aggregator: int | None = None
    partner_mac: Mac | None = None


class BondLeg(Row, frozen=True, kw_only=True, omit_defaults=True):
    """One leg of a bond. ``mii_up`` is its link; ``active`` whether the bond uses it.

    ``actor_state`` and ``partner_state`` are the 802.3ad port state bits (IEEE 802.1AX §6.4.2.3:
    0x01 activity, 0x02 timeout, 0x04 aggregation, 0x08 sync, 0x10 collecting, 0x20 distributing,
    0x40 defaulted, 0x80 expired).
    """

    name: str
    bond: str | None = None
    active: bool | None = None
    mii_up: bool | None = None
    aggregator: int | None = None
    actor_state: int | None = None
    partner_state: int | None = None
    partner_mac: Mac | None = None
    perm_mac: Mac | None = None


class VlanDevice(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A VLAN device: ``name`` carries the frames of ``vid`` of device ``lower``."""

    name: str
    vid: int
    lower: str | None = None
    protocol: str | None = None  # 802.1Q, 802.1ad


class Vxlan(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A VXLAN device (``ip -d link``). ``remote`` is its first destination, ``group`` if multicast.

    Both are "" when the listing shows that there is none, and so is ``local`` when the kernel
    chooses the outer source address; ``vni`` is None where each packet brings its own.
    """

    name: str
    vni: int | None = None
    local: str | None = None
    remote: str | None = None
    group: str | None = None
    port: int | None = None  # UDP
    lower: str | None = None
    learning: bool | None = None
    proxy: bool | None = None
    collect_metadata: bool | None = None


class Blind(Row, frozen=True, kw_only=True, omit_defaults=True):
    """Something on a device's path that hopback cannot evaluate (tc, XDP, OVS, switchdev, SR-IOV).

    ``dev`` is "" when it may concern every device of the namespace.
    """

    dev: str
    what: str


TunnelKind = Literal["ipip", "sit", "gre", "gretap", "ip6tnl", "ip6gre", "ip6gretap", "wireguard"]
TUNNEL_KINDS: tuple[TunnelKind, ...] = get_args(TunnelKind)


class Tunnel(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A device that wraps packets (``ip -d link``, ``ip tunnel``); vxlans have rows of their own.

    ``local`` and ``remote`` are "" when the listing shows that there is none: each packet's route
    or peer then decides. ``ttl`` 0 takes the inner one's, ``tos`` with bit 0 set too (it is the
    traffic class in an IPv6 tunnel). ``key``, ``summed`` and ``numbered`` are of what it sends,
    ``accepts_key`` and so on of what it takes. ``encap_limit`` is how many more IPv6 tunnels a
    packet may go through (RFC 2473 4.1.1), -1 for any number. ``port`` is WireGuard's own.
    """

    dev: str
    kind: TunnelKind
    local: str | None = None
    remote: str | None = None
    lower: str | None = None  # the device it is bound to, "" for none
    ttl: int | None = None
    tos: int | None = None
    key: int | None = None
    accepts_key: int | None = None
    summed: bool | None = None
    accepts_summed: bool | None = None
    numbered: bool | None = None
    accepts_numbered: bool | None = None
    pmtudisc: bool | None = None  # outer IPv4 packets must not be cut
    ignore_df: bool | None = None  # whatever the inner one says
    external: bool | None = None  # each packet brings its own remote
    encap_limit: int | None = None
    mark: int | None = None  # of the outer packets, 0 for none
    port: int | None = None


class WireguardPeer(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A peer of a WireGuard device (``wg show``): what goes to ``allowed`` goes to ``endpoint``.

    ``endpoint`` is "" where there is none (yet): the peer has to send first.
    """

    dev: str
    peer: str  # its public key
    endpoint: str | None = None  # address without port
    port: int | None = None
    allowed: tuple[str, ...] = ()


class Vrf(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A VRF device and its routing table; what is enslaved to it is routed by that table."""

    dev: str
    table: str
