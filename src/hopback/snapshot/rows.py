"""One frozen row type for each kernel (or libvirt) table.

Common to all: ``cite`` says where the row was read; ``netns`` is the network namespace's name
("" is the one the listing was made in). **None means that the listing did not say**, never "off"
or "absent": old tools print less. Times are integer nanoseconds. Several rows may describe one
device, each telling what its own command showed; the network layer merges them and keeps, for
each fact, the row that told it.
"""

from typing import Literal

from msgspec import Struct

from hopback.frames.mac import Mac
from hopback.snapshot.table import Cite


class Row(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What every row has."""

    cite: Cite
    netns: str = ""


# --- devices ---------------------------------------------------------------------------------


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


class Bridge(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A bridge's own settings (``ip -d link``, ``brctl show``, sysfs ``bridge/*``)."""

    name: str
    bridge_id: str | None = None
    stp: bool | None = None
    vlan_filtering: bool | None = None
    vlan_default_pvid: int | None = None
    forward_delay: int | None = None  # ns
    ageing_time: int | None = None  # ns; 0 means that the bridge never learns
    group_fwd_mask: int | None = None
    mcast_snooping: bool | None = None
    mcast_querier: bool | None = None
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


class Blind(Row, frozen=True, kw_only=True, omit_defaults=True):
    """Something on a device's path that hopback cannot evaluate (tc, XDP, OVS, switchdev, SR-IOV).

    ``dev`` is "" when it may concern every device of the namespace.
    """

    dev: str
    what: str


# --- forwarding ------------------------------------------------------------------------------


class Fdb(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A forwarding database entry (``bridge fdb``, ``brctl showmacs``, RTM_NEWNEIGH).

    ``dev`` is None where the listing only numbers ports (``port``); ``bridge`` is None where it
    does not say whose table it is. ``vlan`` 0 is an entry without VLAN. ``local`` is what bridge
    fdb calls permanent and brctl "is local"; ``static`` is NUD_NOARP (it does not age, but it
    moves); ``on_device`` marks the device's own filter list (``self``), which is no bridge table.
    ``age`` is the time since the entry was last refreshed by a frame with this source.
    """

    mac: Mac
    dev: str | None = None
    port: int | None = None
    bridge: str | None = None
    vlan: int = 0
    local: bool = False
    static: bool = False
    sticky: bool = False
    extern_learn: bool = False
    offload: bool = False
    on_device: bool = False
    age: int | None = None  # ns
    dst: str | None = None  # a VXLAN entry's remote


class FdbEvent(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A line of ``bridge monitor fdb`` (RTM_NEWNEIGH on creation or move, RTM_DELNEIGH)."""

    mac: Mac
    dev: str
    bridge: str | None = None
    vlan: int = 0
    deleted: bool = False
    local: bool = False
    at: int | None = None  # ns since the epoch, if stamped


class EvpnMac(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A MAC in a BGP EVPN table (FRR ``show evpn mac``), with its mobility sequence numbers."""

    mac: Mac
    where: str
    vlan: int = 0
    local_sequence: int = 0
    remote_sequence: int = 0


class PortVlan(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A VLAN allowed on a port (``bridge vlan``)."""

    dev: str
    vid: int
    pvid: bool = False
    untagged: bool = False


class Mdb(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A multicast group member (``bridge mdb``)."""

    bridge: str
    dev: str
    group: str
    vlan: int = 0
    permanent: bool = False


class Address(Row, frozen=True, kw_only=True, omit_defaults=True):
    """An IP address of a device; ``flags`` as iproute2 spells them (tentative, dadfailed …)."""

    dev: str
    address: str
    prefix_len: int
    scope: str | None = None
    flags: tuple[str, ...] = ()


class Neighbour(Row, frozen=True, kw_only=True, omit_defaults=True):
    """An ARP or ND entry (``ip neigh``, ``arp -an``)."""

    dev: str
    address: str
    mac: Mac | None = None
    state: str | None = None
    router: bool = False
    proxy: bool = False


class NextHop(Struct, frozen=True, gc=False, omit_defaults=True):
    """One way of a route."""

    dev: str | None = None
    via: str | None = None
    weight: int = 1


class Route(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A route. ``kind`` is unicast, local, broadcast, blackhole, unreachable, prohibit …"""

    destination: str  # "default" is 0.0.0.0/0 or ::/0, by family
    family: Literal[4, 6]
    kind: str = "unicast"
    hops: tuple[NextHop, ...] = ()
    table: str = "main"
    protocol: str | None = None
    scope: str | None = None
    metric: int | None = None
    source: str | None = None
    onlink: bool = False


class Rule(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A policy routing rule, its selectors as iproute2 prints them."""

    priority: int
    family: Literal[4, 6]
    selector: str
    action: str


# --- guests ----------------------------------------------------------------------------------


class Guest(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A libvirt domain (``virsh list``)."""

    name: str
    state: str | None = None


class GuestNic(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A guest's interface (``virsh dumpxml``, ``virsh domiflist``).

    ``source`` is the bridge (or libvirt network) it is plugged into, ``target`` the tap on the
    host; ``filter`` the nwfilter it refers to ("" when the whole definition shows none).
    """

    guest: str | None = None
    mac: Mac | None = None
    target: str | None = None
    source: str | None = None
    source_kind: str | None = None  # bridge, network, direct …
    model: str | None = None
    filter: str | None = None


class PacketFilter(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A packet filter that was seen but is not evaluated.

    ``family`` is bridge, ip, ip6, inet, arp or netdev. ``devices`` are those a base chain's rules
    select by name; None when some rule or a policy other than accept may hit any device.
    """

    family: str
    name: str
    devices: tuple[str, ...] | None = None


# --- the system ------------------------------------------------------------------------------


class Sysctl(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A kernel setting, dots between the parts as ``sysctl`` prints it."""

    key: str
    value: str


class Kernel(Row, frozen=True, kw_only=True, omit_defaults=True):
    """The running kernel's release, e.g. ``6.1.0-18-amd64``."""

    release: str


class HostIdentity(Row, frozen=True, kw_only=True, omit_defaults=True):
    """Who the host says it is (``hostnamectl``, /etc/machine-id). Evidence, never a key."""

    hostname: str | None = None
    machine_id: str | None = None
    boot_id: str | None = None


class OwnSource(Row, frozen=True, kw_only=True, omit_defaults=True):
    """``received packet on PORT with own address as source address`` (br_fdb.c:br_fdb_update).

    ``bridge`` is None in the oldest form (2.6), ``mac`` None before 4.14 or when blanked.
    """

    dev: str
    bridge: str | None = None
    mac: Mac | None = None
    vlan: int | None = None
    at: int | None = None  # ns, since boot or the epoch: only differences mean anything


class PortEvent(Row, frozen=True, kw_only=True, omit_defaults=True):
    """``BRIDGE: port N(DEV) entered STATE state`` (br_stp.c:br_log_state)."""

    bridge: str
    dev: str
    number: int
    state: PortStateName
    at: int | None = None


class DadEvent(Row, frozen=True, kw_only=True, omit_defaults=True):
    """``IPv6 duplicate address … [used by MAC] detected!`` (addrconf.c, ndisc.c)."""

    dev: str
    address: str | None = None
    used_by: Mac | None = None
    at: int | None = None


class LogLine(Row, frozen=True, kw_only=True, omit_defaults=True):
    """Any other line of a log that names a network device or subsystem; kept as text."""

    text: str
    at: int | None = None


class Sighting(Row, frozen=True, kw_only=True, omit_defaults=True):
    """One frame that tcpdump printed.

    ``dev`` is None when neither the line nor the command names it. ``direction`` is "in" or "out"
    where the capture says so. ``key`` is what identifies the packet apart from time, TTL and
    checksums: two sightings with the same key on one device may be one packet seen twice.
    """

    at: int | None = None  # ns since midnight or the epoch: only differences mean anything
    dev: str | None = None
    direction: Literal["in", "out"] | None = None
    source_mac: Mac | None = None
    target_mac: Mac | None = None
    vlan: int | None = None
    source: str | None = None  # IP address
    target: str | None = None
    ttl: int | None = None
    length: int | None = None
    key: str = ""


class Unread(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A listing that was recognised (or at least announced by its command) but is not understood.

    It keeps hopback from calling ``clear`` what it did not read. ``symptom`` is set when the text
    shows trouble of a kind that is recognised but not explained (``DUP!``, ``dadfailed`` …).
    """

    what: str
    symptom: bool = False
