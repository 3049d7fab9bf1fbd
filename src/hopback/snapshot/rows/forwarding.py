"""Forwarding: the bridge tables, addresses, neighbours, routes."""

from typing import Literal

from msgspec import Struct

from hopback.frames.mac import Mac
from hopback.snapshot.rows.base import Row


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
    locked: bool = False  # waits for its authorisation: MAC authentication bypass
    extern_learn: bool = False
    offload: bool = False
    on_device: bool = False
    age: int | None = None  # ns
    dst: str | None = None  # a VXLAN entry's remote
    vni: int | None = None  # and its VNI, where it is not the device's own


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


class MacFlap(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A switch's or another bridge's message that a MAC went from one port to another.

    ``flapping`` where the message itself says that it does so again and again.
    """

    mac: Mac
    before: str
    after: str
    vlan: int = 0
    flapping: bool = False


class PortVlan(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A VLAN allowed on a port (``bridge vlan``)."""

    dev: str
    vid: int
    pvid: bool = False
    untagged: bool = False


class Mdb(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A multicast group member (``bridge mdb``); ``dev`` is the bridge itself for the host.

    ``source`` is the one sender that a source-specific entry is about, None for all senders.
    """

    bridge: str
    dev: str
    group: str
    vlan: int = 0
    permanent: bool = False
    source: str | None = None


class RouterPort(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A port on which a bridge knows a multicast router (``bridge -d mdb``, MDBA_ROUTER).

    ``family`` is None where the listing does not tell IPv4 from IPv6.
    """

    bridge: str
    dev: str
    family: Literal[4, 6] | None = None


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
    """One way of a route. ``dead``: its device is down; ``linkdown``: it has no carrier."""

    dev: str | None = None
    via: str | None = None
    weight: int = 1
    dead: bool = False
    linkdown: bool = False


class Route(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A route. ``kind`` is unicast, local, broadcast, blackhole, unreachable, prohibit …

    ``origin`` is the prefix of the sources that it is for, None for all; ``tos`` as ``ip`` prints
    it. ``preference`` is that of IPv6 (low, medium, high).
    """

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
    tos: str | None = None
    origin: str | None = None
    preference: str | None = None


class RouteAnswer(Row, frozen=True, kw_only=True, omit_defaults=True):
    """What a host said it does with one packet (``ip route get``).

    ``kind`` is unicast, local, broadcast …, or refused: by a route, or for want of one. ``iif`` is
    the device by which the packet was said to come in, None for one of the host's own.
    """

    target: str
    kind: str = "unicast"
    source: str | None = None
    iif: str | None = None
    via: str | None = None
    dev: str | None = None


class Rule(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A policy routing rule, its selectors as iproute2 prints them."""

    priority: int
    family: Literal[4, 6]
    selector: str
    action: str
